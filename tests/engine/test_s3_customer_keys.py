"""SSE-C: blocked on new buckets, and where it is allowed nothing is read without the key; errors as S3 words them."""

from __future__ import annotations

import base64
import hashlib
import os
import uuid
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from tests.engine.conftest import refused

if TYPE_CHECKING:
    from tests.engine.conftest import Engine

BODY = b"test-sse-c"
NAME = "x-amz-server-side-encryption"
STORED = "The object was stored using a form of Server Side Encryption."
CORRECT = "must provide the correct secret key."


@pytest.fixture
def bucket(s3: Any, bucket: str) -> str:
    """A versioned bucket that allows SSE-C."""
    allowed = {"BlockedEncryptionTypes": {"EncryptionType": ["NONE"]}}
    s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": [allowed]})
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    return bucket


def a_key(size: int = 32) -> dict[str, str]:
    raw = os.urandom(size)
    return {
        "SSECustomerAlgorithm": "AES256",
        "SSECustomerKey": base64.b64encode(raw).decode(),
        "SSECustomerKeyMD5": base64.b64encode(hashlib.md5(raw).digest()).decode(),  # noqa: S324  # the API's checksum
    }


def of_source(key: dict[str, str]) -> dict[str, str]:
    return {f"CopySource{name}": value for name, value in key.items()}


def md5(content: bytes) -> str:
    return f'"{hashlib.md5(content).hexdigest()}"'  # noqa: S324  # S3's own ETag


def test_an_object_comes_back_with_its_key_and_says_so(s3: Any, bucket: str) -> None:
    key = a_key()
    put = s3.put_object(Bucket=bucket, Key="a", Body=BODY, **key)
    got, head = (
        s3.get_object(Bucket=bucket, Key="a", **key),
        s3.head_object(Bucket=bucket, Key="a", **key),
    )
    assert got["Body"].read() == BODY
    for answer in (put, got, head):
        assert answer["SSECustomerAlgorithm"] == "AES256"
        assert answer["SSECustomerKeyMD5"] == key["SSECustomerKeyMD5"]
        assert "ServerSideEncryption" not in answer
        assert answer["ETag"] == put["ETag"] != md5(BODY)
    attributes = s3.get_object_attributes(Bucket=bucket, Key="a", ObjectAttributes=["ObjectSize"], **key)
    assert attributes["ObjectSize"] == len(BODY)


def test_without_the_key_or_with_another_nothing_is_read(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="a", Body=BODY, **a_key())
    named = {"Bucket": bucket, "Key": "a"}
    with refused("InvalidRequest", STORED):
        s3.get_object(**named)
    with refused("InvalidRequest", STORED):
        s3.get_object_attributes(**named, ObjectAttributes=["ObjectSize"])
    with refused("InvalidRequest", STORED):
        s3.copy_object(Bucket=bucket, Key="b", CopySource=f"{bucket}/a")
    with refused("400"):
        s3.head_object(**named)
    for other in (a_key(), a_key(10)):
        with refused("AccessDenied", CORRECT):
            s3.get_object(**named, **other)
    s3.put_object(Bucket=bucket, Key="plain", Body=BODY)
    with refused("InvalidRequest", "The encryption parameters are not applicable to this object."):
        s3.get_object(Bucket=bucket, Key="plain", **a_key())


@pytest.mark.parametrize(
    ("wrong", "code", "value", "words"),
    [
        (
            {"SSECustomerAlgorithm": "AES128"},
            "InvalidEncryptionAlgorithmError",
            "AES128",
            "Supported value: AES256.",
        ),
        (
            {"SSECustomerAlgorithm": ""},
            "InvalidArgument",
            "null",
            "must provide a valid encryption algorithm.",
        ),
        ({"SSECustomerKey": ""}, "InvalidArgument", "null", "must provide an appropriate secret key."),
        ({"SSECustomerKeyMD5": ""}, "InvalidArgument", "null", "calculated MD5 of the secret key."),
        (
            {"SSECustomerKeyMD5": a_key()["SSECustomerKeyMD5"]},
            "InvalidArgument",
            "null",
            "The calculated MD5 hash of the key did not match the hash that was provided.",
        ),
        (a_key(10), "InvalidArgument", "null", "The secret key was invalid for the specified algorithm."),
        (
            {"ServerSideEncryption": "AES256"},
            "InvalidArgument",
            "AES256",
            "is incompatible with the encryption method specified",
        ),
    ],
)
def test_headers_that_do_not_fit_are_refused(
    s3: Any, bucket: str, wrong: dict[str, str], code: str, value: str, words: str
) -> None:
    # An MD5 that is left out would be made up by botocore.
    given = {name: text for name, text in {**a_key(), **wrong}.items() if text or name.endswith("MD5")}
    with pytest.raises(ClientError) as caught:
        s3.put_object(Bucket=bucket, Key="a", Body=BODY, **given)
    error: dict[str, Any] = dict(caught.value.response["Error"])
    assert (error["Code"], error["ArgumentName"], error["ArgumentValue"]) == (code, NAME, value)
    assert error["Message"].endswith(words)


def test_each_version_has_its_own_key_and_a_deletion_needs_none(s3: Any, bucket: str) -> None:
    first, second = a_key(), a_key()
    old = s3.put_object(Bucket=bucket, Key="a", Body=b"first", **first)["VersionId"]
    new = s3.put_object(Bucket=bucket, Key="a", Body=b"second", **second)["VersionId"]
    got = s3.get_object(Bucket=bucket, Key="a", VersionId=old, **first)
    assert got["Body"].read() == b"first"
    with refused("AccessDenied", CORRECT):
        s3.get_object(Bucket=bucket, Key="a", VersionId=old, **second)
    s3.delete_object(Bucket=bucket, Key="a", VersionId=new)
    assert s3.get_object(Bucket=bucket, Key="a", **first)["Body"].read() == b"first"


def test_an_object_from_before_versioning_keeps_its_key(s3: Any, engine: Engine) -> None:
    name, key = f"bucket-{uuid.uuid4().hex[:16]}", a_key()
    s3.create_bucket(Bucket=name)
    allowed = {"BlockedEncryptionTypes": {"EncryptionType": ["NONE"]}}
    s3.put_bucket_encryption(Bucket=name, ServerSideEncryptionConfiguration={"Rules": [allowed]})
    s3.put_object(Bucket=name, Key="a", Body=BODY, **key)
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    s3.put_object(Bucket=name, Key="a", Body=b"newer")
    assert s3.get_object(Bucket=name, Key="a", VersionId="null", **key)["Body"].read() == BODY


def test_copies_leave_and_enter_sse_c(s3: Any, bucket: str) -> None:
    key, other = a_key(), a_key()
    s3.put_object(Bucket=bucket, Key="a", Body=BODY, **key)
    out = s3.copy_object(Bucket=bucket, Key="out", CopySource=f"{bucket}/a", **of_source(key))
    assert (out["ServerSideEncryption"], out["CopyObjectResult"]["ETag"]) == ("AES256", md5(BODY))
    assert s3.get_object(Bucket=bucket, Key="out")["Body"].read() == BODY
    s3.copy_object(Bucket=bucket, Key="again", CopySource=f"{bucket}/a", **of_source(key), **other)
    assert s3.get_object(Bucket=bucket, Key="again", **other)["Body"].read() == BODY
    s3.copy_object(Bucket=bucket, Key="in", CopySource=f"{bucket}/out", **other)
    assert s3.get_object(Bucket=bucket, Key="in", **other)["Body"].read() == BODY


def test_another_key_for_a_source_or_for_attributes_is_denied_without_a_reason(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="a", Body=BODY, **a_key())
    with refused("AccessDenied") as told:
        s3.copy_object(Bucket=bucket, Key="b", CopySource=f"{bucket}/a", **of_source(a_key()))
    assert told["Message"] == "Access Denied"
    with refused("AccessDenied") as told:
        s3.get_object_attributes(Bucket=bucket, Key="a", ObjectAttributes=["ETag"], **a_key())
    assert told["Message"] == "Access Denied"


def test_parts_need_the_uploads_key_and_the_completion_does_not(s3: Any, bucket: str) -> None:
    key = a_key()
    upload = s3.create_multipart_upload(Bucket=bucket, Key="a", **key)
    named = {"Bucket": bucket, "Key": "a", "UploadId": upload["UploadId"]}
    with refused("InvalidRequest", "The multipart upload initiate requested encryption."):
        s3.upload_part(**named, PartNumber=1, Body=BODY)
    with refused("InvalidRequest", "did not match the ones used originally."):
        s3.upload_part(**named, PartNumber=1, Body=BODY, **a_key())
    etag = s3.upload_part(**named, PartNumber=1, Body=BODY, **key)["ETag"]
    assert etag != md5(BODY)
    done = s3.complete_multipart_upload(**named, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": etag}]})
    assert "SSECustomerKeyMD5" not in done
    assert s3.get_object(Bucket=bucket, Key="a", **key)["Body"].read() == BODY
    plain = s3.create_multipart_upload(Bucket=bucket, Key="b")
    with refused("InvalidRequest", "The multipart upload initiate requested encryption."):
        s3.upload_part(Bucket=bucket, Key="b", UploadId=plain["UploadId"], PartNumber=1, Body=BODY, **key)


def test_a_bucket_that_blocks_sse_c_says_so(s3: Any) -> None:
    name = f"bucket-{uuid.uuid4().hex[:16]}"
    s3.create_bucket(Bucket=name)
    words = (
        f'is not authorized to perform: s3:PutObject on resource: "arn:aws:s3:::{name}/a" because this bucket has '
        "blocked upload requests that specify Server Side Encryption with Customer provided keys (SSE-C). Please "
        "specify a different server-side encryption type"
    )
    with refused("AccessDenied", words, "kmslab-administrator"):
        s3.put_object(Bucket=name, Key="a", Body=BODY, **a_key())
    with refused("InvalidArgument"):
        s3.put_object(Bucket=name, Key="a", Body=BODY, **a_key(10))
