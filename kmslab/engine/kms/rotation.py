"""Rotation: automatic, on demand, and its history. Source: KMS Developer Guide, "Rotate AWS KMS keys".

New material encrypts from now on; what older material encrypted still opens, since the ciphertext names it.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from kmslab.engine.kms import lifecycle, material, records, specs, transitions
from kmslab.engine.kms.errors import KmsError, unsupported
from kmslab.engine.kms.imported import summarize_expiry
from kmslab.engine.kms.paging import page
from kmslab.engine.kms.service import Call, operation

if TYPE_CHECKING:
    from kmslab.engine.kms.records import KeyRecord, Material

_LEAVING = frozenset({"PendingDeletion", "PendingReplicaDeletion"})
_CONFLICT_SECONDS = 20 * 60.0
"""Before an automatic rotation, and while it is in progress, there is none on demand (botocore model,
ConflictException)."""
_IMPORTED_DETAILS = {
    "description": "KeyMaterialDescription",
    "expiration_model": "ExpirationModel",
    "valid_to": "ValidTo",
}


def rotate(key: KeyRecord, kind: str, when: float, fresh: Material | None = None) -> None:
    """Make new material current in the key and its multi-Region relatives.

    Args:
        key: a symmetric key.
        kind: AUTOMATIC or ON_DEMAND.
        when: seconds since 1970.
        fresh: the material, which imported keys have already; new random bytes when None.
    """
    fresh = fresh or material.new_material(key["KeyId"])
    for member in records.members(key):
        for old in member["materials"]:
            if old["state"] == "CURRENT":
                old["state"] = "NON_CURRENT"
        own = next((item for item in member["materials"] if item["id"] == fresh["id"]), fresh)
        mine: Material = {**own, "state": "CURRENT", "rotated": round(when, 3), "rotation": kind}
        member["materials"] = [item for item in member["materials"] if item["id"] != mine["id"]] + [mine]


def _rotatable(call: Call, *, origins: tuple[str, ...] = ("AWS_KMS",)) -> KeyRecord:
    key = call.key(aliases_allowed=False)
    if key["KeyManager"] == "AWS":
        raise KmsError(
            "AccessDeniedException", f"{key['Arn']} is an AWS managed key: AWS rotates it every year."
        )
    if key["Origin"] not in origins:
        raise unsupported(f"{key['Arn']} origin is {key['Origin']} which is not valid for this operation.")
    records.require_state(key)
    if not records.is_symmetric(key):
        # KMS gives no reason (seen in public reports of both operations, and in LocalStack's validated tests).
        raise unsupported("")
    if records.is_replica(key):
        raise unsupported(f"{key['Arn']} is a replica: rotation is set on the primary key.")
    return key


@operation("EnableKeyRotation")
def enable_key_rotation(call: Call) -> dict[str, Any]:
    """Rotate every so many days from now; symmetric keys with AWS_KMS origin only."""
    key = _rotatable(call)
    # The period counts from the time rotation was enabled; a later change of the period does not restart it.
    if not key.get("KeyRotationEnabled"):
        key["rotation_start"] = round(time.time(), 3)
    key["KeyRotationEnabled"] = True
    key["RotationPeriodInDays"] = call.get("RotationPeriodInDays", specs.DEFAULT_ROTATION_DAYS)
    return {}


@operation("DisableKeyRotation")
def disable_key_rotation(call: Call) -> dict[str, Any]:
    """Stop automatic rotation."""
    key = _rotatable(call)
    key["KeyRotationEnabled"] = False
    return {}


@operation("GetKeyRotationStatus")
def get_key_rotation_status(call: Call) -> dict[str, Any]:
    """Whether and when the key rotates by itself; never in a deletion window.

    A key that is not a symmetric encryption key answers that it does not rotate, although the API reference
    speaks of UnsupportedOperationException (seen on AWS in 2020: ansible-collections/community.aws, pull request 311).
    """
    key = call.key(aliases_allowed=False)
    primary = records.primary_of(key)
    enabled = bool(primary.get("KeyRotationEnabled")) and key["KeyState"] not in _LEAVING
    answer: dict[str, Any] = {"KeyId": key["Arn"], "KeyRotationEnabled": enabled}
    if enabled:
        answer["RotationPeriodInDays"] = primary["RotationPeriodInDays"]
        answer["NextRotationDate"] = lifecycle.next_rotation(primary)
    started = primary.get("on_demand_started", 0.0)
    if time.time() < started + transitions.SECONDS:
        answer["OnDemandRotationStartDate"] = started
    return answer


@operation("RotateKeyOnDemand")
def rotate_key_on_demand(call: Call) -> dict[str, Any]:
    """Rotate now; 25 times in the life of a key. An imported key takes its pending material.

    The new material counts at once. For the moment in which AWS would still be at it, GetKeyRotationStatus shows
    when it began.
    """
    key = _rotatable(call, origins=("AWS_KMS", "EXTERNAL"))
    now = time.time()
    if key.get("KeyRotationEnabled") and lifecycle.next_rotation(key) - now <= _CONFLICT_SECONDS:
        raise KmsError(
            "ConflictException", f"An automatic rotation of {key['Arn']} is about to begin or in progress."
        )
    done = sum(item.get("rotation") == "ON_DEMAND" for item in key["materials"])
    if done >= specs.ON_DEMAND_ROTATIONS:
        raise KmsError(
            "LimitExceededException",
            "The on-demand rotations limit has been reached for the given keyId. "
            f"No more on-demand rotations can be performed for this key: {key['Arn']}",
        )
    pending = None
    if key["Origin"] == "EXTERNAL":
        pending = next((item for item in key["materials"] if item["state"] == "PENDING_ROTATION"), None)
        if pending is None:
            raise KmsError(
                "KMSInvalidStateException",
                f"No available key material pending rotation for the key: {key['Arn']}.",
            )
    rotate(key, "ON_DEMAND", now, pending)
    key["on_demand_started"] = round(now, 3)
    summarize_expiry(key)
    # The ARN, although the API reference's example shows a key id (LocalStack's
    # test_rotate_on_demand_returns_arn_for_key_id, validated against AWS on 2025-11-06).
    return {"KeyId": key["Arn"]}


@operation("ListKeyRotations")
def list_key_rotations(call: Call) -> dict[str, Any]:
    """The key's completed rotations, or all its material with IncludeKeyMaterial."""
    key = call.key(aliases_allowed=False)
    if not records.is_symmetric(key):
        raise unsupported("")
    everything = call.get("IncludeKeyMaterial") == "ALL_KEY_MATERIAL"
    found = [_entry(key, item) for item in key.get("materials", []) if everything or "rotated" in item]
    return page(call, found, "Rotations", default=100)


def _entry(key: KeyRecord, item: Material) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "KeyId": key["KeyId"],
        "KeyMaterialId": item["id"],
        "KeyMaterialState": item["state"],
    }
    if "rotated" in item:
        entry.update(RotationDate=item["rotated"], RotationType=item["rotation"])
    if key["Origin"] == "EXTERNAL":
        details: dict[str, Any] = dict(item)
        entry["ImportState"] = "PENDING_IMPORT" if item["key"] is None else "IMPORTED"
        entry.update({shown: details[name] for name, shown in _IMPORTED_DETAILS.items() if name in details})
    return entry
