"""Keys: creation, description, states, deletion, public keys."""

from __future__ import annotations

import time
import uuid
from typing import TYPE_CHECKING, Any

from kmslab.engine.kms import material, policies, records, specs, tags
from kmslab.engine.kms.errors import KmsError, invalid, unsupported
from kmslab.engine.kms.paging import page
from kmslab.engine.kms.service import Call, operation
from kmslab.engine.kms.validation import breaks

if TYPE_CHECKING:
    from kmslab.engine.kms.records import KeyRecord

_SECONDS_A_DAY = 86400
_NO_KEY_STORE = frozenset({"AWS_CLOUDHSM", "EXTERNAL_KEY_STORE"})


@operation("CreateKey")
def create_key(call: Call) -> dict[str, Any]:
    """Make a key; an EXTERNAL one waits for its material."""
    origin = call.get("Origin", "AWS_KMS")
    if origin in _NO_KEY_STORE or call.get("CustomKeyStoreId") or call.get("XksKeyId"):
        raise unsupported("Custom key stores do not exist on the local engine.")
    spec, usage = _spec_and_usage(call)
    tags.check(call.get("Tags", []))
    call.allow_without_key()
    if call.get("Tags"):
        call.allow_without_key(permission="TagResource")
    key = new_key(
        spec=spec.name,
        usage=usage,
        origin=origin,
        description=call.get("Description", ""),
        multi_region=call.get("MultiRegion", False),
        tag_list=call.get("Tags", []),
    )
    key["Policy"] = policies.accepted(call, call.get("Policy"), key["Arn"])
    if origin == "EXTERNAL":
        records.set_state(key, "PendingImport")
    else:
        material.generate(key)
    records.store()[key["KeyId"]] = key
    call.keys.append(key)
    return {"KeyMetadata": metadata(key)}


def _spec_and_usage(call: Call) -> tuple[specs.KeySpec, str]:
    given = call.get("KeySpec") or call.get("CustomerMasterKeySpec")
    if call.get("KeySpec") and call.get("CustomerMasterKeySpec"):
        raise invalid(
            "You cannot specify KeySpec and CustomerMasterKeySpec in the same request. CustomerMasterKeySpec is "
            "deprecated."
        )
    spec = specs.KEY_SPECS.get(given or specs.SYMMETRIC)
    if spec is None:
        raise unsupported(f"KeySpec {given} is only supported in China Regions.")
    usage = call.get("KeyUsage")
    if usage is None and spec.name != specs.SYMMETRIC:
        raise invalid(
            "You must specify a KeyUsage value for all KMS keys except for symmetric encryption keys."
        )
    usage = usage or specs.ENCRYPT_DECRYPT
    if usage not in spec.usages:
        raise invalid(f"KeyUsage {usage} is not compatible with KeySpec {spec.name}")
    return spec, usage


def new_key(
    *,
    spec: str,
    usage: str,
    origin: str = "AWS_KMS",
    description: str = "",
    multi_region: bool = False,
    tag_list: list[dict[str, str]] | None = None,
) -> KeyRecord:
    """A record without policy and material, not yet stored."""
    from ministack.core.responses import get_region

    key_id = f"mrk-{uuid.uuid4().hex}" if multi_region else str(uuid.uuid4())
    key: KeyRecord = {
        "KeyId": key_id,
        "Arn": records.arn(f"key/{key_id}"),
        "KeyState": "Enabled",
        "Enabled": True,
        "KeySpec": spec,
        "KeyUsage": usage,
        "KeyManager": "CUSTOMER",
        "Description": description,
        "CreationDate": round(time.time(), 3),
        "Origin": origin,
        "Tags": list(tag_list or []),
        "MultiRegion": multi_region,
    }
    if multi_region:
        key["primary_region"] = get_region()
        key["regions"] = [get_region()]
    return key


_METADATA = (
    "KeyId",
    "Arn",
    "CreationDate",
    "Enabled",
    "Description",
    "KeyUsage",
    "KeyState",
    "Origin",
    "KeyManager",
    "KeySpec",
    "MultiRegion",
)


def metadata(key: KeyRecord) -> dict[str, Any]:
    """KeyMetadata as the API reference gives it: members that do not apply to the key are absent."""
    record: dict[str, Any] = dict(key)
    shown = {name: record[name] for name in _METADATA}
    shown["AWSAccountId"] = records.account_of(key)
    shown["CustomerMasterKeySpec"] = key["KeySpec"]
    shown[specs.ALGORITHM_MEMBER[key["KeyUsage"]]] = list(records.spec_of(key).usages[key["KeyUsage"]])
    if key["KeyState"] == "PendingDeletion":
        shown["DeletionDate"] = key["DeletionDate"]
    if key["KeyState"] == "PendingReplicaDeletion":
        shown["PendingDeletionWindowInDays"] = key["pending_window"]
    if records.is_symmetric(key):
        # Also while imported material is away: it is bound to the key (API reference, KeyMetadata).
        current = next((item for item in key.get("materials", []) if item["state"] == "CURRENT"), None)
        if current:
            shown["CurrentKeyMaterialId"] = current["id"]
    if key["Origin"] == "EXTERNAL" and "expiration_model" in key and key["KeyState"] != "PendingImport":
        shown["ExpirationModel"] = key["expiration_model"]
        if "valid_to" in key:
            shown["ValidTo"] = key["valid_to"]
    if key.get("MultiRegion"):
        shown["MultiRegionConfiguration"] = _multi_region(key)
    return shown


def _multi_region(key: KeyRecord) -> dict[str, Any]:
    account, primary = records.account_of(key), key["primary_region"]

    def member(region: str) -> dict[str, str]:
        return {"Arn": f"arn:aws:kms:{region}:{account}:key/{key['KeyId']}", "Region": region}

    return {
        "MultiRegionKeyType": "PRIMARY" if records.region_of(key) == primary else "REPLICA",
        "PrimaryKey": member(primary),
        "ReplicaKeys": [member(region) for region in key["regions"] if region != primary],
    }


@operation("DescribeKey")
def describe_key(call: Call) -> dict[str, Any]:
    """Metadata of a key in any state."""
    return {"KeyMetadata": metadata(call.key())}


@operation("ListKeys")
def list_keys(call: Call) -> dict[str, Any]:
    """The account's keys in the Region."""
    call.allow_without_key()
    entries = [{"KeyId": key["KeyId"], "KeyArn": key["Arn"]} for key in records.every_key()]
    return page(call, entries, "Keys", default=100)


@operation("EnableKey")
def enable_key(call: Call) -> dict[str, Any]:
    """Disabled to Enabled; a key whose imported material is away waits for it."""
    key = _customer_key(call)
    records.require_state(key, "Disabled")
    records.set_state(key, "Enabled" if _has_material(key) else "PendingImport")
    return {}


def _has_material(key: KeyRecord) -> bool:
    if not records.is_symmetric(key):
        return "hmac_key" in key or "private_key" in key
    bound = [item for item in key.get("materials", []) if item["state"] != "PENDING_ROTATION"]
    return bool(bound) and all(item["key"] is not None for item in bound)


@operation("DisableKey")
def disable_key(call: Call) -> dict[str, Any]:
    """Enabled to Disabled: nothing can use the key until it is enabled again."""
    key = _customer_key(call)
    records.require_state(key, "Disabled")
    records.set_state(key, "Disabled")
    return {}


@operation("UpdateKeyDescription")
def update_key_description(call: Call) -> dict[str, Any]:
    """Another description; not in a deletion window."""
    key = _customer_key(call)
    records.require_state(key, "Disabled", "PendingImport", "Unavailable", "Updating")
    key["Description"] = call.get("Description")
    return {}


@operation("ScheduleKeyDeletion")
def schedule_key_deletion(call: Call) -> dict[str, Any]:
    """Start the waiting period; a multi-Region primary first waits for its replicas."""
    days: int = call.get("PendingWindowInDays", 30)
    # The model's shape says 1 to 365; the API reference, 7 to 30.
    if days not in specs.DELETION_DAYS:
        short = days < specs.DELETION_DAYS.start
        rule = "greater than or equal to 7" if short else "less than or equal to 30"
        raise breaks("pendingWindowInDays", days, f"Member must have value {rule}")
    key = _customer_key(call, aliases_allowed=False)
    records.require_state(key, "Disabled", "PendingImport", "Unavailable")
    key["pending_window"] = days
    waits = (
        bool(key.get("MultiRegion"))
        and records.region_of(key) == key["primary_region"]
        and len(key["regions"]) > 1
    )
    records.set_state(key, "PendingReplicaDeletion" if waits else "PendingDeletion")
    answer: dict[str, Any] = {"KeyId": key["Arn"], "KeyState": key["KeyState"], "PendingWindowInDays": days}
    if not waits:
        key["DeletionDate"] = answer["DeletionDate"] = round(time.time() + days * _SECONDS_A_DAY, 3)
    return answer


@operation("CancelKeyDeletion")
def cancel_key_deletion(call: Call) -> dict[str, Any]:
    """End the waiting period; the key stays Disabled."""
    key = _customer_key(call, aliases_allowed=False)
    if key["KeyState"] not in ("PendingDeletion", "PendingReplicaDeletion"):
        raise KmsError("KMSInvalidStateException", f"{key['Arn']} is not pending deletion.")
    records.set_state(key, "Disabled")
    key.pop("DeletionDate", None)
    key.pop("pending_window", None)
    return {"KeyId": key["Arn"]}


@operation("GetPublicKey")
def get_public_key(call: Call) -> dict[str, Any]:
    """The public part of an asymmetric key, for use outside AWS."""
    key = call.key()
    if not records.spec_of(key).asymmetric:
        raise unsupported(f"{key['Arn']} is not an asymmetric KMS key.")
    records.require_state(key)
    usage = key["KeyUsage"]
    return {
        "KeyId": key["Arn"],
        "PublicKey": key["public_key"],
        "CustomerMasterKeySpec": key["KeySpec"],
        "KeySpec": key["KeySpec"],
        "KeyUsage": usage,
        specs.ALGORITHM_MEMBER[usage]: list(records.spec_of(key).usages[usage]),
    }


@operation("GetKeyLastUsage")
def get_key_last_usage(call: Call) -> dict[str, Any]:
    """When the key was last used for cryptography; the engine tracks from the key's creation."""
    key = call.key(aliases_allowed=False)
    answer: dict[str, Any] = {
        "KeyId": key["Arn"],
        "KeyCreationDate": key["CreationDate"],
        "TrackingStartDate": key["CreationDate"],
    }
    if "last_usage" in key:
        answer["KeyLastUsage"] = key["last_usage"]
    return answer


def _customer_key(call: Call, *, aliases_allowed: bool = False) -> KeyRecord:
    key = call.key(aliases_allowed=aliases_allowed)
    if key["KeyManager"] == "AWS":
        raise KmsError(
            "AccessDeniedException",
            f"{key['Arn']} is an AWS managed key: {call.operation} is not permitted on it.",
        )
    return key
