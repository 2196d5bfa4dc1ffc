"""Copies that S3 refuses, as recorded from it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.engine.conftest import refused

KEY = "object"
SSE_KMS: dict[str, str] = {"ServerSideEncryption": "aws:kms"}


@pytest.fixture
def onto_itself(s3: Any, bucket: str) -> Any:
    """Copy an object onto itself."""
    s3.put_object(Bucket=bucket, Key=KEY, Body=b"content")
    source = f"{bucket}/{KEY}"
    return lambda **given: s3.copy_object(Bucket=bucket, Key=KEY, CopySource=source, **given)


def test_an_object_is_copied_onto_itself_only_to_change_it(s3: Any, bucket: str, onto_itself: Any) -> None:
    same: dict[str, Any]
    for same in ({}, {"MetadataDirective": "COPY"}, {"Metadata": {"a": "b"}}, {"ChecksumAlgorithm": "SHA1"}):
        with refused("InvalidRequest", "copy an object to itself without changing"):
            onto_itself(**same)
    changes: tuple[dict[str, Any], ...] = (
        {"MetadataDirective": "REPLACE"},
        {"StorageClass": "STANDARD_IA"},
        {"WebsiteRedirectLocation": "/there"},
        {"ServerSideEncryption": "AES256"},
        SSE_KMS,
    )
    for change in changes:
        onto_itself(**change)
    # It is under a KMS key now, and the default is not: that is a change.
    assert onto_itself()["ServerSideEncryption"] == "AES256"
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
    s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": [rule]})
    onto_itself()


def test_an_older_version_is_copied_onto_the_object(s3: Any, bucket: str) -> None:
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    old = s3.put_object(Bucket=bucket, Key=KEY, Body=b"old")["VersionId"]
    s3.put_object(Bucket=bucket, Key=KEY, Body=b"new")
    s3.copy_object(Bucket=bucket, Key=KEY, CopySource=f"{bucket}/{KEY}?versionId={old}")
    assert s3.get_object(Bucket=bucket, Key=KEY)["Body"].read() == b"old"


def test_a_copy_is_of_an_object(s3: Any, bucket: str) -> None:
    with refused("InvalidArgument", "Invalid copy source object key") as told:
        s3.copy_object(Bucket=bucket, Key=KEY, CopySource="nowhere")
    assert told["ArgumentName"] == "x-amz-copy-source"
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    s3.put_object(Bucket=bucket, Key="gone", Body=b"x")
    marker = s3.delete_object(Bucket=bucket, Key="gone")["VersionId"]
    with refused("InvalidRequest", "delete marker by version id"):
        s3.copy_object(Bucket=bucket, Key=KEY, CopySource=f"{bucket}/gone?versionId={marker}")


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        ("0-8", "InvalidArgument", "must be of the form bytes=first-last"),
        ("bytes=1-0", "InvalidArgument", "must be of the form bytes=first-last"),
        ("bytes=1-", "InvalidArgument", "must be of the form bytes=first-last"),
        ("bytes=0-1,3-4", "InvalidArgument", "must be of the form bytes=first-last"),
        ("bytes=0-100", "InvalidArgument", "not valid for source object of size: 10"),
        ("bytes=10-200", "InvalidRequest", "invalid for the source object size"),
    ],
)
def test_the_range_of_a_part_is_one_of_the_source(
    s3: Any, bucket: str, text: str, code: str, words: str
) -> None:
    s3.put_object(Bucket=bucket, Key=KEY, Body=b"0123456789")
    upload = s3.create_multipart_upload(Bucket=bucket, Key="copy")["UploadId"]
    where = {"Bucket": bucket, "Key": "copy", "UploadId": upload, "CopySource": f"{bucket}/{KEY}"}
    with refused(code, words) as told:
        s3.upload_part_copy(**where, PartNumber=1, CopySourceRange=text)
    if code == "InvalidArgument":
        assert (told["ArgumentName"], told["ArgumentValue"]) == ("x-amz-copy-source-range", text)
    s3.upload_part_copy(**where, PartNumber=1, CopySourceRange="bytes=0-9")
    assert s3.list_parts(Bucket=bucket, Key="copy", UploadId=upload)["Parts"][0]["Size"] == 10


def test_a_copy_is_one_piece_and_so_is_its_checksum(s3: Any, bucket: str) -> None:
    source: dict[str, Any] = {"Bucket": bucket, "Key": "parts"}
    upload = {
        **source,
        "UploadId": s3.create_multipart_upload(**source, ChecksumAlgorithm="CRC32")["UploadId"],
    }
    sent = s3.upload_part(**upload, PartNumber=1, Body=b"123456789", ChecksumAlgorithm="CRC32")
    part = {"PartNumber": 1, "ETag": sent["ETag"], "ChecksumCRC32": sent["ChecksumCRC32"]}
    whole = s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": [part]})
    assert (whole["ChecksumCRC32"], whole["ChecksumType"]) == ("7kxlUA==-1", "COMPOSITE")
    copied = s3.copy_object(Bucket=bucket, Key="whole", CopySource=f"{bucket}/parts")["CopyObjectResult"]
    assert (copied["ChecksumCRC32"], "-" in copied["ETag"]) == ("y/Q5Jg==", False)
    asked = {"Bucket": bucket, "Key": "whole", "ObjectAttributes": ["Checksum", "ObjectParts"]}
    told = s3.get_object_attributes(**asked)
    assert told["Checksum"] == {"ChecksumCRC32": "y/Q5Jg==", "ChecksumType": "FULL_OBJECT"}
    assert "ObjectParts" not in told
