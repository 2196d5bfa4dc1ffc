"""Faults that only a look at all policies together shows: who ends up with access."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kmslab.faults.changes.identity import InlinePolicy, role_of
from kmslab.faults.changes.policies import allow
from kmslab.faults.noticing import ALL_KEYS, NOBODY_ELSE
from kmslab.faults.registry import fault
from kmslab.model.persona import Persona

if TYPE_CHECKING:
    from kmslab.faults.change import Change

GUIDE = "03-key-policies"


@fault(
    guide=GUIDE,
    noticed_by=(
        "escalation.access-hangs-on-no-tag-or-alias",
        NOBODY_ELSE,
    ),
    also=(ALL_KEYS,),
)
def the_reader_decrypts_by_tag() -> Change:
    """The data reader may decrypt with every key that has the lab's tag.

    One statement for all keys, today's and tomorrow's: a tag on the key decides. Whoever may tag keys now
    decides who decrypts with them, and the key that leaves it to IAM is open to the reader at once.
    """
    tagged = {"StringEquals": {"aws:ResourceTag/kmslab:prefix": "${Prefix}"}}
    return InlinePolicy(role_of(Persona.DATA_READER), allow("ByTag", "kms:Decrypt", on="*", when=tagged))


@fault(guide=GUIDE, noticed_by=("escalation.access-hangs-on-no-tag-or-alias",))
def the_signer_signs_by_alias() -> Change:
    """The signer may sign with every key whose alias begins with the lab's prefix.

    It reads well, and the keys can be replaced without a change of the policy. Whoever may give a key a name
    of that kind makes the signer's signature of it.
    """
    by_name = {"ForAnyValue:StringLike": {"kms:ResourceAliases": "alias/${Prefix}/*"}}
    return InlinePolicy(role_of(Persona.SIGNER), allow("ByAlias", "kms:Sign", on="*", when=by_name))
