"""Drift of keys, aliases, buckets, secrets, topics' keys and volumes: what they are now, in the template's shape.

CloudFormation User Guide, "Detect unmanaged configuration changes": only properties that the template sets are
compared, and ``DetectStackDrift``, ``DetectStackResourceDrift`` and ``DescribeStackResourceDrifts`` are
MiniStack's. A key that waits for its deletion counts as deleted.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from xml.etree.ElementTree import Element, fromstring

from ministack.services import ec2, s3
from ministack.services.cloudformation import drift

from kmslab.engine import hooks
from kmslab.engine.cloudformation.resources import call
from kmslab.engine.kms import records
from kmslab.engine.secretsmanager import records as secrets

if TYPE_CHECKING:
    from collections.abc import Callable

    from kmslab.engine.cloudformation.resources import Properties

    Reader = Callable[[str, Properties], Properties | None]

LEAVING = ("PendingDeletion", "PendingReplicaDeletion")
LISTS = ("Rule", "EncryptionType")
"""Elements of bucket configurations that are lists in a template."""


def _key(physical_id: str, _properties: Properties) -> Properties | None:
    key = records.resolve(physical_id)
    if key is None or key["KeyState"] in LEAVING:
        return None
    rotates = bool(key.get("KeyRotationEnabled"))
    period = {"RotationPeriodInDays": key["RotationPeriodInDays"]} if rotates else {}
    return {
        **{name: key[name] for name in ("KeySpec", "KeyUsage", "Origin")},
        "Description": key.get("Description", ""),
        "MultiRegion": bool(key.get("MultiRegion")),
        "Enabled": key["KeyState"] != "Disabled",
        "EnableKeyRotation": rotates,
        "KeyPolicy": json.loads(key["Policy"]),
        "Tags": [{"Key": tag["TagKey"], "Value": tag["TagValue"]} for tag in key["Tags"]],
        **period,
    }


def _alias(physical_id: str, properties: Properties) -> Properties | None:
    key = records.resolve(physical_id)
    if key is None:
        return None
    wanted = records.resolve(str(properties.get("TargetKeyId", "")))
    same = wanted is not None and wanted["Arn"] == key["Arn"]
    return {"AliasName": physical_id, "TargetKeyId": properties["TargetKeyId"] if same else key["KeyId"]}


def _bucket(physical_id: str, properties: Properties) -> Properties | None:
    found: dict[str, Any] | None = drift._read_s3_bucket(physical_id, properties)
    if found is None:
        return None
    found["Tags"] = s3._bucket_tags.get(physical_id) or {}
    rules = _configuration(s3._get_bucket_encryption, physical_id).get("Rule")
    if rules:
        renamed = [
            {
                ("ServerSideEncryptionByDefault" if name.startswith("Apply") else name): value
                for name, value in rule.items()
            }
            for rule in rules
        ]
        shown = {"ServerSideEncryptionConfiguration": renamed}
        found["BucketEncryption"] = _as_asked(properties.get("BucketEncryption"), shown)
    if blocked := _configuration(s3._get_public_access_block, physical_id):
        found["PublicAccessBlockConfiguration"] = blocked
    if ownership := _configuration(s3._get_bucket_ownership_controls, physical_id).get("Rule"):
        found["OwnershipControls"] = {"Rules": ownership}
    return found


def _configuration(operation: Callable[[Any], Any], bucket: str) -> dict[str, Any]:
    """What a GET of a bucket's configuration answers; empty when there is none."""
    text = call(operation, bucket, missing_is_fine=True)
    # S314: the engine wrote it.
    members = _members(fromstring(text)) if text else {}  # noqa: S314
    return members if isinstance(members, dict) else {}


def _members(element: Element) -> Any:
    if not len(element):
        text = element.text or ""
        return text == "true" if text in ("true", "false") else text
    found: dict[str, Any] = {}
    for child in element:
        name, value = child.tag.rpartition("}")[2], _members(child)
        found[name] = [*found.get(name, []), value] if name in LISTS else value
    return found


def _as_asked(expected: Any, actual: Any) -> Any:
    """Leave out what the template does not set: S3 tells defaults that nobody asked for."""
    if isinstance(expected, dict) and isinstance(actual, dict):
        return {name: _as_asked(expected[name], actual[name]) for name in expected if name in actual}
    if isinstance(expected, list) and isinstance(actual, list) and len(expected) == len(actual):
        return [_as_asked(*pair) for pair in zip(expected, actual, strict=True)]
    return actual


def _secret(physical_id: str, _properties: Properties) -> Properties | None:
    secret = secrets.look_up(physical_id)
    if secret is None or "DeletedDate" in secret:
        return None
    shown = {name: secret.get(name, "") for name in ("Name", "Description", "KmsKeyId", "Tags")}
    return {**shown, "Tags": secret.get("Tags", [])}


def _volume(physical_id: str, _properties: Properties) -> Properties | None:
    volume = ec2._volumes.get(physical_id)
    if volume is None:
        return None
    shown = {name: volume[name] for name in ("AvailabilityZone", "Size", "VolumeType", "Encrypted")}
    key = {"KmsKeyId": volume["KmsKeyId"]} if volume.get("KmsKeyId") else {}
    return {**shown, **key, "Tags": ec2._tags.get(physical_id) or []}


KEY = ("Description", "EnableKeyRotation", "RotationPeriodInDays", "Enabled", "KeyPolicy", "Tags")
READERS: dict[str, tuple[Reader, tuple[str, ...]]] = {
    "AWS::EC2::Volume": (
        _volume,
        ("AvailabilityZone", "Size", "VolumeType", "Encrypted", "KmsKeyId", "Tags"),
    ),
    "AWS::KMS::Alias": (_alias, ("AliasName", "TargetKeyId")),
    "AWS::KMS::Key": (_key, (*KEY, "KeySpec", "KeyUsage", "MultiRegion", "Origin")),
    "AWS::KMS::ReplicaKey": (_key, ("Description", "Enabled", "KeyPolicy", "Tags")),
    "AWS::S3::Bucket": (
        _bucket,
        (
            *("BucketName", "VersioningConfiguration", "BucketEncryption", "Tags"),
            *("PublicAccessBlockConfiguration", "OwnershipControls"),
        ),
    ),
    "AWS::SecretsManager::Secret": (_secret, ("Name", "Description", "KmsKeyId", "Tags")),
}
"""Each type, how it is read, and which of its properties are compared."""


def install() -> None:
    """Read the types that the lab is made of; MiniStack knows buckets and secrets by their names only."""
    for name, (reader, properties) in READERS.items():
        entry = (reader, frozenset(properties))
        if name in drift._DRIFT_READERS:
            drift._DRIFT_READERS[name] = entry
            where = f"{drift.__name__}._DRIFT_READERS[{name}]"
            hooks.APPLIED.append(hooks.Hook(where, __name__, "drift of all that the lab rests on"))
        else:
            hooks.add_entry(drift, "_DRIFT_READERS", name, entry, "drift of a type that MiniStack reads not")
