"""Faults of message authentication codes: others can forge them, or nobody can verify them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kmslab.faults.changes.policies import KeyPolicy, allow, drop_actions, role
from kmslab.faults.changes.statements import THE_ACCOUNT, add, drop
from kmslab.faults.noticing import DELEGATED, NOBODY_ELSE
from kmslab.faults.registry import fault
from kmslab.model.outputs import LabOutputs
from kmslab.model.persona import Persona

if TYPE_CHECKING:
    from kmslab.faults.change import Change

GUIDE = "08-asymmetric"
MAC = LabOutputs.key_mac
MADE = "MakeAndVerifyCodes"
OTHERS = "mac.only-the-permitted-make-codes"
TAMPERING = "mac.tampering-is-noticed"


@fault(guide=GUIDE, noticed_by=(DELEGATED, NOBODY_ELSE))
def making_codes_is_left_to_iam() -> Change:
    """Who may make message authentication codes is left to IAM.

    A statement for the account, modelled on that of the signing keys, allows GenerateMac and VerifyMac. A
    code has no public half: whoever may make one can forge one.
    """
    return KeyPolicy(MAC, add(allow("Codes", "kms:GenerateMac", "kms:VerifyMac", to=THE_ACCOUNT)))


@fault(guide=GUIDE, noticed_by=(OTHERS, NOBODY_ELSE))
def the_auditor_makes_codes() -> Change:
    """The auditor may make message authentication codes.

    To check codes the auditor was allowed both: to verify, and to make. Who can do both can change a record
    and make the code that fits.
    """
    statement = allow("Audit", "kms:GenerateMac", "kms:VerifyMac", to={"AWS": role(Persona.AUDITOR)})
    return KeyPolicy(MAC, add(statement))


@fault(guide=GUIDE, noticed_by=(TAMPERING,))
def codes_cannot_be_verified() -> Change:
    """Nobody may verify a message authentication code.

    GenerateMac was left, since codes are to be made; VerifyMac was forgotten. Codes are attached to every
    message, and nobody looks at them.
    """
    return KeyPolicy(MAC, drop_actions(MADE, "kms:VerifyMac"))


@fault(guide=GUIDE, noticed_by=(TAMPERING, OTHERS, "mac.code-is-repeatable"))
def nobody_makes_codes() -> Change:
    """Nobody may make message authentication codes any more.

    The owner's statement is gone from the key policy. Messages are sent without a code, and a receiver that
    is kind to missing codes takes them.
    """
    return KeyPolicy(MAC, drop(MADE))
