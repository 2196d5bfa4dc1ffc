"""What S3's errors name beside their code, and numbers in a query that are none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from kmslab.engine.s3.told import NO_UPLOAD
from tests.engine.conftest import refused

if TYPE_CHECKING:
    from collections.abc import Callable

DAY = "Mon, 01 Jan 2024 00:00:00 GMT"


@pytest.mark.parametrize(
    ("operation", "code"),
    [
        ("get_bucket_policy", "NoSuchBucketPolicy"),
        ("get_bucket_tagging", "NoSuchTagSet"),
        ("get_bucket_cors", "NoSuchCORSConfiguration"),
        ("get_bucket_lifecycle_configuration", "NoSuchLifecycleConfiguration"),
        ("get_object_lock_configuration", "ObjectLockConfigurationNotFoundError"),
    ],
)
def test_the_bucket_without_a_configuration_is_named(s3: Any, bucket: str, operation: str, code: str) -> None:
    with refused(code) as told:
        getattr(s3, operation)(Bucket=bucket)
    assert told["BucketName"] == bucket


def test_an_upload_and_a_version_that_are_not_there_are_named(s3: Any, bucket: str) -> None:
    where = {"Bucket": bucket, "Key": "a"}
    calls: tuple[Callable[..., Any], ...] = (s3.list_parts, s3.abort_multipart_upload)
    for call in calls:
        with refused("NoSuchUpload", NO_UPLOAD) as told:
            call(**where, UploadId="none")
        assert told["UploadId"] == "none"
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    version = s3.put_object(**where, Body=b"x")["VersionId"]
    s3.delete_object(**where, VersionId=version)
    with refused("NoSuchVersion") as told:
        s3.get_object(**where, VersionId=version)
    assert (told["Key"], told["VersionId"]) == ("a", version)


def test_a_delete_marker_has_no_content_and_is_named(s3: Any, bucket: str) -> None:
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    marker = s3.delete_object(Bucket=bucket, Key="a")["VersionId"]
    with refused("MethodNotAllowed") as told:
        s3.get_object(Bucket=bucket, Key="a", VersionId=marker)
    assert (told["Method"], told["ResourceType"]) == ("GET", "DeleteMarker")


def test_the_attributes_of_a_delete_marker_are_not_told(s3: Any, bucket: str) -> None:
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    marker = s3.delete_object(Bucket=bucket, Key="a")["VersionId"]
    with refused("MethodNotAllowed") as told:
        s3.get_object_attributes(Bucket=bucket, Key="a", VersionId=marker, ObjectAttributes=["ETag"])
    assert told["ResourceType"] == "DeleteMarker"


def test_a_head_tells_how_many_tags_there_are(s3: Any, bucket: str) -> None:
    where = {"Bucket": bucket, "Key": "a"}
    s3.put_object(**where, Tagging="one=1&two=2")
    assert s3.head_object(**where)["TagCount"] == 2
    s3.delete_object_tagging(**where)
    assert "TagCount" not in s3.head_object(**where)


def test_the_bucket_that_holds_something_and_the_class_that_is_none_are_named(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="a")
    with refused("BucketNotEmpty") as told:
        s3.delete_bucket(Bucket=bucket)
    assert told["BucketName"] == bucket
    with refused("InvalidStorageClass") as told:
        s3.put_object(Bucket=bucket, Key="b", StorageClass="OUTPOSTS")
    assert told["StorageClassRequested"] == "OUTPOSTS"
    s3.put_object(Bucket=bucket, Key="b", StorageClass="GLACIER")
    with refused("InvalidObjectState") as told:
        s3.get_object(Bucket=bucket, Key="b")
    assert (told["StorageClass"], "Resource" in told) == ("GLACIER", False)


def test_the_condition_that_does_not_hold_is_named(s3: Any, bucket: str) -> None:
    where = {"Bucket": bucket, "Key": "a"}
    s3.put_object(**where, Body=b"x")
    cases: tuple[tuple[Callable[..., Any], dict[str, Any], str], ...] = (
        (s3.get_object, {"IfMatch": '"other"'}, "If-Match"),
        (s3.get_object, {"IfUnmodifiedSince": DAY}, "If-Unmodified-Since"),
        (s3.put_object, {"IfNoneMatch": "*"}, "If-None-Match"),
        (
            s3.copy_object,
            {"CopySource": f"{bucket}/a", "CopySourceIfMatch": '"other"', "MetadataDirective": "REPLACE"},
            "x-amz-copy-source-If-Match",
        ),
    )
    for call, given, condition in cases:
        with refused("PreconditionFailed") as told:
            call(**where, **given)
        assert told["Condition"] == condition


def test_a_number_that_is_none_is_refused(s3: Any, bucket: str) -> None:
    with refused("InvalidArgument", "not an integer or within integer range") as told:
        s3.list_objects_v2(Bucket=bucket, MaxKeys="x")
    assert (told["ArgumentName"], told["ArgumentValue"]) == ("max-keys", "x")
    with refused("InvalidArgument", "between 0 and 2147483647") as told:
        s3.list_objects_v2(Bucket=bucket, MaxKeys=-1)
    assert told["ArgumentName"] == "maxKeys"
    with refused("InvalidArgument", "between 1 and 10000"):
        s3.upload_part(Bucket=bucket, Key="a", UploadId="none", PartNumber=0, Body=b"x")
    assert s3.list_objects_v2(Bucket=bucket, MaxKeys="")["MaxKeys"] == 1000
    with refused("InvalidArgument", "between 1 and 10000") as told:
        s3.list_buckets(MaxBuckets="x")
    assert told["ArgumentName"] == "max-buckets"


def test_a_read_that_says_delete_deletes_nothing(s3: Any, bucket: str) -> None:
    def say_delete(request: Any, **_: Any) -> None:
        request.params["delete"] = "1"

    s3.put_object(Bucket=bucket, Key="a", Body=b"content")
    s3.meta.events.register("before-sign.s3.GetObject", say_delete)
    try:
        assert s3.get_object(Bucket=bucket, Key="a")["Body"].read() == b"content"
    finally:
        s3.meta.events.unregister("before-sign.s3.GetObject", say_delete)


def test_the_ids_of_an_error_are_those_of_its_headers(s3: Any, bucket: str) -> None:
    with pytest.raises(ClientError) as caught:
        s3.get_object(Bucket=bucket, Key="none")
    told = caught.value.response["ResponseMetadata"]
    headers = told["HTTPHeaders"]
    assert (told["RequestId"], told["HostId"]) == (headers["x-amz-request-id"], headers["x-amz-id-2"])
    assert len(told["RequestId"]) == 16
    assert told["RequestId"].isupper() or told["RequestId"].isdigit()


def test_only_what_is_in_an_archive_is_restored(s3: Any, bucket: str) -> None:
    asked = {"Bucket": bucket, "RestoreRequest": {"Days": 1}}
    for kind in ("STANDARD", "GLACIER_IR"):
        s3.put_object(Bucket=bucket, Key=kind, StorageClass=kind)
        with refused(
            "InvalidObjectState", "Restore is not allowed for the object's current storage class"
        ) as told:
            s3.restore_object(**asked, Key=kind)
        assert told["StorageClass"] == kind
    s3.put_object(Bucket=bucket, Key="GLACIER", StorageClass="GLACIER")
    assert s3.restore_object(**asked, Key="GLACIER")["ResponseMetadata"]["HTTPStatusCode"] == 202
