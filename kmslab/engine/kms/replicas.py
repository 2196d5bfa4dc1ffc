"""Multi-Region keys: the same id and material in several Regions, each with its own policy, tags and state."""

from __future__ import annotations

import copy
import time
from typing import TYPE_CHECKING, Any

from kmslab.engine.kms import policies, records, tags
from kmslab.engine.kms.errors import KmsError, unsupported
from kmslab.engine.kms.keys import metadata
from kmslab.engine.kms.service import Call, operation

if TYPE_CHECKING:
    from kmslab.engine.kms.records import KeyRecord

_OWN = ("Tags", "Description", "DeletionDate", "pending_window", "imports", "last_usage")
"""What a replica does not take from its primary."""


@operation("ReplicateKey")
def replicate_key(call: Call) -> dict[str, Any]:
    """Make a related key in another Region of the partition."""
    from ministack.core.responses import request_scope

    primary = call.key(aliases_allowed=False)
    region: str = call.get("ReplicaRegion")
    if not primary.get("MultiRegion"):
        raise unsupported(f"{primary['Arn']} is not a multi-Region key.")
    if records.region_of(primary) != primary["primary_region"]:
        raise unsupported(f"{primary['Arn']} is not a primary key.")
    records.require_state(primary)
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
        records.store()[replica["KeyId"]] = replica
    regions = [*primary["regions"], region]
    for member in (*records.members(primary), replica):
        member["regions"] = list(regions)
    return {
        "ReplicaKeyMetadata": metadata(replica),
        "ReplicaPolicy": replica["Policy"],
        "ReplicaTags": replica["Tags"],
    }


def _copy(primary: KeyRecord, region: str) -> KeyRecord:
    replica: KeyRecord = copy.deepcopy(primary)
    for name in _OWN:
        replica.pop(name, None)  # type: ignore[misc]  # the names are literals of KeyRecord, in a loop
    fields = primary["Arn"].split(":")
    fields[3] = region
    replica["Arn"] = ":".join(fields)
    replica["CreationDate"] = round(time.time(), 3)
    if primary["Origin"] == "EXTERNAL":
        # The same material is imported into each member.
        for name in ("materials", "private_key", "public_key", "hmac_key"):
            replica.pop(name, None)  # type: ignore[misc]  # the names are literals of KeyRecord, in a loop
        records.set_state(replica, "PendingImport")
    return replica


@operation("UpdatePrimaryRegion")
def update_primary_region(call: Call) -> dict[str, Any]:
    """Let a replica become the primary."""
    primary = call.key(aliases_allowed=False)
    region: str = call.get("PrimaryRegion")
    if not primary.get("MultiRegion") or records.region_of(primary) != primary["primary_region"]:
        raise unsupported(f"{primary['Arn']} is not a multi-Region primary key.")
    records.require_state(primary)
    replica = records.store().get_scoped(records.account_of(primary), region, primary["KeyId"])
    if replica is None or region == primary["primary_region"]:
        raise KmsError("NotFoundException", f"{primary['KeyId']} has no replica in {region}.")
    records.require_state(replica)
    for member in records.members(primary):
        member["primary_region"] = region
    return {}
