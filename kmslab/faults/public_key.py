"""Faults of public-key encryption: the wrong people open, the right people cannot, with a weak padding."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kmslab.faults.changes.policies import KeyPolicy, add_actions, allow, drop_actions, persona_policy, role
from kmslab.faults.changes.statements import add, drop, drop_conditions
from kmslab.faults.noticing import DELEGATED, NOBODY_ELSE, SIMULATED, WIDENS
from kmslab.faults.registry import fault
from kmslab.model.outputs import LabOutputs
from kmslab.model.persona import Persona

if TYPE_CHECKING:
    from kmslab.faults.change import Change

GUIDE = "08-asymmetric"
RSA = LabOutputs.key_rsa
PUBLIC = "PublicOperationsAreForIamToDecide"
OPENS = "public-key.sealed-outside-opens-only-in-kms"
OTHERS = "public-key.holders-of-the-public-key-cannot-open"
SIZE = "public-key.size-limit-is-the-keys"
HASH = "public-key.the-policy-demands-the-hash"
NO_CONTEXT = "public-key.a-public-key-binds-no-context"


@fault(guide=GUIDE, noticed_by=(HASH,))
def sha_1_is_good_enough() -> Change:
    """The RSA key opens what was sealed with OAEP and SHA-1.

    An old client could not do SHA-256, and the condition on kms:EncryptionAlgorithm was removed for it. Every
    client may now choose the weaker one, and those that are never updated will.
    """
    return KeyPolicy(RSA, drop_conditions("Decrypt", "StringEquals"))


@fault(guide=GUIDE, noticed_by=(OTHERS, NOBODY_ELSE))
def the_storage_operator_may_open() -> Change:
    """The storage operator may open what was sealed with the RSA key's public key.

    Whoever sealed something trusted that one person opens it. They cannot see that there are two now.
    """
    return KeyPolicy(RSA, add(allow("Restores", "kms:Decrypt", to={"AWS": role(Persona.STORAGE_OPERATOR)})))


@fault(
    guide=GUIDE,
    noticed_by=(
        DELEGATED,
        HASH,
        NOBODY_ELSE,
        WIDENS,
    ),
)
def opening_is_left_to_iam() -> Change:
    """Who may open what was sealed is left to IAM.

    Decrypt was added to the statement in which Encrypt stands. That is right for a symmetric key, where both
    need the secret. Here the one needs the public key and the other the private.
    """
    return KeyPolicy(RSA, add_actions(PUBLIC, "kms:Decrypt"))


@fault(guide=GUIDE, noticed_by=(OPENS, OTHERS, SIZE, HASH))
def nobody_can_open() -> Change:
    """Nobody may open what was sealed with the RSA key's public key.

    The statement "Decrypt" is gone. Everybody outside AWS seals as before, and no error tells them that
    nobody can read it.
    """
    return KeyPolicy(RSA, drop("Decrypt"))


@fault(
    guide=GUIDE,
    noticed_by=(
        OPENS,
        OTHERS,
        SIZE,
        HASH,
        SIMULATED,
        "signing.signing-keys-cannot-encrypt",
    ),
    also=(NO_CONTEXT,),
)
def the_owners_own_policy_forgot_the_rsa_key() -> Change:
    """The data owner's identity policy no longer allows opening with the RSA key.

    The key policy names the owner, and the owner may not: both sides must allow.
    """
    return persona_policy(Persona.DATA_OWNER, drop("OpenWhatThePublicKeyClosed"))


@fault(guide=GUIDE, noticed_by=(SIZE, "signing.signing-keys-cannot-encrypt"), also=(NO_CONTEXT,))
def sealing_in_kms_is_refused() -> Change:
    """Nobody may seal with the RSA key in KMS.

    Encrypt was removed from the statement that leaves public operations to IAM. It keeps nobody from sealing,
    since the public key is out; it only takes the easy way from those who have credentials.
    """
    return KeyPolicy(RSA, drop_actions(PUBLIC, "kms:Encrypt"))
