"""Uploads in parts as recorded from S3: what makes no object, and the checksum of the whole."""

from __future__ import annotations

import base64
import hashlib
import zlib
from dataclasses import astuple
from typing import TYPE_CHECKING, Any

import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as SigningKey
from botocore.httpsession import URLLib3Session

from kmslab.engine.s3.crc import combined
from tests.engine.conftest import refused

if TYPE_CHECKING:
    from tests.engine.conftest import Engine

LARGE = bytes(5 * 1024 * 1024)
KEY = "large"


class Upload:
    """An upload of one object, and the parts that came."""

    def __init__(self, s3: Any, bucket: str, **given: Any) -> None:
        self.s3, self.where = s3, {"Bucket": bucket, "Key": KEY}
        self.made = s3.create_multipart_upload(**self.where, **given)
        self.named = {**self.where, "UploadId": self.made["UploadId"]}

    def part(self, number: int, content: bytes, **given: Any) -> dict[str, Any]:
        """Send a part, and return how a completion names it."""
        sent = self.s3.upload_part(**self.named, PartNumber=number, Body=content, **given)
        return {"PartNumber": number, "ETag": sent["ETag"]}

    def complete(self, *parts: dict[str, Any], **given: Any) -> Any:
        return self.s3.complete_multipart_upload(
            **self.named, MultipartUpload={"Parts": list(parts)}, **given
        )


def crc32(content: bytes) -> str:
    return base64.b64encode(zlib.crc32(content).to_bytes(4)).decode()


def test_a_crc_is_combined_of_those_of_the_pieces() -> None:
    first, second = b"KMS" * 999, b"Lab" * 12_345
    of = {content: zlib.crc32(content).to_bytes(4) for content in (first, second, b"", first + second)}
    assert combined("CRC32", of[first], of[second], len(second)) == of[first + second]
    assert combined("CRC32", of[first], of[b""], 0) == of[first]


def test_parts_that_make_no_object_are_refused(s3: Any, bucket: str) -> None:
    upload = Upload(s3, bucket)
    one, two = upload.part(1, b"small"), upload.part(2, b"small")
    with refused("EntityTooSmall") as told:
        upload.complete(one, two)
    etag = one["ETag"].strip('"')
    assert told.items() >= {"ETag": etag, "PartNumber": "1", "ProposedSize": "5"}.items()
    with refused("InvalidPartOrder", "ascending order") as told:
        upload.complete(two, one)
    assert told["UploadId"] == upload.named["UploadId"]
    for wrong in (
        {**one, "ETag": '"bad"'},
        {**one, "PartNumber": 3},
        {**one, "ChecksumCRC32": crc32(b"small")},
    ):
        with refused("InvalidPart", "may not have been uploaded"):
            upload.complete(wrong)
    with refused("InvalidRequest", "at least one part"):
        upload.complete()
    assert upload.complete(two)["ETag"].endswith('-1"')


def test_uploads_and_parts_are_listed_in_full(s3: Any, bucket: str) -> None:
    upload = Upload(s3, bucket, ChecksumAlgorithm="CRC32")
    upload.part(1, b"a", ChecksumAlgorithm="CRC32")
    parts = s3.list_parts(**upload.named)
    assert (parts["NextPartNumberMarker"], parts["ChecksumAlgorithm"]) == (1, "CRC32")
    assert parts["ChecksumType"] == "COMPOSITE"
    assert parts["Parts"][0]["ChecksumCRC32"] == crc32(b"a")
    uploads = s3.list_multipart_uploads(Bucket=bucket)
    assert (uploads["NextKeyMarker"], uploads["NextUploadIdMarker"]) == (KEY, upload.named["UploadId"])
    assert uploads["Uploads"][0]["ChecksumType"] == "COMPOSITE"
    plain = Upload(s3, bucket)
    plain.part(1, b"a", ChecksumAlgorithm="CRC32")
    assert "ChecksumCRC32" not in s3.list_parts(**plain.named)["Parts"][0]


def test_the_checksum_of_the_whole_is_of_the_content_or_of_the_parts(s3: Any, bucket: str) -> None:
    contents = (LARGE, b"the end")
    whole = Upload(s3, bucket, ChecksumAlgorithm="CRC32", ChecksumType="FULL_OBJECT")
    parts = [
        whole.part(number, content, ChecksumAlgorithm="CRC32") for number, content in enumerate(contents, 1)
    ]
    with refused("BadDigest", "crc32 you specified"):
        whole.complete(*parts, ChecksumCRC32=crc32(b"another"))
    made = whole.complete(*parts, ChecksumCRC32=crc32(b"".join(contents)))
    assert (made["ChecksumCRC32"], made["ChecksumType"]) == (crc32(b"".join(contents)), "FULL_OBJECT")
    seen = s3.head_object(**whole.where, ChecksumMode="ENABLED")
    assert (seen["ChecksumCRC32"], seen["ChecksumType"]) == (made["ChecksumCRC32"], "FULL_OBJECT")
    asked = ["Checksum", "ObjectParts"]
    told = s3.get_object_attributes(**whole.where, ObjectAttributes=asked)
    assert (told["ObjectParts"], told["Checksum"]["ChecksumType"]) == ({"TotalPartsCount": 2}, "FULL_OBJECT")

    composite = Upload(s3, bucket, ChecksumAlgorithm="SHA256")
    digest = base64.b64encode(hashlib.sha256(b"a").digest()).decode()
    composite.complete({**composite.part(1, b"a", ChecksumAlgorithm="SHA256"), "ChecksumSHA256": digest})
    told = s3.get_object_attributes(**composite.where, ObjectAttributes=asked)
    assert told["Checksum"]["ChecksumType"] == "COMPOSITE"
    assert told["ObjectParts"]["Parts"] == [{"PartNumber": 1, "Size": 1, "ChecksumSHA256": digest}]


def test_an_upload_without_an_algorithm_gets_s3s_own_checksum(engine: Engine, s3: Any, bucket: str) -> None:
    upload = Upload(s3, bucket)
    made = upload.complete(upload.part(1, b"abc"))
    assert (made["ChecksumCRC64NVME"], made["ChecksumType"]) == ("BeXKuz/B+us=", "FULL_OBJECT")
    again = Upload(s3, bucket)
    part = again.part(1, b"abc")
    with refused("InvalidRequest", "created using the null checksum mode"):
        again.complete(part, ChecksumType="COMPOSITE")
    assert again.complete(part, ChecksumType="FULL_OBJECT")["ETag"] == made["ETag"]
    key = engine.client("kms").create_key()["KeyMetadata"]["KeyId"]
    under = Upload(s3, bucket, ServerSideEncryption="aws:kms", SSEKMSKeyId=key)
    assert "ChecksumCRC64NVME" not in under.complete(under.part(1, b"abc"))
    seen = s3.head_object(**under.where, ChecksumMode="ENABLED")
    assert seen["ChecksumCRC64NVME"] == made["ChecksumCRC64NVME"]


def test_a_key_that_no_xml_can_hold_is_uploaded_all_the_same(engine: Engine, bucket: str) -> None:
    signing = S3SigV4Auth(SigningKey(*astuple(engine.administrator)), "s3", engine.region)
    for method, path in (("POST", "/control%02?uploads="), ("GET", "?uploads=")):
        request = AWSRequest(method, f"{engine.info.plain_http_url}/{bucket}{path}", data=b"")
        signing.add_auth(request)
        answer = URLLib3Session().send(request.prepare())
        assert (answer.status_code, b"<UploadId>" in answer.content) == (200, True)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"ChecksumType": "COMPOSITE"}, "can only be used with"),
        ({"ChecksumType": "FULL_OBJECT", "ChecksumAlgorithm": "SHA1"}, "cannot be used with the sha1"),
        (
            {"ChecksumType": "COMPOSITE", "ChecksumAlgorithm": "CRC64NVME"},
            "cannot be used with the crc64nvme",
        ),
    ],
)
def test_not_every_kind_of_checksum_fits_every_algorithm(
    s3: Any, bucket: str, given: dict[str, str], words: str
) -> None:
    with refused("InvalidRequest", words):
        Upload(s3, bucket, **given)


def test_a_completion_is_repeated_with_the_same_parts_only(s3: Any, bucket: str) -> None:
    """Recorded by OpenStack Swift's tests of the S3 API, which are run against AWS too."""
    upload = Upload(s3, bucket)
    first, second = upload.part(1, LARGE), upload.part(2, b"b")
    made = upload.complete(first, second, IfNoneMatch="*")
    with refused("NoSuchUpload", "The specified upload does not exist"):
        upload.complete(first, IfNoneMatch="*")
    assert upload.complete(first, second, IfNoneMatch="*")["ETag"] == made["ETag"]
