"""GenerateMac and VerifyMac."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING, Any

from kmslab.engine.kms import specs
from kmslab.engine.kms.encryption import note_use, require_algorithm, require_usage
from kmslab.engine.kms.errors import KmsError
from kmslab.engine.kms.service import Call, operation

if TYPE_CHECKING:
    from kmslab.engine.kms.records import KeyRecord


def _mac(call: Call) -> tuple[KeyRecord, bytes]:
    key = call.key()
    require_usage(key, call, specs.GENERATE_VERIFY_MAC)
    require_algorithm(key, call.get("MacAlgorithm"))
    digest = f"sha{call.get('MacAlgorithm').removeprefix('HMAC_SHA_')}"
    return key, hmac.digest(key["hmac_key"], call.get("Message"), digest)


@operation("GenerateMac")
def generate_mac(call: Call) -> dict[str, Any]:
    """The HMAC of a message of up to 4,096 bytes."""
    key, mac = _mac(call)
    call.end_of_dry_run()
    note_use(key, call)
    return {"Mac": mac, "MacAlgorithm": call.get("MacAlgorithm"), "KeyId": key["Arn"]}


@operation("VerifyMac")
def verify_mac(call: Call) -> dict[str, Any]:
    """Verify an HMAC; a wrong one is an error, not ``false``."""
    key, mac = _mac(call)
    if not hmac.compare_digest(mac, call.get("Mac")):
        raise KmsError("KMSInvalidMacException")
    call.end_of_dry_run()
    note_use(key, call)
    return {"KeyId": key["Arn"], "MacValid": True, "MacAlgorithm": call.get("MacAlgorithm")}
