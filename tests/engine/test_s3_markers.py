"""Delete markers, and what takes an object's place, as recorded from S3."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests.engine.conftest import error_code, refused

if TYPE_CHECKING:
    from collections.abc import Callable

TAGS = {"TagSet": [{"Key": "a", "Value": "b"}]}


def test_the_tags_of_a_delete_marker_are_refused(s3: Any, bucket: str) -> None:
    where = {"Bucket": bucket, "Key": "a"}
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    s3.put_object(**where)
    marker = {"VersionId": s3.delete_object(**where)["VersionId"]}
    calls: tuple[tuple[Callable[..., Any], dict[str, Any], str], ...] = (
        (s3.get_object_tagging, {}, "GET"),
        (s3.put_object_tagging, {"Tagging": TAGS}, "PUT"),
        (s3.delete_object_tagging, {}, "DELETE"),
    )
    for call, given, method in calls:
        for version in ({}, marker):
            with refused("MethodNotAllowed") as told:
                call(**where, **given, **version)
            assert (told["Method"], told["ResourceType"]) == (method, "DeleteMarker")


def test_the_permissions_of_a_delete_marker_are_refused(s3: Any, bucket: str) -> None:
    where = {"Bucket": bucket, "Key": "a"}
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    marker = s3.delete_object(**where)["VersionId"]
    assert error_code(lambda: s3.get_object_acl(**where)) == "NoSuchKey"
    private = {**where, "ACL": "private"}
    calls: tuple[tuple[Callable[..., Any], dict[str, Any]], ...] = (
        (s3.get_object_acl, {**where, "VersionId": marker}),
        (s3.put_object_acl, private),
        (s3.put_object_acl, {**private, "VersionId": marker}),
    )
    for call, given in calls:
        with refused("MethodNotAllowed") as told:
            call(**given)
        assert told["ResourceType"] == "DeleteMarker"


@pytest.fixture
def locked(s3: Any) -> dict[str, str]:
    """An object in a bucket with Object Lock."""
    name = f"bucket-{uuid.uuid4().hex[:16]}"
    s3.create_bucket(Bucket=name, ObjectLockEnabledForBucket=True)
    s3.put_object(Bucket=name, Key="a", Body=b"x")
    return {"Bucket": name, "Key": "a"}


def later(seconds: int) -> dict[str, Any]:
    return {"Mode": "GOVERNANCE", "RetainUntilDate": datetime.now(UTC) + timedelta(seconds=seconds)}


def test_the_locks_of_a_delete_marker_are_refused(s3: Any, locked: dict[str, str]) -> None:
    marker = {**locked, "VersionId": s3.delete_object(**locked)["VersionId"]}
    calls: tuple[tuple[Callable[..., Any], dict[str, Any]], ...] = (
        (s3.get_object_retention, {}),
        (s3.put_object_retention, {"Retention": later(60)}),
        (s3.get_object_legal_hold, {}),
        (s3.put_object_legal_hold, {"LegalHold": {"Status": "ON"}}),
    )
    for call, given in calls:
        with refused("MethodNotAllowed") as told:
            call(**marker, **given)
        assert told["ResourceType"] == "DeleteMarker"


def test_a_retention_ends_when_it_may(s3: Any, locked: dict[str, str]) -> None:
    with refused("InvalidArgument", "The retain until date must be in the future!"):
        s3.put_object_retention(**locked, Retention=later(-60))
    s3.put_object_retention(**locked, Retention=later(60))
    with refused("AccessDenied"):
        s3.put_object_retention(**locked, Retention={})
    s3.put_object_retention(**locked, Retention={}, BypassGovernanceRetention=True)
    assert error_code(lambda: s3.get_object_retention(**locked)) == "NoSuchObjectLockConfiguration"


def test_a_copy_has_the_locks_that_are_asked_for(s3: Any, locked: dict[str, str]) -> None:
    s3.put_object_retention(**locked, Retention=later(60))
    s3.put_object_legal_hold(**locked, LegalHold={"Status": "ON"})
    copy = {"Bucket": locked["Bucket"], "Key": "copy"}
    s3.copy_object(**copy, CopySource=locked)
    assert not {name for name in s3.head_object(**copy) if name.startswith("ObjectLock")}
    s3.copy_object(**copy, CopySource=locked, ObjectLockLegalHoldStatus="ON")
    assert s3.head_object(**copy)["ObjectLockLegalHoldStatus"] == "ON"


def test_an_object_in_the_place_of_another_has_none_of_its_tags(s3: Any, bucket: str) -> None:
    where = {"Bucket": bucket, "Key": "a"}
    s3.put_object(**where, Tagging="a=b")
    s3.put_object(**where)
    assert s3.get_object_tagging(**where)["TagSet"] == []
    s3.put_object(**where, Tagging="a=b")
    upload = {**where, "UploadId": s3.create_multipart_upload(**where, Tagging="c=d&e")["UploadId"]}
    part = {"PartNumber": 1, "ETag": s3.upload_part(**upload, PartNumber=1, Body=b"x")["ETag"]}
    s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": [part]})
    assert s3.get_object_tagging(**where)["TagSet"] == [{"Key": "c", "Value": "d"}, {"Key": "e", "Value": ""}]


def test_locks_are_passed_over_only_where_there_are_some(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="a")
    one, many = {"Bucket": bucket, "Key": "a"}, {"Bucket": bucket, "Delete": {"Objects": [{"Key": "a"}]}}
    for call, given in ((s3.delete_object, one), (s3.delete_objects, many)):
        with refused("InvalidArgument", "only applicable to Object Lock enabled buckets") as told:
            call(**given, BypassGovernanceRetention=True)
        assert told["ArgumentName"] == "x-amz-bypass-governance-retention"
    s3.head_object(Bucket=bucket, Key="a")
