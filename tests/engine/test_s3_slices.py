"""Reads of less than an object, as recorded from S3."""

from __future__ import annotations

from typing import Any

import pytest

from tests.engine.conftest import refused

DIGITS = b"0123456789"
LARGE = bytes(5 * 1024 * 1024)
REST = b"the rest"


@pytest.fixture
def older(s3: Any, bucket: str) -> dict[str, str]:
    """A version under AWS's key that is not the current one."""
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    where = {"Bucket": bucket, "Key": "a"}
    made = s3.put_object(**where, Body=DIGITS, ServerSideEncryption="aws:kms")
    s3.put_object(**where, Body=b"newer")
    return {**where, "VersionId": made["VersionId"]}


def in_parts(s3: Any, bucket: str, **given: Any) -> dict[str, str]:
    """An object of parts 1 and 3."""
    where = {"Bucket": bucket, "Key": "large"}
    upload = {**where, "UploadId": s3.create_multipart_upload(**where, **given)["UploadId"]}
    parts = []
    for number, content in ((1, LARGE), (3, REST)):
        sent = s3.upload_part(**upload, PartNumber=number, Body=content, ChecksumAlgorithm="CRC32")
        parts.append({name: sent[name] for name in ("ETag", "ChecksumCRC32")} | {"PartNumber": number})
    s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
    return where


@pytest.mark.parametrize(
    ("spelled", "content"),
    [
        ("bytes=2-4", b"234"),
        ("bytes=8-", b"89"),
        ("bytes=8-99", b"89"),
        ("bytes=-3", b"789"),
        ("bytes=-99", DIGITS),
        ("bytes=0-9", DIGITS),
    ],
)
def test_a_range_of_an_older_version(s3: Any, older: dict[str, str], spelled: str, content: bytes) -> None:
    read, head = (call(**older, Range=spelled) for call in (s3.get_object, s3.head_object))
    start = DIGITS.index(content)
    assert read["Body"].read() == content
    for answer in (read, head):
        assert answer["ResponseMetadata"]["HTTPStatusCode"] == 206
        assert answer["ContentLength"] == len(content)
        assert answer["ContentRange"] == f"bytes {start}-{start + len(content) - 1}/10"
        assert (answer["VersionId"], answer["ServerSideEncryption"]) == (older["VersionId"], "aws:kms")
    assert ("ChecksumCRC32" in read) == (content == DIGITS)


@pytest.mark.parametrize(
    "spelled", ["bytes=a-b", "bytes=5-4", "bytes=0-1,3-4", "bytes=-", "bytes=" + "9" * 5000 + "-"]
)
def test_a_range_that_is_none_is_not_looked_at(s3: Any, older: dict[str, str], spelled: str) -> None:
    read = s3.get_object(**older, Range=spelled)
    assert (read["ResponseMetadata"]["HTTPStatusCode"], read["Body"].read()) == (200, DIGITS)


@pytest.mark.parametrize("spelled", ["bytes=10-", "bytes=-0"])
def test_a_range_without_bytes_is_refused(s3: Any, older: dict[str, str], spelled: str) -> None:
    with refused("InvalidRange", "The requested range is not satisfiable") as told:
        s3.get_object(**older, Range=spelled)
    assert told.items() >= {"ActualObjectSize": "10", "RangeRequested": spelled}.items()
    with refused("416"):
        s3.head_object(**older, Range=spelled)


@pytest.mark.parametrize("kind", ["COMPOSITE", "FULL_OBJECT"])
def test_a_part_of_an_object(s3: Any, bucket: str, kind: str) -> None:
    where = in_parts(s3, bucket, ChecksumAlgorithm="CRC32", ChecksumType=kind)
    # The client holds the part to the checksum that comes with it.
    read, head = (
        call(**where, PartNumber=3, ChecksumMode="ENABLED") for call in (s3.get_object, s3.head_object)
    )
    assert read["Body"].read() == REST
    for answer in (read, head):
        assert (answer["ContentLength"], answer["PartsCount"]) == (len(REST), 2)
        assert (
            answer["ContentRange"]
            == f"bytes {len(LARGE)}-{len(LARGE) + len(REST) - 1}/{len(LARGE) + len(REST)}"
        )
        assert answer.get("ChecksumType") == ("COMPOSITE" if kind == "COMPOSITE" else None)
    with refused("InvalidPartNumber", "The requested partnumber is not satisfiable") as told:
        s3.get_object(**where, PartNumber=2)
    assert told.items() >= {"PartNumberRequested": "2", "ActualPartCount": "2"}.items()


def test_an_object_without_parts_is_its_own_first_part(s3: Any, older: dict[str, str]) -> None:
    read = s3.get_object(**older, PartNumber=1)
    assert (read["ContentRange"], read["Body"].read()) == ("bytes 0-9/10", DIGITS)
    assert "PartsCount" not in read
    with refused("InvalidPartNumber") as told:
        s3.get_object(**older, PartNumber=2)
    assert told["ActualPartCount"] == "1"
    with refused("InvalidRequest", "Cannot specify both Range header and partNumber query parameter"):
        s3.get_object(**older, PartNumber=1, Range="bytes=0-1")


def test_an_object_without_content_has_no_range(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="empty")
    assert s3.get_object(Bucket=bucket, Key="empty", PartNumber=1)["ContentLength"] == 0
    with refused("InvalidRange"):
        s3.get_object(Bucket=bucket, Key="empty", Range="bytes=0-")
