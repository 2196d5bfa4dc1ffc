"""Encryption by default: the account's setting per Region, and the key that EBS then uses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ministack.services import ec2

from kmslab.engine.ebs.keys import MANAGED_KEY
from kmslab.engine.ebs.store import SETTINGS
from kmslab.engine.hooks import add_entry
from kmslab.engine.kms import records

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kmslab.engine.ebs.keys import Response

UNBLOCKED = "unblocked"
BLOCKING = ("block-all-sharing", "block-new-sharing")


def encrypted_by_default() -> bool:
    """Whether every new volume and snapshot copy of the Region is encrypted."""
    return bool(SETTINGS.get("encrypted_by_default", False))


def default_key() -> str:
    """The key for what names none: the account's choice, else ``alias/aws/ebs``."""
    return str(SETTINGS.get("default_key") or MANAGED_KEY)


def _encryption_by_default(p: Mapping[str, Any]) -> Response:
    """Enable, disable and tell encryption by default."""
    action = ec2._p(p, "Action")
    if not action.startswith("Get"):
        SETTINGS["encrypted_by_default"] = action.startswith("Enable")
    return _answer(action, "ebsEncryptionByDefault", str(encrypted_by_default()).lower())


def _default_kms_key_id(p: Mapping[str, Any]) -> Response:
    """Change, reset and tell the default key."""
    action = ec2._p(p, "Action")
    if action == "ModifyEbsDefaultKmsKeyId":
        if not ec2._p(p, "KmsKeyId"):
            missing: Response = ec2._error(
                "MissingParameter", "The request must contain the parameter KmsKeyId", 400
            )
            return missing
        key = records.resolve(ec2._p(p, "KmsKeyId"))
        if key is None or not records.is_symmetric(key):
            refused: Response = ec2._error(
                "InvalidKMSKey.NotFound", "The KMS key does not exist or is asymmetric.", 400
            )
            return refused
        SETTINGS["default_key"] = key["Arn"]
    elif action == "ResetEbsDefaultKmsKeyId":
        SETTINGS.pop("default_key", None)
    key = records.resolve(default_key())
    return _answer(action, "kmsKeyId", key["Arn"] if key else default_key())


def _snapshot_block_public_access(p: Mapping[str, Any]) -> Response:
    """Refuse, allow and tell public sharing of snapshots."""
    action = ec2._p(p, "Action")
    if action.startswith("Enable"):
        state = ec2._p(p, "State")
        if state not in BLOCKING:
            code = "InvalidParameterValue" if state else "MissingParameter"
            words = f"The value '{state}' is not valid" if state else "The request must contain the parameter"
            refused: Response = ec2._error(code, f"{words} for State.", 400)
            return refused
        SETTINGS["block_public_access"] = state
    elif action.startswith("Disable"):
        SETTINGS["block_public_access"] = UNBLOCKED
    told = f"<state>{public_access()}</state>"
    if action.startswith("Get"):
        told += "<managedBy>account</managedBy>"
    response: Response = ec2._xml(200, f"{action}Response", told)
    return response


def public_access() -> str:
    """The state of block public access for snapshots: `UNBLOCKED` or one of `BLOCKING`."""
    return str(SETTINGS.get("block_public_access") or UNBLOCKED)


def _answer(action: str, element: str, value: str) -> Response:
    response: Response = ec2._xml(200, f"{action}Response", f"<{element}>{value}</{element}>")
    return response


def install() -> None:
    """Serve the operations, which MiniStack lacks."""
    for verb in ("Enable", "Disable", "Get"):
        suffix = "State" if verb == "Get" else ""
        add_entry(
            ec2,
            "_ACTION_MAP",
            f"{verb}SnapshotBlockPublicAccess{suffix}",
            _snapshot_block_public_access,
            "public sharing of snapshots",
        )
        add_entry(
            ec2,
            "_ACTION_MAP",
            f"{verb}EbsEncryptionByDefault",
            _encryption_by_default,
            "encryption by default",
        )
    for verb in ("Get", "Modify", "Reset"):
        add_entry(ec2, "_ACTION_MAP", f"{verb}EbsDefaultKmsKeyId", _default_kms_key_id, "the default key")
