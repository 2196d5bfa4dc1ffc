"""Which encryption and checksum headers S3's answers carry, on which operations; errors of keys and headers."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import TYPE_CHECKING, Any

import boto3
import pytest
import urllib3
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.engine.conftest import refused

if TYPE_CHECKING:
    from tests.engine.conftest import Engine

BODY = b"test"
MD5 = f'"{hashlib.md5(BODY).hexdigest()}"'  # noqa: S324  # S3's own ETag
NAME = "x-amz-server-side-encryption"
CRC32 = "2H9+DA=="
"""Of the body, over the plaintext."""


@pytest.fixture
def key(engine: Engine) -> str:
    return engine.key()


def error_of(call: Any) -> dict[str, Any]:
    with pytest.raises(ClientError) as caught:
        call()
    return dict(caught.value.response["Error"])


def test_an_object_without_a_word_about_encryption_is_under_sse_s3(s3: Any, bucket: str) -> None:
    answers = [
        s3.put_object(Bucket=bucket, Key="a", Body=BODY),
        s3.get_object(Bucket=bucket, Key="a"),
        s3.head_object(Bucket=bucket, Key="a"),
        s3.copy_object(Bucket=bucket, Key="b", CopySource=f"{bucket}/a"),
        s3.create_multipart_upload(Bucket=bucket, Key="c"),
    ]
    assert [answer["ServerSideEncryption"] for answer in answers] == ["AES256"] * 5
    assert {answer["ETag"] for answer in answers[:3]} == {MD5}
    assert answers[2]["ContentType"] == "binary/octet-stream"


def test_a_write_answers_with_the_checksum_that_it_came_with(s3: Any, bucket: str, key: str) -> None:
    under = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key}
    put = s3.put_object(Bucket=bucket, Key="a", Body=BODY, ChecksumAlgorithm="CRC32", **under)
    copied = s3.copy_object(Bucket=bucket, Key="b", CopySource=f"{bucket}/a")["CopyObjectResult"]
    head = s3.head_object(Bucket=bucket, Key="b", ChecksumMode="ENABLED")
    for answer in (put, head):
        assert (answer["ChecksumCRC32"], answer["ChecksumType"]) == (CRC32, "FULL_OBJECT")
    assert copied["ChecksumCRC32"] == CRC32
    assert "ChecksumType" not in copied, "S3 does not say it there"
    asked = {"Bucket": bucket, "Key": "a", "ObjectAttributes": ["Checksum", "StorageClass"]}
    attributes = s3.get_object_attributes(**asked)
    assert (attributes["Checksum"]["ChecksumCRC32"], attributes["StorageClass"]) == (CRC32, "STANDARD")


def test_an_object_without_a_checksum_gets_s3s_own(engine: Engine, s3: Any, bucket: str) -> None:
    http = urllib3.PoolManager(ca_certs=str(engine.info.ca_bundle))
    signer = presigning(engine, "s3v4")
    url = signer.generate_presigned_url("put_object", Params={"Bucket": bucket, "Key": "a"})
    put = http.request("PUT", url, body=b"123456789")
    # The check value of CRC-64/NVME in the catalogue of CRC algorithms.
    own = base64.b64encode(bytes.fromhex("ae8b14860a799888")).decode()
    assert (put.headers["x-amz-checksum-crc64nvme"], put.headers["x-amz-checksum-type"]) == (
        own,
        "FULL_OBJECT",
    )
    assert s3.head_object(Bucket=bucket, Key="a", ChecksumMode="ENABLED")["ChecksumCRC64NVME"] == own
    assert "ChecksumCRC64NVME" not in s3.head_object(Bucket=bucket, Key="a")


def test_the_managed_key_is_the_one_of_aws(engine: Engine, s3: Any, bucket: str) -> None:
    made = s3.put_object(Bucket=bucket, Key="a", Body=BODY, ServerSideEncryption="aws:kms")
    kms = engine.client("kms")
    key = kms.describe_key(KeyId=made["SSEKMSKeyId"])["KeyMetadata"]
    assert key["KeyManager"] == "AWS"
    assert key["Description"] == "Default key that protects my S3 objects when no other key is defined"
    policy = json.loads(kms.get_key_policy(KeyId=key["KeyId"])["Policy"])
    use, read = policy["Statement"]
    through = f"s3.{engine.region}.amazonaws.com"
    assert policy["Id"] == "auto-s3-2"
    assert use == {
        "Sid": "Allow access through S3 for all principals in the account that are authorized to use S3",
        "Effect": "Allow",
        "Principal": {"AWS": "*"},
        "Action": ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey"],
        "Resource": "*",
        "Condition": {"StringEquals": {"kms:CallerAccount": engine.account, "kms:ViaService": through}},
    }
    assert read["Action"] == ["kms:Describe*", "kms:Get*", "kms:List*"]
    with refused("AccessDeniedException"):
        kms.encrypt(KeyId=key["KeyId"], Plaintext=b"not through S3")


def test_a_copy_takes_its_encryption_from_the_request_or_the_bucket_alone(
    s3: Any, bucket: str, key: str
) -> None:
    under = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key, "BucketKeyEnabled": True}
    first = s3.put_object(Bucket=bucket, Key="a", Body=BODY, **under)["ETag"]
    here = {"Bucket": bucket, "Key": "a", "CopySource": f"{bucket}/a"}
    again = s3.copy_object(**here, ServerSideEncryption="aws:kms", SSEKMSKeyId=key)
    assert again["SSEKMSKeyId"] == key
    assert "BucketKeyEnabled" not in again
    assert again["CopyObjectResult"]["ETag"] not in (first, MD5)
    out = s3.copy_object(**here)
    assert (out["ServerSideEncryption"], out["CopyObjectResult"]["ETag"]) == ("AES256", MD5)
    assert "SSEKMSKeyId" not in out
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}}
    s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": [rule]})
    back = s3.copy_object(**here)
    assert (back["ServerSideEncryption"], back["SSEKMSKeyId"]) == ("aws:kms", key)
    head = s3.head_object(Bucket=bucket, Key="a")
    assert (head["SSEKMSKeyId"], head["ETag"]) == (key, back["CopyObjectResult"]["ETag"])
    assert head["ETag"] != MD5


@pytest.mark.parametrize("bucket_key", [True, False])
def test_an_upload_in_parts_tells_its_key_at_every_step(
    s3: Any, bucket: str, key: str, *, bucket_key: bool
) -> None:
    under = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key, "BucketKeyEnabled": bucket_key}
    made = s3.create_multipart_upload(Bucket=bucket, Key="a", **under)
    named = {"Bucket": bucket, "Key": "a", "UploadId": made["UploadId"]}
    content = b"part" * 1_310_720
    part = s3.upload_part(**named, PartNumber=1, Body=content)
    s3.put_object(Bucket=bucket, Key="source", Body=BODY)
    copied = s3.upload_part_copy(**named, PartNumber=2, CopySource=f"{bucket}/source")
    etags = [part["ETag"], copied["CopyPartResult"]["ETag"]]
    assert etags[1] != MD5
    parts = [{"PartNumber": number, "ETag": etag} for number, etag in enumerate(etags, 1)]
    done = s3.complete_multipart_upload(**named, MultipartUpload={"Parts": parts})
    got = s3.get_object(Bucket=bucket, Key="a")
    for answer in (made, part, copied, done, got):
        assert (answer["ServerSideEncryption"], answer["SSEKMSKeyId"]) == ("aws:kms", key)
        assert answer.get("BucketKeyEnabled", False) is bucket_key
    digest = hashlib.md5(bytes.fromhex("".join(etag.strip('"') for etag in etags))).hexdigest()  # noqa: S324  # S3's own ETag
    assert done["ETag"] == got["ETag"] == f'"{digest}-2"'
    assert s3.list_objects_v2(Bucket=bucket, Prefix="a")["Contents"][0]["ETag"] == done["ETag"]
    repeated = s3.complete_multipart_upload(**named, MultipartUpload={"Parts": parts})
    assert repeated["ETag"] == done["ETag"]
    assert got["Body"].read() == content + BODY


def test_the_added_context_is_shown_to_the_writer_only(s3: Any, bucket: str, key: str) -> None:
    context = base64.b64encode(json.dumps({"class": "blue"}).encode()).decode()
    under = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key, "SSEKMSEncryptionContext": context}
    put = s3.put_object(Bucket=bucket, Key="a", Body=BODY, **under)
    assert put["SSEKMSEncryptionContext"] == context
    for answer in (s3.get_object(Bucket=bucket, Key="a"), s3.head_object(Bucket=bucket, Key="a")):
        assert f"{NAME}-context" not in answer["ResponseMetadata"]["HTTPHeaders"]
        assert answer["SSEKMSKeyId"] == key


@pytest.mark.parametrize("wrong", ["%%%", "eA==", "WzFd", base64.b64encode(b'{"a": 1}').decode()])
def test_a_context_that_is_no_map_of_strings_is_refused(s3: Any, bucket: str, key: str, wrong: str) -> None:
    under = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key, "SSEKMSEncryptionContext": wrong}
    with refused("InvalidArgument", "holding JSON which represents a string-string map"):
        s3.put_object(Bucket=bucket, Key="a", Body=BODY, **under)


@pytest.mark.parametrize("kind", ["aws:foo", "aes256", ""])
def test_an_unknown_kind_of_encryption_is_refused(s3: Any, bucket: str, kind: str) -> None:
    error = error_of(lambda: s3.put_object(Bucket=bucket, Key="a", Body=BODY, ServerSideEncryption=kind))
    assert error["Code"] == "InvalidArgument"
    assert error["Message"] == "The encryption method specified is not supported"
    assert (error["ArgumentName"], error["ArgumentValue"] or "") == (NAME, kind)


def test_a_key_that_s3_cannot_use_is_refused_under_kmss_code(
    engine: Engine, s3: Any, bucket: str, key: str
) -> None:
    missing = "134f2428-cec1-4b25-a1ae-9048164dba47"
    elsewhere = engine.client("kms", region="eu-north-1").create_key()["KeyMetadata"]["Arn"]
    rsa = engine.key(KeySpec="RSA_2048", KeyUsage="ENCRYPT_DECRYPT")
    mac = engine.key(KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")
    gone = f"arn:aws:kms:{engine.region}:{engine.account}:key/{missing}"
    expected = {
        "fake-key-id": ("KMS.NotFoundException", "Invalid keyId 'fake-key-id'"),
        missing: ("KMS.NotFoundException", f"Key '{gone}' does not exist"),
        gone: ("KMS.NotFoundException", f"Key '{gone}' does not exist"),
        elsewhere: ("KMS.NotFoundException", "Invalid arn eu-north-1"),
        rsa: ("KMS.InvalidKeyUsageException", rsa),
        mac: ("KMS.InvalidKeyUsageException", "GENERATE_VERIFY_MAC which is not valid for GenerateDataKey"),
    }
    s3.put_object(Bucket=bucket, Key="source", Body=BODY)
    calls: list[Any] = [
        lambda **under: s3.put_object(Bucket=bucket, Key="a", Body=BODY, **under),
        lambda **under: s3.copy_object(Bucket=bucket, Key="a", CopySource=f"{bucket}/source", **under),
        lambda **under: s3.create_multipart_upload(Bucket=bucket, Key="a", **under),
    ]
    for reference, (code, words) in expected.items():
        for call in calls:
            with refused(code, words):
                call(ServerSideEncryption="aws:kms", SSEKMSKeyId=reference)
    error = error_of(lambda: calls[0](ServerSideEncryption="aws:kms", SSEKMSKeyId="fake-key-id"))
    assert error == {"Code": "KMS.NotFoundException", "Message": "Invalid keyId 'fake-key-id'"}
    assert calls[0](ServerSideEncryption="aws:kms", SSEKMSKeyId=key)["SSEKMSKeyId"] == key


def presigning(engine: Engine, version: str) -> Any:
    who = engine.administrator
    return boto3.client(
        "s3",
        aws_access_key_id=who.access_key_id,
        aws_secret_access_key=who.secret_access_key,
        aws_session_token=who.session_token,
        endpoint_url=engine.info.endpoint_url,
        region_name=engine.region,
        config=Config(signature_version=version, s3={"addressing_style": "path"}),
    )


def test_a_presigned_url_needs_signature_version_4_for_a_kms_key(
    engine: Engine, s3: Any, bucket: str, key: str
) -> None:
    http = urllib3.PoolManager(ca_certs=str(engine.info.ca_bundle))
    parameters = {"Bucket": bucket, "Key": "a"}
    under = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key}
    headers = {NAME: "aws:kms", f"{NAME}-aws-kms-key-id": key}
    url = presigning(engine, "s3v4").generate_presigned_url("put_object", Params={**parameters, **under})
    put = http.request("PUT", url, body=BODY, headers=headers)
    assert (put.status, put.headers[f"{NAME}-aws-kms-key-id"]) == (200, key)
    url = presigning(engine, "s3v4").generate_presigned_url("get_object", Params=parameters)
    assert http.request("GET", url).data == BODY
    url = presigning(engine, "s3").generate_presigned_url("get_object", Params=parameters)
    answer = http.request("GET", url)
    assert answer.status == 400
    assert b"require AWS Signature Version 4.</Message><ArgumentName>Authorization" in answer.data
    s3.put_object(Bucket=bucket, Key="a", Body=b"under SSE-S3")
    assert http.request("GET", url).data == b"under SSE-S3"


@pytest.mark.parametrize("name", ["", "-aws-kms-key-id", "-bucket-key-enabled", "-context"])
def test_only_a_write_may_say_how_to_encrypt(engine: Engine, s3: Any, bucket: str, name: str) -> None:
    s3.put_object(Bucket=bucket, Key="a", Body=BODY)
    upload = s3.create_multipart_upload(Bucket=bucket, Key="b")["UploadId"]
    client = presigning(engine, "s3v4")
    http = urllib3.PoolManager(ca_certs=str(engine.info.ca_bundle))
    get = client.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "a"})
    head = client.generate_presigned_url("head_object", Params={"Bucket": bucket, "Key": "a"})
    part_of = {"Bucket": bucket, "Key": "b", "UploadId": upload, "PartNumber": 1}
    part = client.generate_presigned_url("upload_part", Params=part_of)
    for method, url in (("GET", get), ("HEAD", head), ("PUT", part)):
        assert http.request(method, url, body=BODY if method == "PUT" else None).status == 200
        answer = http.request(method, url, headers={f"{NAME}{name}": "AES256"})
        assert answer.status == 400
        if method != "HEAD":
            assert b"header is not supported for this operation." in answer.data
