"""Multi-Region keys: the same id and material in several Regions, each with its own policy, tags and state."""

from __future__ import annotations

import copy
import time
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from kmslab.engine.kms import imported, policies, records, tags, transitions
from kmslab.engine.kms.errors import KmsError, unsupported
from kmslab.engine.kms.keys import metadata
from kmslab.engine.kms.service import Call, operation

if TYPE_CHECKING:
    from kmslab.engine.kms.records import KeyRecord

_PARTITION = "aws"
_OWN = ("Tags", "Description", "DeletionDate", "pending_window", "imports", "last_usage", "on_demand_started")
"""What a replica does not take from its primary."""
_ROTATION = ("KeyRotationEnabled", "RotationPeriodInDays", "rotation_start", "on_demand_started")
"""What the primary keeps for its whole set."""


@operation("ReplicateKey")
def replicate_key(call: Call) -> dict[str, Any]:
    """Make a related key in another Region of the partition; it is Creating at first."""
    from ministack.core.responses import request_scope

    primary = _primary(call)
    region: str = call.get("ReplicaRegion")
    records.require_state(primary)
    if region not in _regions():
        raise unsupported(f"{region} is not a Region of the partition {_PARTITION}.")
    if region in primary["regions"]:
        raise KmsError("AlreadyExistsException", f"{primary['KeyId']} exists already in {region}.")
    tags.check(call.get("Tags", []))
    account = records.account_of(primary)
    with request_scope(account, region):
        call.allow_without_key(permission="CreateKey")
        replica = _copy(primary, region)
        replica["Description"] = call.get("Description", "")
        replica["Tags"] = list(call.get("Tags", []))
        replica["Policy"] = policies.accepted(call, call.get("Policy"), replica["Arn"])
        transitions.begin(replica, "Creating")
        records.store()[replica["KeyId"]] = replica
    regions = [*primary["regions"], region]
    for member in (*records.members(primary), replica):
        member["regions"] = list(regions)
    answer = {"ReplicaKeyMetadata": metadata(replica), "ReplicaPolicy": replica["Policy"]}
    return {**answer, "ReplicaTags": replica["Tags"]} if replica["Tags"] else answer


@lru_cache(maxsize=1)
def _regions() -> frozenset[str]:
    """The Regions of the engine's partition, as botocore knows them."""
    from botocore.loaders import create_loader

    partitions = create_loader().load_data("partitions")["partitions"]
    return frozenset(next(one["regions"] for one in partitions if one["id"] == _PARTITION))


def _primary(call: Call) -> KeyRecord:
    key = call.key(aliases_allowed=False)
    if not key.get("MultiRegion") or records.is_replica(key):
        raise unsupported(f"{key['Arn']} is not a multi-region primary key.")
    return key


def _copy(primary: KeyRecord, region: str) -> KeyRecord:
    replica: KeyRecord = copy.deepcopy(primary)
    for name in (*_OWN, *_ROTATION):
        replica.pop(name, None)  # type: ignore[misc]  # the names are literals of KeyRecord, in a loop
    fields = primary["Arn"].split(":")
    fields[3] = region
    replica["Arn"] = ":".join(fields)
    replica["CreationDate"] = round(time.time(), 3)
    if primary["Origin"] == "EXTERNAL":
        # The same material is imported into each member; which it must be is known.
        for name in ("private_key", "public_key", "hmac_key", "expiration_model", "valid_to"):
            replica.pop(name, None)  # type: ignore[misc]  # the names are literals of KeyRecord, in a loop
        if "materials" in replica:
            replica["materials"] = [imported.awaited(item) for item in replica["materials"]]
        records.set_state(replica, "PendingImport")
    return replica


@operation("UpdatePrimaryRegion")
def update_primary_region(call: Call) -> dict[str, Any]:
    """Let a replica become the primary; both are Updating at first, and can be used all the while."""
    from ministack.core.responses import request_scope

    primary = _primary(call)
    region: str = call.get("PrimaryRegion")
    records.require_state(primary)
    account = records.account_of(primary)
    replica: KeyRecord | None = records.fresh(records.store().get_scoped(account, region, primary["KeyId"]))
    if replica is None or replica is primary:
        raise KmsError("NotFoundException", f"{primary['KeyId']} has no replica in {region}.")
    with request_scope(account, region):
        call.allow(replica)
    records.require_state(replica)
    for member in records.members(primary):
        member["primary_region"] = region
    for name in _ROTATION:
        if name in primary:
            replica[name] = primary.pop(name)  # type: ignore[literal-required,misc]  # literals of KeyRecord, in a loop
    for member in (primary, replica):
        transitions.begin(member, "Updating")
    return {}
