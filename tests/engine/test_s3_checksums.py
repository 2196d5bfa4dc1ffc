"""Checksums: what S3 refuses of them, in its words, and what parts, copies and attributes say of them."""

from __future__ import annotations

import base64
import hashlib
import os
from typing import TYPE_CHECKING, Any

import pytest

from tests.engine.conftest import refused

if TYPE_CHECKING:
    from pathlib import Path

    from tests.engine.conftest import Engine

BODY = b"test data.."


def sha256(content: bytes) -> str:
    return base64.b64encode(hashlib.sha256(content).digest()).decode()


@pytest.mark.parametrize(
    ("given", "code", "message"),
    [
        (
            {"ChecksumSHA256": "badvalue"},
            "InvalidRequest",
            "Value for x-amz-checksum-sha256 header is invalid.",
        ),
        (
            {"ChecksumSHA256": sha256(BODY), "ChecksumCRC32": "mN1KzA=="},
            "InvalidRequest",
            "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.",
        ),
        (
            {"ChecksumSHA256": sha256(b"other")},
            "BadDigest",
            "The SHA256 you specified did not match the calculated checksum.",
        ),
    ],
)
def test_a_checksum_that_is_none_or_anothers_is_refused(
    s3: Any, bucket: str, given: dict[str, str], code: str, message: str
) -> None:
    with refused(code, message):
        s3.put_object(Bucket=bucket, Key="a", Body=BODY, **given)
    right = s3.put_object(Bucket=bucket, Key="a", Body=BODY, ChecksumSHA256=sha256(BODY))
    assert right["ChecksumSHA256"] == sha256(BODY)


def test_parts_come_with_the_uploads_checksum_and_so_does_the_completion(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="source", Body=BODY)
    made = s3.create_multipart_upload(Bucket=bucket, Key="a", ChecksumAlgorithm="SHA256")
    named = {"Bucket": bucket, "Key": "a", "UploadId": made["UploadId"]}
    words = "Checksum Type mismatch occurred, expected checksum Type: sha256, actual checksum Type: crc32"
    with refused("InvalidRequest", words):
        s3.upload_part(**named, PartNumber=1, Body=BODY, ChecksumAlgorithm="CRC32")
    content = os.urandom(5_242_880)
    first = s3.upload_part(**named, PartNumber=1, Body=content, ChecksumAlgorithm="SHA256")
    second = s3.upload_part_copy(**named, PartNumber=2, CopySource=f"{bucket}/source")["CopyPartResult"]
    assert second["ChecksumSHA256"] == sha256(BODY)
    parts = [{"PartNumber": number, "ETag": part["ETag"]} for number, part in enumerate((first, second), 1)]
    with refused(
        "InvalidRequest", "The upload was created using a sha256 checksum.", "missing for part 1 in"
    ):
        s3.complete_multipart_upload(**named, MultipartUpload={"Parts": parts})
    for part, uploaded in zip(parts, (first, second), strict=True):
        part["ChecksumSHA256"] = uploaded["ChecksumSHA256"]
    done = s3.complete_multipart_upload(**named, MultipartUpload={"Parts": parts})
    of_both = sha256(hashlib.sha256(content).digest() + hashlib.sha256(BODY).digest())
    assert (done["ChecksumSHA256"], done["ChecksumType"]) == (f"{of_both}-2", "COMPOSITE")
    attributes = s3.get_object_attributes(Bucket=bucket, Key="a", ObjectAttributes=["Checksum"])
    assert attributes["Checksum"]["ChecksumSHA256"] == of_both


def test_the_digest_of_a_header_is_told_beside_the_one_of_the_content(s3: Any, bucket: str) -> None:
    with refused("InvalidDigest", "Content-MD5 you specified was invalid") as told:
        s3.put_object(Bucket=bucket, Key="a", Body=BODY, ContentMD5="short")
    assert told["Content-MD5"] == "short"
    sent, right = bytes(16), hashlib.md5(BODY).digest()  # noqa: S324  # the header's own digest
    with refused("BadDigest", "did not match what we received") as told:
        s3.put_object(Bucket=bucket, Key="a", Body=BODY, ContentMD5=base64.b64encode(sent).decode())
    assert told["ExpectedDigest"] == sent.hex()
    assert told["CalculatedDigest"] == base64.b64encode(right).decode()


def test_a_copy_gets_the_checksum_that_is_asked_for(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="a", Body=BODY)
    copy = {"Bucket": bucket, "Key": "b", "CopySource": f"{bucket}/a"}
    made = s3.copy_object(**copy, ChecksumAlgorithm="SHA256")["CopyObjectResult"]
    head = s3.head_object(Bucket=bucket, Key="b", ChecksumMode="ENABLED")
    assert made["ChecksumSHA256"] == head["ChecksumSHA256"] == sha256(BODY)
    assert "ChecksumCRC32" not in head
    with refused("InvalidRequest", "[CRC32, CRC32C, CRC64NVME, SHA1, SHA256]"):
        s3.copy_object(**copy, ChecksumAlgorithm="MD5")


def test_botos_own_transfer_of_a_large_file_goes_through(
    engine: Engine, s3: Any, bucket: str, tmp_path: Path
) -> None:
    file, key = tmp_path / "large", engine.key()
    file.write_bytes(os.urandom(17_000_000))
    s3.upload_file(str(file), bucket, "a", ExtraArgs={"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key})
    s3.download_file(bucket, "a", str(tmp_path / "back"))
    assert (tmp_path / "back").read_bytes() == file.read_bytes()
