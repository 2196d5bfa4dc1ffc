"""Objects that lie in a bucket under another key than they should, and keys that are none of the lab's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kmslab.faults.change import NothingSaved
from kmslab.faults.workshop import FAULT_TAG
from kmslab.model.naming import PREFIX_TAG

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kmslab.faults.change import Json
    from kmslab.faults.templates import Templates
    from kmslab.faults.workshop import Workshop
    from kmslab.model.outputs import Output

BODY = b"KMS Lab: written while the bucket policy was away\n"
SHORTEST_WINDOW_DAYS = 7


class StrayObject:
    """An object lies in a bucket under another key than the bucket's.

    It is put while the bucket policy is away for a moment. The repair removes every version of it.
    """

    def __init__(self, bucket: Output, name: str, algorithm: str, *, foreign_key: bool = False) -> None:
        """Say what lies where.

        Args:
            bucket: the output that names the bucket.
            name: the object's key; no two faults share one.
            algorithm: ``AES256`` or ``aws:kms``.
            foreign_key: with ``aws:kms``: under a key made for it; else under the AWS managed key.
        """
        self.bucket = bucket
        self.name = name
        self.algorithm = algorithm
        self.foreign_key = foreign_key

    def save(self, workshop: Workshop) -> Json:
        """Keep the bucket policy."""
        return {"policy": workshop.client("s3").get_bucket_policy(**self._bucket(workshop))["Policy"]}

    def apply(self, workshop: Workshop, saved: Json) -> None:
        """Put the object."""
        s3 = workshop.client("s3")
        encryption = {"ServerSideEncryption": self.algorithm}
        if self.foreign_key:
            encryption["SSEKMSKeyId"] = make_key(workshop, self.name)
        s3.delete_bucket_policy(**self._bucket(workshop))
        s3.put_object(Key=self.name, Body=BODY, **self._bucket(workshop), **encryption)
        s3.put_bucket_policy(Policy=saved["policy"], **self._bucket(workshop))

    def restore(self, workshop: Workshop, saved: Json) -> None:
        """Remove the object and its key; the bucket policy may still be away."""
        s3 = workshop.client("s3")
        s3.put_bucket_policy(Policy=saved["policy"], **self._bucket(workshop))
        found = s3.list_object_versions(Prefix=self.name, **self._bucket(workshop))
        for version in [*found.get("Versions", ()), *found.get("DeleteMarkers", ())]:
            s3.delete_object(Key=version["Key"], VersionId=version["VersionId"], **self._bucket(workshop))
        discard_keys(workshop, self.name)

    def in_template(self, templates: Templates) -> bool:
        """Templates hold no objects."""
        del templates
        return False

    def _bucket(self, workshop: Workshop) -> dict[str, str]:
        return {"Bucket": workshop.outputs.value_of(self.bucket)}


class StrayKey(NothingSaved):
    """A key that no stack knows carries the lab's tag."""

    def __init__(self, name: str) -> None:
        """Take the value of its tag ``Name``, which no two faults share."""
        self.name = name

    def apply(self, workshop: Workshop, saved: Json) -> None:
        """Make the key."""
        del saved
        make_key(workshop, self.name, {PREFIX_TAG: workshop.prefix})

    def restore(self, workshop: Workshop, saved: Json) -> None:
        """Schedule its deletion."""
        del saved
        discard_keys(workshop, self.name)


def make_key(workshop: Workshop, name: str, more_tags: Mapping[str, str] | None = None) -> str:
    """Make a key that is of no stack, whose policy leaves its use to IAM; return its ARN."""
    given = {**mark(workshop, name), **(more_tags or {})}
    tags = [{"TagKey": key, "TagValue": value} for key, value in given.items()]
    made = workshop.client("kms").create_key(Description="kmslab break: a key of somebody's own", Tags=tags)
    return str(made["KeyMetadata"]["Arn"])


def discard_keys(workshop: Workshop, name: str) -> None:
    """Schedule the deletion of what `make_key` made under that name, unless that has been done."""
    kms = workshop.client("kms")
    filters = [{"Key": key, "Values": [value]} for key, value in mark(workshop, name).items()]
    pages = workshop.client("resourcegroupstaggingapi").get_paginator("get_resources")
    for page in pages.paginate(TagFilters=filters, ResourceTypeFilters=["kms:key"]):
        for key in (found["ResourceARN"] for found in page["ResourceTagMappingList"]):
            if kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] != "PendingDeletion":
                kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=SHORTEST_WINDOW_DAYS)


def mark(workshop: Workshop, name: str) -> dict[str, str]:
    """The tags of what a fault makes, by which its repair finds it; the name tells one fault's from another's."""
    return {FAULT_TAG: workshop.prefix, "Name": name}
