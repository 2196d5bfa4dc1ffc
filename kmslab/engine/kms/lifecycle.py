"""What happens to a key by the passing of time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kmslab.engine.authorization.grants import grants_of
from kmslab.engine.kms import records, transitions

if TYPE_CHECKING:
    from kmslab.engine.kms.records import KeyRecord

DAY = 86400.0


def advance(key: KeyRecord, now: float) -> KeyRecord | None:
    """Apply what has become due: a passing state's end, a deletion window's, expiry of material, automatic rotation.

    Args:
        key: the key as stored; changed in place.
        now: seconds since 1970.

    Returns: the key, or None when its deletion window has ended and it is gone.
    """
    transitions.settle(key, now)
    if key["KeyState"] == "PendingReplicaDeletion":
        _wait_for_replicas(key, now)
    state = key["KeyState"]
    if state == "PendingDeletion" and now >= key.get("DeletionDate", now + 1):
        _delete(key)
        return None
    if key["Origin"] == "EXTERNAL" and state != "PendingImport":
        _expire(key, now)
    else:
        _rotate_when_due(records.primary_of(key), now)
    return key


def next_rotation(key: KeyRecord) -> float:
    """When automatic rotation is due, seconds since 1970."""
    return key["rotation_start"] + key["RotationPeriodInDays"] * DAY


def _rotate_when_due(key: KeyRecord, now: float) -> None:
    from kmslab.engine.kms.rotation import rotate
    from kmslab.engine.state import changed

    while key.get("KeyRotationEnabled") and key["KeyState"] == "Enabled" and now >= next_rotation(key):
        due = next_rotation(key)
        rotate(key, "AUTOMATIC", due)
        key["rotation_start"] = due
        changed()


def _expire(key: KeyRecord, now: float) -> None:
    from kmslab.engine.kms.imported import forget_material

    for material in list(key.get("materials", [])):
        if material["key"] is not None and now >= material.get("valid_to", now + 1):
            forget_material(key, material)
    if now >= key.get("valid_to", now + 1) and not key.get("materials"):
        forget_material(key, None)


def _wait_for_replicas(primary: KeyRecord, now: float) -> None:
    """Start a primary's own waiting period once its last replica is gone."""
    for member in records.members(primary):
        if member is not primary:
            advance(member, now)
    if primary["regions"] == [primary["primary_region"]]:
        primary["KeyState"] = "PendingDeletion"
        primary["DeletionDate"] = round(now + primary["pending_window"] * DAY, 3)


def _delete(key: KeyRecord) -> None:
    from ministack.services import kms

    account, region = records.account_of(key), records.region_of(key)
    for member in records.members(key):
        if member is not key:
            member["regions"] = [name for name in member["regions"] if name != region]
    kms._keys.pop_scoped(account, region, key["KeyId"], None)
    for alias in records.alias_names(key):
        alias_arn = f"arn:aws:kms:{region}:{account}:{alias}"
        kms._aliases.pop_scoped(account, region, alias_arn, None)
        kms._alias_dates.pop_scoped(account, region, alias_arn, None)
    for grant in grants_of(key):
        kms._grants.pop_scoped(account, region, grant["GrantId"], None)
