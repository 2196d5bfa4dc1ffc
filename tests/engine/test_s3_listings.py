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


def test_dates_are_told_to_the_second(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key=KEY)
    for operation in (s3.list_objects, s3.list_objects_v2):
        assert operation(Bucket=bucket)["Contents"][0]["LastModified"].microsecond == 0
    assert s3.list_object_versions(Bucket=bucket)["Versions"][0]["LastModified"].microsecond == 0


def test_what_a_page_of_objects_is_asked_for(s3: Any, bucket: str) -> None:
    for key in ("a", "b", "c"):
        s3.put_object(Bucket=bucket, Key=key)
    assert s3.list_objects_v2(Bucket=bucket, MaxKeys=2000)["MaxKeys"] == 1000
    none = s3.list_objects_v2(Bucket=bucket, MaxKeys=0)
    assert none["ResponseMetadata"]["HTTPHeaders"]["x-amz-bucket-region"] == "us-east-1"
    assert (none["IsTruncated"], none["KeyCount"], "NextContinuationToken" in none) == (False, 0, False)
    token = s3.list_objects_v2(Bucket=bucket, MaxKeys=1)["NextContinuationToken"]
    rest = s3.list_objects_v2(Bucket=bucket, ContinuationToken=token, StartAfter="b")
    assert [entry["Key"] for entry in rest["Contents"]] == ["b", "c"]
    assert "StartAfter" not in rest
    with refused("InvalidArgument", "The continuation token provided is incorrect") as told:
        s3.list_objects_v2(Bucket=bucket, ContinuationToken="")
    assert told["ArgumentName"] == "continuation-token"
    with refused("InvalidArgument", "The continuation token provided is incorrect"):
        s3.list_objects_v2(Bucket=bucket, ContinuationToken="no token!")
    with refused("InvalidArgument", "Invalid Encoding Method specified in Request") as told:
        s3.list_object_versions(Bucket=bucket, EncodingType="utf-8")
    assert (told["ArgumentName"], told["ArgumentValue"]) == ("encoding-type", "utf-8")


@pytest.fixture
def many(s3: Any, bucket: str) -> list[str]:
    """The ids of five versions of ``folder/b``, the latest first, after two keys in a folder of their own."""
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    for key in ("folder/a/1", "folder/a/2"):
        s3.put_object(Bucket=bucket, Key=key)
    return [s3.put_object(Bucket=bucket, Key="folder/b")["VersionId"] for _ in range(5)][::-1]


def shown(answer: dict[str, Any]) -> list[str]:
    return [version["VersionId"] for version in answer.get("Versions", [])]


def test_a_common_prefix_has_its_place_among_versions(s3: Any, bucket: str, many: list[str]) -> None:
    asked = {"Bucket": bucket, "Prefix": "folder/", "Delimiter": "/", "MaxKeys": 1}
    first = s3.list_object_versions(**asked)
    assert (first["CommonPrefixes"], shown(first)) == ([{"Prefix": "folder/a/"}], [])
    assert (first["NextKeyMarker"], "NextVersionIdMarker" in first) == ("folder/a/", False)
    for marker in ("folder/a/", "folder/a/1"):
        page = s3.list_object_versions(**asked, KeyMarker=marker)
        assert (shown(page), "CommonPrefixes" in page) == (many[:1], False)
        assert (page["NextKeyMarker"], page["NextVersionIdMarker"]) == ("folder/b", many[0])


def test_a_page_of_versions_goes_on_where_a_version_was(s3: Any, bucket: str, many: list[str]) -> None:
    asked = {"Bucket": bucket, "Prefix": "folder/b", "KeyMarker": "folder/b"}
    assert shown(s3.list_object_versions(**asked)) == []
    assert shown(s3.list_object_versions(**asked, VersionIdMarker=many[1], MaxKeys=2)) == many[2:4]
    s3.delete_objects(
        Bucket=bucket, Delete={"Objects": [{"Key": "folder/b", "VersionId": one} for one in many[:3]]}
    )
    left = s3.list_object_versions(**asked, VersionIdMarker=many[2])
    assert shown(left) == many[3:]
    assert left["Versions"][0]["IsLatest"]
    with refused("InvalidArgument", "A version-id marker cannot be specified without a key marker.") as told:
        s3.list_object_versions(Bucket=bucket, VersionIdMarker=many[4])
    assert told["ArgumentName"] == "version-id-marker"


def test_a_listing_of_versions_is_encoded_when_asked(s3: Any, bucket: str) -> None:
    for key in ("ä b", "ä/c"):
        s3.put_object(Bucket=bucket, Key=key)
    answer = s3.list_object_versions(
        Bucket=bucket, EncodingType="url", Prefix="ä", Delimiter="/", KeyMarker="ä "
    )
    told = [answer[name] for name in ("EncodingType", "Prefix", "KeyMarker", "CommonPrefixes")]
    assert told == ["url", "%C3%A4", "%C3%A4%20", [{"Prefix": "%C3%A4/"}]]
    assert answer["Versions"][0]["Key"] == "%C3%A4%20b"


@pytest.mark.parametrize("operation", ["get_object", "delete_object"])
def test_a_bucket_without_versions_has_none(s3: Any, bucket: str, operation: str) -> None:
    where = {"Bucket": bucket, "Key": "a"}
    s3.put_object(**where, Body=b"content")
    with refused("InvalidArgument", "Invalid version id specified") as told:
        getattr(s3, operation)(**where, VersionId="bad")
    assert told.items() >= {"ArgumentName": "versionId", "ArgumentValue": "bad"}.items()
    getattr(s3, operation)(**where, VersionId="null")
