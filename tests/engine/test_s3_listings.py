"""Listings of objects and versions, as recorded from S3."""

from __future__ import annotations

from typing import Any

import pytest

from tests.engine.conftest import refused

KEY = "a b+c/é"


def test_a_listing_tells_the_algorithm_of_each_checksum(s3: Any, bucket: str) -> None:
    where = {"Bucket": bucket, "Key": KEY}
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    s3.put_object(**where, Body=b"older", ChecksumAlgorithm="SHA256")
    s3.put_object(**where, Body=b"newer", ChecksumAlgorithm="CRC32")
    for encoding in ({}, {"EncodingType": "url"}):
        for operation in (s3.list_objects, s3.list_objects_v2):
            (entry,) = operation(Bucket=bucket, **encoding)["Contents"]
            assert (entry["ChecksumAlgorithm"], entry["ChecksumType"]) == (["CRC32"], "FULL_OBJECT")
        versions = s3.list_object_versions(Bucket=bucket, **encoding)["Versions"]
        assert [entry["ChecksumAlgorithm"] for entry in versions] == [["CRC32"], ["SHA256"]]


@pytest.mark.parametrize("operation", ["get_object", "delete_object"])
def test_a_bucket_without_versions_has_none(s3: Any, bucket: str, operation: str) -> None:
    where = {"Bucket": bucket, "Key": "a"}
    s3.put_object(**where, Body=b"content")
    with refused("InvalidArgument", "Invalid version id specified") as told:
        getattr(s3, operation)(**where, VersionId="bad")
    assert told.items() >= {"ArgumentName": "versionId", "ArgumentValue": "bad"}.items()
    getattr(s3, operation)(**where, VersionId="null")
