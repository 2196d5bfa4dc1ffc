"""Faults of key agreement: others derive the shared secrets, or the owner cannot."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kmslab.faults.changes.policies import KeyPolicy, add_actions, allow, persona_policy, role
from kmslab.faults.changes.statements import add, drop
from kmslab.faults.noticing import DELEGATED, NOBODY_ELSE
from kmslab.faults.registry import fault
from kmslab.model.outputs import LabOutputs
from kmslab.model.persona import Persona

if TYPE_CHECKING:
    from kmslab.faults.change import Change

GUIDE = "08-asymmetric"
KEY = LabOutputs.key_agreement
EQUAL = "agreement.secret-equals-the-local-one"
OPENS = "agreement.agreed-key-opens-the-others-message"
OTHERS = "agreement.only-the-permitted-derive"


@fault(guide=GUIDE, noticed_by=(OTHERS, NOBODY_ELSE))
def the_outsider_derives_secrets() -> Change:
    """The outsider may derive shared secrets with the agreement key.

    A partner was to take part in the exchange and was given the wrong half: they need the public key. With
    DeriveSharedSecret they reach every secret that was ever agreed on with this key.
    """
    statement = allow("Partner", "kms:DeriveSharedSecret", to={"AWS": role(Persona.OUTSIDER)})
    return KeyPolicy(KEY, add(statement))


@fault(guide=GUIDE, noticed_by=(DELEGATED, NOBODY_ELSE))
def deriving_is_left_to_iam() -> Change:
    """Who may derive shared secrets is left to IAM.

    DeriveSharedSecret was added to the statement with GetPublicKey: one exports the public key, the other uses
    the private one.
    """
    return KeyPolicy(KEY, add_actions("PublicOperationsAreForIamToDecide", "kms:DeriveSharedSecret"))


@fault(guide=GUIDE, noticed_by=(EQUAL, OPENS, OTHERS))
def nobody_derives_secrets() -> Change:
    """Nobody may derive shared secrets with the agreement key.

    The owner's statement was taken for one of the signer's and removed. The other side derives as before, and
    what it seals stays closed.
    """
    return KeyPolicy(KEY, drop("DeriveSharedSecrets"))


@fault(guide=GUIDE, noticed_by=(EQUAL, OPENS, OTHERS))
def the_owners_own_policy_forgot_the_agreement_key() -> Change:
    """The data owner's identity policy no longer allows deriving shared secrets.

    Seen from the key all is well. The owner's policy was written anew, and nobody remembered what the owner
    needs once a month.
    """
    return persona_policy(Persona.DATA_OWNER, drop("AgreeOnSecrets"))
