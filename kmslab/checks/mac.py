"""Message authentication codes: a shared secret that nobody has to share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kmslab.checks.registry import check
from kmslab.model.capability import Capability
from kmslab.model.persona import Persona

if TYPE_CHECKING:
    from kmslab.lab import Lab

GUIDE = "06-asymmetric-and-envelope"
MESSAGE = b"amount=100;to=alice"
TAMPERED = b"amount=900;to=alice"
HMAC: dict[str, Any] = {"MacAlgorithm": "HMAC_SHA_256"}
MAC_BYTES = 32


@check(guide=GUIDE, needs={Capability.ASYMMETRIC})
def tampering_is_noticed(lab: Lab) -> str:
    """A code made by KMS verifies for its message and for no other.

    Whoever may verify asks KMS; the HMAC key itself is in nobody's hands. A changed message and a
    changed code are both refused.
    """
    key = lab.outputs.key_mac
    mac = _generate(lab)
    answer = lab.allowed(Persona.DATA_OWNER, "kms:VerifyMac", KeyId=key, Message=MESSAGE, Mac=mac, **HMAC)
    lab.expect(answer["MacValid"], "KMS does not accept its own code")
    changed = mac[:-1] + bytes([mac[-1] ^ 1])
    for message, code in ((TAMPERED, mac), (MESSAGE, changed)):
        lab.refused(
            Persona.DATA_OWNER,
            "kms:VerifyMac",
            codes={"KMSInvalidMacException"},
            KeyId=key,
            Message=message,
            Mac=code,
            **HMAC,
        )
    return "the code verifies; a changed message and a changed code are refused"


@check(guide=GUIDE, needs={Capability.ASYMMETRIC})
def code_is_repeatable(lab: Lab) -> str:
    """The same message always has the same code, 32 bytes for HMAC_256; another message has another."""
    first, again = _generate(lab), _generate(lab)
    other = _generate(lab, TAMPERED)
    lab.expect(first == again, "the same message gave two codes")
    lab.expect(first != other, "two messages gave the same code")
    lab.expect(len(first) == MAC_BYTES, f"the code has {len(first)} bytes, not {MAC_BYTES}")
    return "the same message gives the same 32 bytes, another message others"


@check(guide=GUIDE, needs={Capability.ASYMMETRIC, Capability.KEY_POLICIES, Capability.IAM})
def only_the_permitted_make_codes(lab: Lab) -> str:
    """Making a code needs the key: those without it are refused.

    Whoever can make a code can forge one, so the permission is as narrow as that to sign.
    """
    _generate(lab)
    others = (Persona.AUDITOR, Persona.STORAGE_OPERATOR, Persona.KEY_ADMINISTRATOR, Persona.OUTSIDER)
    for persona in others:
        lab.refused(
            persona,
            "kms:GenerateMac",
            by="kms:GenerateMac",
            KeyId=lab.outputs.key_mac,
            Message=MESSAGE,
            **HMAC,
        )
    return f"the data owner makes codes; {len(others)} other personas are refused"


def _generate(lab: Lab, message: bytes = MESSAGE) -> bytes:
    answer = lab.allowed(
        Persona.DATA_OWNER, "kms:GenerateMac", KeyId=lab.outputs.key_mac, Message=message, **HMAC
    )
    mac: bytes = answer["Mac"]
    return mac
