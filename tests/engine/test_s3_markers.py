"""Delete markers, and what takes an object's place, as recorded from S3."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

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
