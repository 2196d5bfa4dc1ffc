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


NINE = b"123456789"
CRC32, COMPOSITE = "y/Q5Jg==", "7kxlUA=="
"""Of those nine digits, and of that checksum: recorded (OpenStack Swift's tests of the S3 API)."""
OTHER, NOT_BASE64 = "z/Q5Jg==", "y/Q5Jh=="
ALGORITHM = "Value for x-amz-sdk-checksum-algorithm header is invalid."
HEADER = "Value for x-amz-checksum-crc32 header is invalid."


def test_an_algorithm_is_the_one_of_the_checksum(s3: Any, bucket: str) -> None:
    where: dict[str, Any] = {"Bucket": bucket, "Key": "a"}
    upload = s3.create_multipart_upload(**where, ChecksumAlgorithm="CRC32")["UploadId"]
    part = {**where, "UploadId": upload, "PartNumber": 1}
    for call, to in ((s3.put_object, where), (s3.upload_part, part)):
        with refused("InvalidRequest", ALGORITHM):
            call(**to, Body=NINE, ChecksumAlgorithm="SHA1", ChecksumCRC32=CRC32)
        with refused("InvalidRequest", HEADER):
            call(**to, Body=NINE, ChecksumCRC32=NOT_BASE64)
        assert call(**to, Body=NINE, ChecksumAlgorithm="CRC32", ChecksumCRC32=CRC32)["ChecksumCRC32"] == CRC32


def test_an_upload_has_an_algorithm_and_a_type_that_there_are(s3: Any, bucket: str) -> None:
    with refused("InvalidRequest", "valid types: [CRC32, CRC32C, CRC64NVME, SHA1, SHA256]"):
        s3.create_multipart_upload(Bucket=bucket, Key="a", ChecksumAlgorithm="ADLER32")
    with refused("InvalidRequest", "Value for x-amz-checksum-type header is invalid."):
        s3.create_multipart_upload(Bucket=bucket, Key="a", ChecksumAlgorithm="CRC32", ChecksumType="HALF")


@pytest.mark.parametrize(
    ("of_part", "of_the_whole", "code", "message"),
    [
        (NOT_BASE64, {}, "InvalidArgument", "Invalid Base64 or multiple checksums present in request"),
        (OTHER, {}, "InvalidPart", "may not have been uploaded"),
        (OTHER, {"ChecksumCRC32": COMPOSITE}, "BadDigest", "The crc32 you specified did not match"),
        (CRC32, {"ChecksumCRC32": NOT_BASE64}, "InvalidRequest", HEADER),
        (CRC32, {"ChecksumCRC32": f"{COMPOSITE}-a"}, "InvalidRequest", HEADER),
        (CRC32, {"ChecksumCRC32": f"{COMPOSITE}-2"}, "BadDigest", "The crc32 you specified did not match"),
        (
            CRC32,
            {"ChecksumType": "FULL_OBJECT"},
            "InvalidRequest",
            "created using the COMPOSITE checksum mode",
        ),
        (
            CRC32,
            {"ChecksumType": "HALF"},
            "InvalidRequest",
            "Value for x-amz-checksum-type header is invalid.",
        ),
    ],
)
def test_a_completion_is_held_to_its_checksums(
    s3: Any, bucket: str, of_part: str, of_the_whole: dict[str, str], code: str, message: str
) -> None:
    where: dict[str, Any] = {"Bucket": bucket, "Key": "a"}
    where["UploadId"] = s3.create_multipart_upload(**where, ChecksumAlgorithm="CRC32")["UploadId"]
    etag = s3.upload_part(**where, PartNumber=1, Body=NINE, ChecksumCRC32=CRC32)["ETag"]

    def complete(value: str, **told: str) -> Any:
        part = {"PartNumber": 1, "ETag": etag, "ChecksumCRC32": value}
        return s3.complete_multipart_upload(**where, MultipartUpload={"Parts": [part]}, **told)

    with refused(code, message):
        complete(of_part, **of_the_whole)
    assert complete(CRC32, ChecksumCRC32=f"{COMPOSITE}-1")["ChecksumCRC32"] == f"{COMPOSITE}-1"
