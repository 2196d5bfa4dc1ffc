"""Conditions of requests to S3, as recorded from S3."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.engine.conftest import refused

UNKNOWN = "A header you provided implies functionality that is not implemented"


def writes(s3: Any, bucket: str) -> tuple[Any, ...]:
    """Ways to write the object ``a``, each with its conditions to come."""
    where = {"Bucket": bucket, "Key": "a"}
    return (
        lambda **given: s3.put_object(**where, Body=b"put", **given),
        lambda **given: s3.copy_object(**where, CopySource=f"{bucket}/source", **given),
    )


@pytest.mark.parametrize("way", [0, 1], ids=["put", "copy"])
def test_a_write_under_a_condition(s3: Any, bucket: str, way: int) -> None:
    etag = s3.put_object(Bucket=bucket, Key="source", Body=b"source")["ETag"]
    write = writes(s3, bucket)[way]
    with refused("NoSuchKey"):
        write(IfMatch=etag)
    write(IfNoneMatch="*")
    with refused("PreconditionFailed") as told:
        write(IfNoneMatch="*")
    assert told["Condition"] == "If-None-Match"
    with refused("PreconditionFailed") as told:
        write(IfMatch='"other"')
    assert told["Condition"] == "If-Match"
    write(IfMatch=s3.head_object(Bucket=bucket, Key="a")["ETag"])
    for given, header in (
        ({"IfMatch": etag, "IfNoneMatch": "*"}, "If-Match,If-None-Match"),
        ({"IfNoneMatch": etag}, "If-None-Match"),
        ({"IfMatch": "*"}, "If-Match"),
    ):
        with refused("NotImplemented", UNKNOWN) as told:
            write(**given)
        assert told["Header"] == header


def test_a_time_to_come_is_no_condition_of_a_read(s3: Any, bucket: str) -> None:
    where = {"Bucket": bucket, "Key": "a"}
    s3.put_object(**where, Body=b"content")
    later = datetime.now(UTC) + timedelta(days=1)
    assert s3.get_object(**where, IfModifiedSince=later)["Body"].read() == b"content"
    assert s3.head_object(**where, IfModifiedSince=later)["ContentLength"] == len(b"content")
    copy = s3.copy_object(
        Bucket=bucket,
        Key="b",
        CopySource=f"{bucket}/a",
        CopySourceIfModifiedSince=later,
        ChecksumAlgorithm="SHA1",
    )
    assert copy["CopyObjectResult"].keys() == {"ChecksumSHA1", "ETag", "LastModified"}


@pytest.fixture
def completion(s3: Any, bucket: str) -> Any:
    """Begin an upload of ``a`` over an object, and complete it under conditions to come."""
    where = {"Bucket": bucket, "Key": "a"}
    s3.put_object(**where, Body=b"before")
    upload = {**where, "UploadId": s3.create_multipart_upload(**where)["UploadId"]}
    part = {"PartNumber": 1, "ETag": s3.upload_part(**upload, PartNumber=1, Body=b"part")["ETag"]}
    return lambda **given: s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": [part]}, **given)


def test_an_upload_does_not_complete_over_an_object_that_was_put_since(
    s3: Any, bucket: str, completion: Any
) -> None:
    etag = s3.put_object(Bucket=bucket, Key="a", Body=b"meanwhile")["ETag"]
    with refused("PreconditionFailed"):
        completion(IfMatch='"before"')
    with refused("ConditionalRequestConflict", "conflicting operation") as told:
        completion(IfMatch=etag)
    assert (told["Condition"], told["Key"]) == ("If-Match", "a")
    completion()


def test_an_upload_does_not_complete_over_an_object_that_was_deleted_since(
    s3: Any, bucket: str, completion: Any
) -> None:
    etag = s3.head_object(Bucket=bucket, Key="a")["ETag"]
    with refused("PreconditionFailed"):
        completion(IfNoneMatch="*")
    s3.delete_object(Bucket=bucket, Key="a")
    with refused("NoSuchKey"):
        completion(IfMatch=etag)
    with refused("ConditionalRequestConflict") as told:
        completion(IfNoneMatch="*")
    assert told["Condition"] == "If-None-Match"


def test_an_upload_completes_over_an_object_that_nobody_changed(
    s3: Any, bucket: str, completion: Any
) -> None:
    completion(IfMatch=s3.head_object(Bucket=bucket, Key="a")["ETag"])
