"""The ids of versions, and the version ``null``, as recorded from S3."""

from __future__ import annotations

import string
from typing import TYPE_CHECKING, Any

import pytest

from tests.engine.conftest import refused

if TYPE_CHECKING:
    from collections.abc import Callable

KEY = "a"
NEVER = "HPniJFCxqTsMuIH9KX8K8wEjNUgmABCD"


def set_versioning(s3: Any, bucket: str, status: str) -> None:
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": status})


@pytest.fixture
def versions(s3: Any, bucket: str) -> list[str]:
    """The ids of a version and of a delete marker over it."""
    set_versioning(s3, bucket, "Enabled")
    made = s3.put_object(Bucket=bucket, Key=KEY, Body=b"x")["VersionId"]
    return [made, s3.delete_object(Bucket=bucket, Key=KEY)["VersionId"]]


def test_an_id_looks_like_one_of_s3(s3: Any, bucket: str, versions: list[str]) -> None:
    allowed = set(string.ascii_letters + string.digits + "._")
    for version in versions:
        assert len(version) == 32
        assert allowed.issuperset(version)
    listed = s3.list_object_versions(Bucket=bucket)
    assert [listed[kind][0]["VersionId"] for kind in ("Versions", "DeleteMarkers")] == versions


def test_what_is_no_id_is_refused_and_what_was_one_is_not(s3: Any, bucket: str, versions: list[str]) -> None:
    where = {"Bucket": bucket, "Key": KEY}
    calls: tuple[Callable[..., Any], ...] = (s3.delete_object, s3.get_object, s3.get_object_tagging)
    for call in calls:
        with refused("InvalidArgument", "Invalid version id specified") as told:
            call(**where, VersionId=versions[0][:-4] + "ABCD")
        assert told["ArgumentName"] == "versionId"
    for _ in range(2):
        assert s3.delete_object(**where, VersionId=versions[0])["VersionId"] == versions[0]
    with refused("NoSuchVersion") as told:
        s3.get_object(**where, VersionId=versions[0])
    assert told["VersionId"] == versions[0]


def test_a_deletion_of_many_tells_which_versions_never_were(
    s3: Any, bucket: str, versions: list[str]
) -> None:
    named = [
        {"Key": KEY, "VersionId": versions[1]},
        {"Key": KEY, "VersionId": NEVER},
        {"Key": "b", "VersionId": NEVER},
    ]
    answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": named})
    assert [one["VersionId"] for one in answer["Deleted"]] == [versions[1]]
    assert [(one["Key"], one["Code"]) for one in answer["Errors"]] == [
        (KEY, "NoSuchVersion"),
        ("b", "NoSuchVersion"),
    ]
    assert s3.get_object(Bucket=bucket, Key=KEY)["VersionId"] == versions[0]


def test_a_deletion_of_many_from_a_bucket_without_versions(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key=KEY)
    answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": KEY, "VersionId": NEVER}]})
    assert [one["VersionId"] for one in answer["Errors"]] == [NEVER]
    s3.head_object(Bucket=bucket, Key=KEY)


def test_the_version_null_is_named_by_reads_where_there_are_versions(s3: Any, bucket: str) -> None:
    where = {"Bucket": bucket, "Key": KEY}
    s3.put_object(**where, Body=b"x")
    asked = {**where, "ObjectAttributes": ["ObjectSize"], "VersionId": "null"}
    assert "VersionId" not in s3.get_object(**where, VersionId="null")
    assert s3.get_object_attributes(**asked)["ObjectSize"] == 1
    set_versioning(s3, bucket, "Suspended")
    assert "VersionId" not in s3.put_object(**where, Body=b"xy")
    reads: tuple[Callable[..., Any], ...] = (s3.get_object, s3.head_object, s3.get_object_tagging)
    for read in reads:
        assert read(**where)["VersionId"] == "null"
    assert s3.get_object_attributes(**asked)["VersionId"] == "null"
    source = f"{bucket}/{KEY}"
    assert s3.copy_object(Bucket=bucket, Key="copy", CopySource=source)["VersionId"] == "null"
    assert s3.delete_object(**where)["VersionId"] == "null"
