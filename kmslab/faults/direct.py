"""Faults of direct encryption: the wrong people can, the right people cannot, the context does not matter."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kmslab.faults.changes.policies import KeyPolicy, allow, drop_actions, persona_policy, role
from kmslab.faults.changes.statements import THE_ACCOUNT, add, drop, drop_conditions, replace
from kmslab.faults.noticing import (
    CONTEXT,
    CONTEXT_DECIDES,
    GRANTED_AWAY,
    NOBODY_ELSE,
    SIMULATED,
    WITHOUT_CONTEXT,
)
from kmslab.faults.registry import fault
from kmslab.model.outputs import LabOutputs
from kmslab.model.persona import Persona

if TYPE_CHECKING:
    from kmslab.faults.change import Change

GUIDE = "02-first-key"
APP = LabOutputs.key_app
USE = "UseWithTheEncryptionContext"
OTHERS = "direct.others-cannot-decrypt"
ENVELOPE_ALONE = "envelope.the-envelope-alone-is-worthless"
SOMEBODY_ELSES = "grants.a-token-without-the-grant-is-worthless"
"""Here the reader and the storage operator are to be refused what only the grantee may."""
OWN_USE = (
    "direct.what-the-owner-encrypts-the-owner-decrypts",
    "direct.equal-plaintexts-differ-encrypted",
    "direct.a-changed-byte-is-noticed",
)
"""What the data owner does with the app key and nobody else is asked about."""
WITH_THE_APP_KEY = (
    "direct.",
    "envelope.",
    "caching.",
    "access.nobody-",
    "grants.",
    GRANTED_AWAY,
    "separation.the-administrator-cannot-use-the-key",
    "separation.the-administrator-cannot-create-a-grant",
    "separation.the-administrator-stops-and-restarts-a-key",
    "separation.the-auditor-reads-policies-not-data",
    "key-policies.iam-alone-cannot-decrypt",
    "key-policies.the-s3-key-works-through-s3-only",
    "ebs.copy-",
    "secrets.key-of-secrets-opens-nothing-directly",
    "audit.direct-use-names-the-principal",
    "audit.events-hold-no-plaintext",
    "audit.denied-call-is-recorded",
    "log-files.what-was-done-is-in-them",
)
"""Checks in which the data owner uses the app key, mostly to show that a refusal is a refusal."""


@fault(guide=GUIDE, noticed_by=(CONTEXT_DECIDES, CONTEXT, WITHOUT_CONTEXT))
def the_context_is_not_demanded() -> Change:
    """The app key's policy no longer demands an encryption context.

    A test that knew nothing of the context failed, and the condition was removed. What is encrypted without a
    context can be taken from one record and passed off as another's.
    """
    return KeyPolicy(APP, drop_conditions(USE, "StringEquals"))


@fault(guide=GUIDE, noticed_by=(CONTEXT_DECIDES, CONTEXT, WITHOUT_CONTEXT))
def the_context_is_demanded_if_it_is_there() -> Change:
    """The app key's policy demands the lab's encryption context only where the request has one.

    StringEqualsIfExists in place of StringEquals: it reads like more care. A request without any context
    passes.
    """
    condition = {
        "ArnEquals": {"aws:PrincipalArn": role(Persona.DATA_OWNER)},
        "StringEqualsIfExists": {"kms:EncryptionContext:kmslab": "training"},
    }
    return KeyPolicy(APP, replace(USE, Condition=condition))


@fault(guide=GUIDE, noticed_by=(CONTEXT_DECIDES, CONTEXT, WITHOUT_CONTEXT))
def any_value_of_the_context_will_do() -> Change:
    """The app key's policy demands that there is an encryption context, and not which.

    Null asks only whether a key of the context is there: the owner of the training data opens that of
    production.
    """
    condition = {
        "ArnEquals": {"aws:PrincipalArn": role(Persona.DATA_OWNER)},
        "Null": {"kms:EncryptionContext:kmslab": "false"},
    }
    return KeyPolicy(APP, replace(USE, Condition=condition))


@fault(guide=GUIDE, noticed_by=(OTHERS, CONTEXT, NOBODY_ELSE), also=(SOMEBODY_ELSES,))
def the_reader_may_decrypt() -> Change:
    """The data reader may decrypt with the app key.

    The reader reads objects through S3 and was given "the key" for it: the wrong one. The statement names
    the role as its principal, so that no identity policy is needed, and none shows it.
    """
    return KeyPolicy(APP, add(allow("Reports", "kms:Decrypt", to={"AWS": role(Persona.DATA_READER)})))


@fault(guide=GUIDE, noticed_by=(OTHERS, CONTEXT, ENVELOPE_ALONE, NOBODY_ELSE), also=(SOMEBODY_ELSES,))
def the_storage_operator_may_decrypt() -> Change:
    """The storage operator may decrypt with the app key.

    A restore failed, and decrypting was allowed to find out why. Who keeps the storage now reads what is
    stored, which is what encryption is to prevent.
    """
    statement = allow("Restores", "kms:Decrypt", to={"AWS": role(Persona.STORAGE_OPERATOR)})
    return KeyPolicy(APP, add(statement))


@fault(guide=GUIDE, noticed_by=OWN_USE, also=WITH_THE_APP_KEY)
def the_owner_is_denied() -> Change:
    """A statement denies the data owner every use of the app key.

    Meant for the time of an investigation. A deny wins over every allow, whoever wrote it: the other
    statements look as they always did, and nothing works.
    """
    statement = {
        **allow("Investigation", "kms:Encrypt", "kms:Decrypt", "kms:GenerateDataKey*", to=THE_ACCOUNT),
        "Effect": "Deny",
        "Condition": {"ArnEquals": {"aws:PrincipalArn": role(Persona.DATA_OWNER)}},
    }
    return KeyPolicy(APP, add(statement))


@fault(guide=GUIDE, noticed_by=OWN_USE, also=WITH_THE_APP_KEY)
def the_owners_statement_is_gone() -> Change:
    """The app key's policy no longer lets the data owner use the key.

    The statement was lost when two branches were merged. The identity policy still allows everything, which
    is where people look first.
    """
    return KeyPolicy(APP, drop(USE))


@fault(guide=GUIDE, noticed_by=(*OWN_USE, SIMULATED), also=WITH_THE_APP_KEY)
def the_owners_own_policy_forgot_the_app_key() -> Change:
    """The data owner's identity policy no longer allows the use of the app key.

    The key policy still does. It names the account as principal and the owner in a condition, so both sides
    must allow: one look at the key policy does not tell.
    """
    return persona_policy(Persona.DATA_OWNER, drop("EncryptDirectly"))


@fault(guide=GUIDE, noticed_by=OWN_USE, also=WITH_THE_APP_KEY)
def the_owner_encrypts_and_cannot_decrypt() -> Change:
    """The data owner may encrypt with the app key, but not decrypt.

    Encryption works, so nobody notices: the backup grows every night. It is noticed on the day on which
    somebody needs it.
    """
    return KeyPolicy(APP, drop_actions(USE, "kms:Decrypt"))
