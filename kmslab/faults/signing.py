"""Faults of the signing keys: others sign, the signer cannot, nobody can verify."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kmslab.faults.changes.policies import (
    KeyPolicy,
    add_actions,
    allow,
    drop_actions,
    persona_policy,
    role,
)
from kmslab.faults.changes.statements import add, drop
from kmslab.faults.noticing import DELEGATED, NOBODY_ELSE, WIDENS
from kmslab.faults.registry import fault
from kmslab.model.outputs import LabOutputs
from kmslab.model.persona import Persona

if TYPE_CHECKING:
    from kmslab.faults.change import Change

GUIDE = "08-asymmetric"
POST_QUANTUM = "15-post-quantum"
PUBLIC = "PublicOperationsAreForIamToDecide"
SIGNER_ONLY = "signing.only-the-signer-signs"
SIGNS = (
    "signing.signature-verifies-outside-kms",
    "signing.kms-verifies-its-signature",
    "signing.digest-equals-raw",
    SIGNER_ONLY,
)
SIGNS_POST_QUANTUM = "signing.post-quantum-signature-verifies-outside-kms"
LIMITS = ("signing.long-messages-need-a-digest", "signing.post-quantum-message-may-stay-outside")
"""What is about KMS, and begins with a signature."""


@fault(guide=GUIDE, noticed_by=(SIGNER_ONLY, NOBODY_ELSE))
def the_owner_may_sign() -> Change:
    """The data owner may sign too.

    For a release at night. A signature says who made it only as long as nobody else can: from now on it says
    "one of two".
    """
    return KeyPolicy(
        LabOutputs.key_signing, add(allow("NightRelease", "kms:Sign", to={"AWS": role(Persona.DATA_OWNER)}))
    )


@fault(
    guide=GUIDE,
    noticed_by=(
        DELEGATED,
        NOBODY_ELSE,
        WIDENS,
    ),
)
def signing_is_left_to_iam() -> Change:
    """Who may sign is left to IAM.

    Sign was added to the statement in which Verify stands: they seem to belong together. That statement has
    no conditions, because what it allows anybody with the public key could do. Signing is not of that kind.
    """
    return KeyPolicy(LabOutputs.key_signing, add_actions(PUBLIC, "kms:Sign"))


@fault(guide=GUIDE, noticed_by=SIGNS, also=LIMITS)
def the_signer_cannot_sign() -> Change:
    """The signer may no longer sign.

    The statement "Sign" was removed from the key policy when Verify was opened to all: one of two statements
    that look alike, and the wrong one.
    """
    return KeyPolicy(LabOutputs.key_signing, drop("Sign"))


@fault(guide=POST_QUANTUM, noticed_by=(SIGNS_POST_QUANTUM,), also=LIMITS)
def the_signer_cannot_sign_post_quantum() -> Change:
    """The signer may no longer sign with the post-quantum key.

    Both signing keys had one policy, and only one of them was kept up to date.
    """
    return KeyPolicy(LabOutputs.key_pq, drop("Sign"))


@fault(guide=GUIDE, noticed_by=(*SIGNS, SIGNS_POST_QUANTUM), also=LIMITS)
def the_signers_own_policy_forgot_to_sign() -> Change:
    """The signer's identity policy no longer allows signing.

    The key policies name the signer still. The name of the role is all that is left of its duty.
    """
    return persona_policy(Persona.SIGNER, drop("Sign"))


@fault(guide=GUIDE, noticed_by=("signing.kms-verifies-its-signature", "signing.digest-equals-raw"))
def verifying_is_refused() -> Change:
    """Nobody may verify with the signing key in KMS.

    Verify was removed in a round of least privilege. Whoever has the public key verifies outside AWS as
    before; whoever relied on KMS takes every good signature for a bad one.
    """
    return KeyPolicy(LabOutputs.key_signing, drop_actions(PUBLIC, "kms:Verify"))
