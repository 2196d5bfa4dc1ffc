"""PutBucketEncryption, GetBucketEncryption, DeleteBucketEncryption: what is taken, refused and reported."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from tests.engine.conftest import refused

if TYPE_CHECKING:
    from collections.abc import Callable


DEFAULT = "ApplyServerSideEncryptionByDefault"
KMS: dict[str, Any] = {DEFAULT: {"SSEAlgorithm": "aws:kms"}}
SSE_S3: dict[str, Any] = {DEFAULT: {"SSEAlgorithm": "AES256"}}
BLOCKS_SSE_C = {"EncryptionType": ["SSE-C"]}
BLOCKS_NOTHING = {"EncryptionType": ["NONE"]}


def put(s3: Any, bucket: str, *rules: dict[str, Any]) -> None:
    s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": list(rules)})


def rules_of(s3: Any, bucket: str) -> Any:
    return s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]


def test_every_bucket_has_a_default_also_after_it_was_deleted(s3: Any, bucket: str) -> None:
    default = [{**SSE_S3, "BucketKeyEnabled": False, "BlockedEncryptionTypes": BLOCKS_SSE_C}]
    assert rules_of(s3, bucket) == default
    put(s3, bucket, KMS)
    assert rules_of(s3, bucket) == [{**default[0], **KMS}]
    for _ in range(2):
        assert s3.delete_bucket_encryption(Bucket=bucket)["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert rules_of(s3, bucket) == default


def test_a_key_is_reported_as_it_was_given_and_not_checked(s3: Any, bucket: str) -> None:
    rule = {DEFAULT: {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": "alias/<none>"}, "BucketKeyEnabled": True}
    put(s3, bucket, rule)
    assert rules_of(s3, bucket) == [{**rule, "BlockedEncryptionTypes": BLOCKS_SSE_C}]
    with refused("KMS.NotFoundException", "alias/<none> is not found"):
        s3.put_object(Bucket=bucket, Key="a", Body=b"")


def test_a_bucket_key_without_a_kms_key_shows_in_the_configuration_only(s3: Any, bucket: str) -> None:
    put(s3, bucket, {**SSE_S3, "BucketKeyEnabled": True})
    assert rules_of(s3, bucket)[0]["BucketKeyEnabled"] is True
    made = s3.put_object(Bucket=bucket, Key="a", Body=b"")
    assert made["ServerSideEncryption"] == "AES256"
    assert "BucketKeyEnabled" not in made


def test_what_is_blocked_stays_until_the_request_says_otherwise(s3: Any, bucket: str) -> None:
    put(s3, bucket, {**KMS, "BucketKeyEnabled": True})
    put(s3, bucket, {"BlockedEncryptionTypes": BLOCKS_NOTHING})
    kept = {**KMS, "BucketKeyEnabled": True, "BlockedEncryptionTypes": BLOCKS_NOTHING}
    assert rules_of(s3, bucket) == [kept]
    put(s3, bucket, SSE_S3)
    assert rules_of(s3, bucket) == [
        {**SSE_S3, "BucketKeyEnabled": False, "BlockedEncryptionTypes": BLOCKS_NOTHING}
    ]


@pytest.mark.parametrize(
    "rules",
    [
        [],
        [KMS, SSE_S3],
        [{}],
        [{DEFAULT: {}}],
        [{DEFAULT: {"SSEAlgorithm": "aes256"}}],
        [{DEFAULT: {"SSEAlgorithm": "aws:fsx"}}],
        [{**SSE_S3, "BlockedEncryptionTypes": {"EncryptionType": ["SSE-KMS"]}}],
        [{**SSE_S3, "BlockedEncryptionTypes": {"EncryptionType": []}}],
    ],
)
def test_a_configuration_that_is_none_is_malformed(s3: Any, bucket: str, rules: list[dict[str, Any]]) -> None:
    put(s3, bucket, KMS)
    before = rules_of(s3, bucket)
    with refused("MalformedXML", "did not validate against our published schema"):
        put(s3, bucket, *rules)
    assert rules_of(s3, bucket) == before


def test_a_key_fits_no_sse_s3(s3: Any, bucket: str) -> None:
    with pytest.raises(ClientError) as caught:
        put(s3, bucket, {DEFAULT: {"SSEAlgorithm": "AES256", "KMSMasterKeyID": "alias/a"}})
    assert caught.value.response["Error"] == {
        "Code": "InvalidArgument",
        "Message": "a KMSMasterKeyID is not applicable if the default sse algorithm is not aws:kms or aws:kms:dsse",
        "ArgumentName": DEFAULT,
    }


def test_a_bucket_that_is_missing_is_named_before_the_configuration_is_read(s3: Any) -> None:
    bucket = f"missing-{uuid.uuid4().hex[:16]}"
    calls: list[Callable[[], Any]] = [
        lambda: put(s3, bucket),
        lambda: s3.get_bucket_encryption(Bucket=bucket),
        lambda: s3.delete_bucket_encryption(Bucket=bucket),
    ]
    for call in calls:
        with pytest.raises(ClientError) as caught:
            call()
        assert caught.value.response["Error"] == {
            "Code": "NoSuchBucket",
            "Message": "The specified bucket does not exist",
            "BucketName": bucket,
        }
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 404
