"""Message authentication codes: a shared secret that nobody has to share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kmslab.checks.registry import check
from kmslab.checks.temporary import scratch_key_of_kind
from kmslab.model.capability import DECIDING, Capability
from kmslab.model.persona import Persona

if TYPE_CHECKING:
    from kmslab.lab import Lab

GUIDE = "08-asymmetric"
OPERATOR = Persona.OPERATOR
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


@check(guide=GUIDE, needs=DECIDING | {Capability.ASYMMETRIC})
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


@check(guide=GUIDE, needs={Capability.ASYMMETRIC}, changes_keys=True)
def every_hash_has_its_length(lab: Lab) -> str:
    """HMAC keys come in four lengths, each for one hash: the code is as long as the hash.

    A key of one length takes no algorithm of another (InvalidKeyUsageException).
    """
    seen = []
    for bits in (224, 384, 512):
        key = scratch_key_of_kind(lab, f"HMAC_{bits}", "GENERATE_VERIFY_MAC")
        call: dict[str, Any] = {"KeyId": key, "MacAlgorithm": f"HMAC_SHA_{bits}", "Message": MESSAGE}
        mac = lab.allowed(OPERATOR, "kms:GenerateMac", **call)["Mac"]
        lab.expect(len(mac) == bits // 8, f"the code of HMAC_{bits} has {len(mac)} bytes, not {bits // 8}")
        answer = lab.allowed(OPERATOR, "kms:VerifyMac", Mac=mac, **call)
        lab.expect(answer["MacValid"], f"KMS does not accept its own code of HMAC_{bits}")
        lab.refused(
            OPERATOR,
            "kms:GenerateMac",
            codes={"InvalidKeyUsageException"},
            **{**call, "MacAlgorithm": "HMAC_SHA_256"},
        )
        seen.append(f"HMAC_{bits} {len(mac)} bytes")
    return ", ".join(seen) + "; HMAC_SHA_256 is refused by each"


def _generate(lab: Lab, message: bytes = MESSAGE) -> bytes:
    answer = lab.allowed(
        Persona.DATA_OWNER, "kms:GenerateMac", KeyId=lab.outputs.key_mac, Message=message, **HMAC
    )
    mac: bytes = answer["Mac"]
    return mac
