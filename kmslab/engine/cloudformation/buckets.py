"""Properties of AWS::S3::Bucket that MiniStack's CloudFormation drops, stored through the S3 API.

Encryption (with its blocked encryption types), access logging, ownership controls and tags: the
lab's claims rest on them, and CDK's auto-delete function reads the tags before it empties a bucket.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from xml.etree.ElementTree import Element, SubElement, tostring

from ministack.services import s3
from ministack.services.cloudformation import provisioners

from kmslab.engine.cloudformation.resources import call, true
from kmslab.engine.hooks import extend

if TYPE_CHECKING:
    from collections.abc import Callable

    from kmslab.engine.cloudformation.resources import Properties


def _tree(root: str, value: Any) -> bytes:
    """Members as an S3 request body: lists repeat their element."""

    def fill(parent: Element, members: dict[str, Any]) -> None:
        for name, member in members.items():
            for one in member if isinstance(member, list) else [member]:
                child = SubElement(parent, name)
                if isinstance(one, dict):
                    fill(child, one)
                else:
                    child.text = str(one).lower() if isinstance(one, bool) else str(one)

    top = Element(root, xmlns=s3.S3_NS)
    fill(top, value)
    return bytes(tostring(top, encoding="utf-8"))


def encryption_body(property_value: Properties) -> bytes:
    """``BucketEncryption`` as the body of PutBucketEncryption."""
    rules = []
    for given in property_value["ServerSideEncryptionConfiguration"]:
        rule: dict[str, Any] = {}
        if default := given.get("ServerSideEncryptionByDefault"):
            rule["ApplyServerSideEncryptionByDefault"] = default
        rule["BucketKeyEnabled"] = true(given.get("BucketKeyEnabled", False))
        if blocked := given.get("BlockedEncryptionTypes"):
            rule["BlockedEncryptionTypes"] = blocked
        rules.append(rule)
    return _tree("ServerSideEncryptionConfiguration", {"Rule": rules})


def logging_body(property_value: Properties) -> bytes:
    """``LoggingConfiguration`` as the body of PutBucketLogging; without a target the bucket logs to itself."""
    enabled: dict[str, Any] = {
        "TargetBucket": property_value.get("DestinationBucketName", ""),
        "TargetPrefix": property_value.get("LogFilePrefix", ""),
    }
    if key_format := property_value.get("TargetObjectKeyFormat"):
        enabled["TargetObjectKeyFormat"] = key_format
    return _tree("BucketLoggingStatus", {"LoggingEnabled": enabled})


def ownership_body(property_value: Properties) -> bytes:
    """``OwnershipControls`` as the body of PutBucketOwnershipControls."""
    return _tree("OwnershipControls", {"Rule": property_value["Rules"]})


def _put(property_name: str, body: bytes, bucket: str) -> None:
    operations: dict[str, Callable[..., Any]] = {
        "BucketEncryption": s3._put_bucket_encryption,
        "LoggingConfiguration": s3._put_bucket_logging,
        "OwnershipControls": s3._put_bucket_ownership_controls,
    }
    call(lambda given: operations[property_name](bucket, given), body)


def _remove(property_name: str, bucket: str) -> None:
    if property_name == "BucketEncryption":
        call(s3._delete_bucket_encryption, bucket)
    elif property_name == "LoggingConfiguration":
        _put(property_name, _tree("BucketLoggingStatus", {}), bucket)
    else:
        call(s3._delete_bucket_ownership_controls, bucket)


BODIES = {
    "BucketEncryption": encryption_body,
    "LoggingConfiguration": logging_body,
    "OwnershipControls": ownership_body,
}


def apply(bucket: str, new: Properties, old: Properties) -> None:
    """Bring a bucket to the template's properties.

    Raises:
        ValueError: what the S3 API answers to a wrong value.
    """
    for name, body in BODIES.items():
        if value := new.get(name):
            if name == "LoggingConfiguration":
                value = {"DestinationBucketName": bucket, **value}
            _put(name, body(value), bucket)
        elif old.get(name):
            _remove(name, bucket)
    before, after = provisioners._tag_map(old.get("Tags")), provisioners._tag_map(new.get("Tags"))
    kept = {k: v for k, v in (s3._bucket_tags.get(bucket) or {}).items() if k not in before}
    s3._bucket_tags[bucket] = {**kept, **after}
    if before_versioning := (old.get("VersioningConfiguration") or {}).get("Status"):
        after_versioning = (new.get("VersioningConfiguration") or {}).get("Status")
        if before_versioning == "Enabled" and after_versioning != "Enabled":
            s3._bucket_versioning[bucket] = "Suspended"  # versioning cannot be switched off again


def delete(physical_id: str, _properties: Properties) -> None:
    """Delete a bucket as DeleteBucket does: refused while it holds objects or versions.

    Raises:
        ValueError: ``BucketNotEmpty``.
    """
    call(s3._delete_bucket, physical_id, missing_is_fine=True)


def install() -> None:
    """Keep what the template says of a bucket."""

    @extend(provisioners, "_s3_apply_configurations", "name", "props", "old_props")
    def apply_configurations(
        stock: Callable[..., None], name: str, props: Properties, old_props: Properties | None = None
    ) -> None:
        """Keep encryption, access logging, ownership and tags as well."""
        stock(name, props, old_props)
        apply(name, props, old_props or {})

    provisioners._RESOURCE_HANDLERS["AWS::S3::Bucket"]["delete"] = delete
    provisioners._STACK_TAG_PROPERTY["AWS::S3::Bucket"] = ("Tags", "list")
