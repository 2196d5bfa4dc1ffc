"""SSE-KMS and DSSE-KMS: whose permissions decide, what the key is bound to, and what a key's state does."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import uuid
from typing import TYPE_CHECKING, Any

import pytest

from tests.engine.conftest import allow, policy, refused

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.engine.conftest import Engine, Principal

S3_ALL = allow("s3:*")
KMS_USE = ("kms:GenerateDataKey", "kms:Decrypt")


@pytest.fixture
def owner(engine: Engine) -> Principal:
    return engine.role(S3_ALL, allow(*KMS_USE))


def encrypt_by_default(
    engine: Engine, bucket: str, key: str, *, bucket_key: bool = False, algorithm: str = "aws:kms"
) -> None:
    rule: dict[str, Any] = {
        "ApplyServerSideEncryptionByDefault": {
            "SSEAlgorithm": algorithm,
            **({"KMSMasterKeyID": key} if key else {}),
        },
        "BucketKeyEnabled": bucket_key,
        "BlockedEncryptionTypes": {"EncryptionType": ["SSE-C"]},
    }
    engine.client("s3").put_bucket_encryption(
        Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": [rule]}
    )


def events(engine: Engine, key: str, name: str) -> list[dict[str, Any]]:
    found = engine.client("cloudtrail").lookup_events(
        LookupAttributes=[{"AttributeKey": "ResourceName", "AttributeValue": key}]
    )
    records = [json.loads(event["CloudTrailEvent"]) for event in found["Events"]]
    return [record for record in records if record["eventName"] == name]


def test_default_encryption_takes_the_buckets_key_and_names_it_by_arn(
    engine: Engine, bucket: str, key: str, owner: Principal
) -> None:
    key_id = key.rsplit("/", 1)[-1]
    encrypt_by_default(engine, bucket, key_id, bucket_key=True)
    s3 = engine.client("s3", owner)
    put = s3.put_object(Bucket=bucket, Key="a", Body=b"text")
    got = s3.get_object(Bucket=bucket, Key="a")
    assert got["Body"].read() == b"text"
    for answer in (put, got, s3.head_object(Bucket=bucket, Key="a")):
        assert answer["ServerSideEncryption"] == "aws:kms"
        assert answer["SSEKMSKeyId"] == key
        assert answer["BucketKeyEnabled"] is True


def test_the_object_arn_is_the_encryption_context_without_a_bucket_key(
    engine: Engine, bucket: str, key: str
) -> None:
    encrypt_by_default(engine, bucket, key)
    arn = f"arn:aws:s3:::{bucket}/a"
    bound = allow(*KMS_USE, Condition={"StringEquals": {"kms:EncryptionContext:aws:s3:arn": arn}})
    s3 = engine.client("s3", engine.role(S3_ALL, bound))
    s3.put_object(Bucket=bucket, Key="a", Body=b"text")
    assert s3.get_object(Bucket=bucket, Key="a")["Body"].read() == b"text"
    with refused("AccessDenied", "kms:GenerateDataKey", key):
        s3.put_object(Bucket=bucket, Key="b", Body=b"text")


def test_the_bucket_arn_is_the_encryption_context_with_a_bucket_key(
    engine: Engine, bucket: str, key: str
) -> None:
    encrypt_by_default(engine, bucket, key, bucket_key=True)
    condition = {"StringEquals": {"kms:EncryptionContext:aws:s3:arn": f"arn:aws:s3:::{bucket}"}}
    by_bucket = engine.client("s3", engine.role(S3_ALL, allow(*KMS_USE, Condition=condition)))
    by_bucket.put_object(Bucket=bucket, Key="a", Body=b"text")
    condition = {"StringEquals": {"kms:EncryptionContext:aws:s3:arn": f"arn:aws:s3:::{bucket}/a"}}
    by_object = engine.client("s3", engine.role(S3_ALL, allow(*KMS_USE, Condition=condition)))
    with refused("AccessDenied", "kms:Decrypt"):
        by_object.get_object(Bucket=bucket, Key="a")


def test_a_key_through_s3_only_is_no_use_outside(engine: Engine, bucket: str, key: str) -> None:
    encrypt_by_default(engine, bucket, key)
    via = {"StringEquals": {"kms:ViaService": f"s3.{engine.region}.amazonaws.com"}}
    reader = engine.role(S3_ALL, allow(*KMS_USE, Condition=via))
    engine.client("s3", reader).put_object(Bucket=bucket, Key="a", Body=b"text")
    with refused("AccessDeniedException", "kms:GenerateDataKey"):
        engine.client("kms", reader).generate_data_key(KeyId=key, KeySpec="AES_256")


def test_all_of_s3_without_the_key_reads_nothing(
    engine: Engine, bucket: str, key: str, owner: Principal
) -> None:
    encrypt_by_default(engine, bucket, key, bucket_key=True)
    engine.client("s3", owner).put_object(Bucket=bucket, Key="a", Body=b"text")
    operator = engine.client("s3", engine.role(S3_ALL))
    with refused("AccessDenied", "kms:Decrypt", key):
        operator.get_object(Bucket=bucket, Key="a")
    with refused("AccessDenied", "kms:GenerateDataKey", key):
        operator.put_object(Bucket=bucket, Key="b", Body=b"text")
    assert operator.head_object(Bucket=bucket, Key="a")["ContentLength"] == 4
    operator.delete_object(Bucket=bucket, Key="a")


def test_a_disabled_key_stops_reads_writes_and_copies_until_it_is_enabled(
    engine: Engine, bucket: str, key: str, owner: Principal, kms: Any
) -> None:
    encrypt_by_default(engine, bucket, key, bucket_key=True)
    s3 = engine.client("s3", owner)
    s3.put_object(Bucket=bucket, Key="a", Body=b"text")
    upload = s3.create_multipart_upload(Bucket=bucket, Key="big")["UploadId"]
    kms.disable_key(KeyId=key)
    with refused("KMS.DisabledException", "is disabled"):
        s3.get_object(Bucket=bucket, Key="a")
    with refused("KMS.DisabledException"):
        s3.put_object(Bucket=bucket, Key="b", Body=b"text")
    with refused("KMS.DisabledException"):
        s3.copy_object(Bucket=bucket, Key="c", CopySource=f"{bucket}/a")
    with refused("KMS.DisabledException"):
        s3.upload_part(Bucket=bucket, Key="big", UploadId=upload, PartNumber=1, Body=b"text")
    with refused("KMS.DisabledException"):
        s3.create_multipart_upload(Bucket=bucket, Key="bigger")
    kms.enable_key(KeyId=key)
    assert s3.get_object(Bucket=bucket, Key="a")["Body"].read() == b"text"


def test_a_key_pending_deletion_stops_reads(
    engine: Engine, bucket: str, key: str, owner: Principal, kms: Any
) -> None:
    encrypt_by_default(engine, bucket, key)
    s3 = engine.client("s3", owner)
    s3.put_object(Bucket=bucket, Key="a", Body=b"text")
    kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    with refused("KMS.KMSInvalidStateException", "pending deletion"):
        s3.get_object(Bucket=bucket, Key="a")
    kms.cancel_key_deletion(KeyId=key)


def test_an_upload_in_parts_is_encrypted_and_comes_back(
    engine: Engine, bucket: str, key: str, owner: Principal
) -> None:
    encrypt_by_default(engine, bucket, key)
    s3 = engine.client("s3", owner)
    upload = s3.create_multipart_upload(Bucket=bucket, Key="big")
    assert upload["SSEKMSKeyId"] == key
    named = {"Bucket": bucket, "Key": "big", "UploadId": upload["UploadId"]}
    parts = []
    for number, body in ((1, os.urandom(5 * 1024 * 1024)), (2, b"end")):
        parts.append((body, s3.upload_part(**named, PartNumber=number, Body=body)["ETag"]))
    finished = [{"PartNumber": i, "ETag": etag} for i, (_, etag) in enumerate(parts, 1)]
    s3.complete_multipart_upload(**named, MultipartUpload={"Parts": finished})
    assert s3.get_object(Bucket=bucket, Key="big")["Body"].read() == parts[0][0] + b"end"


def test_a_copy_moves_to_another_key_and_needs_both(
    engine: Engine, bucket: str, key: str, owner: Principal
) -> None:
    other = engine.key(engine.account_statement())
    s3 = engine.client("s3", owner)
    s3.put_object(Bucket=bucket, Key="a", Body=b"text", ServerSideEncryption="aws:kms", SSEKMSKeyId=key)
    moved = {
        "Bucket": bucket,
        "Key": "b",
        "CopySource": f"{bucket}/a",
        "ServerSideEncryption": "aws:kms",
        "SSEKMSKeyId": other,
    }
    assert s3.copy_object(**moved)["SSEKMSKeyId"] == other
    assert s3.get_object(Bucket=bucket, Key="b")["Body"].read() == b"text"
    only_new = engine.role(S3_ALL, allow(*KMS_USE, Resource=other))
    with refused("AccessDenied", "kms:Decrypt", key):
        engine.client("s3", only_new).copy_object(**moved)


def test_without_a_key_the_aws_managed_key_serves_the_account(engine: Engine, bucket: str) -> None:
    encrypt_by_default(engine, bucket, "")
    s3 = engine.client("s3", engine.role(S3_ALL))
    put = s3.put_object(Bucket=bucket, Key="a", Body=b"text")
    managed = engine.client("kms").describe_key(KeyId="alias/aws/s3")["KeyMetadata"]
    assert (put["SSEKMSKeyId"], managed["KeyManager"]) == (managed["Arn"], "AWS")
    assert s3.get_object(Bucket=bucket, Key="a")["Body"].read() == b"text"


def test_dual_layer_encryption_uses_the_key_and_no_bucket_key(
    engine: Engine, bucket: str, key: str, owner: Principal
) -> None:
    encrypt_by_default(engine, bucket, key, bucket_key=True, algorithm="aws:kms:dsse")
    s3 = engine.client("s3", owner)
    put = s3.put_object(Bucket=bucket, Key="a", Body=b"text")
    assert (put["ServerSideEncryption"], put["SSEKMSKeyId"]) == ("aws:kms:dsse", key)
    assert "BucketKeyEnabled" not in put
    assert s3.get_object(Bucket=bucket, Key="a")["Body"].read() == b"text"
    with refused("AccessDenied", "kms:Decrypt"):
        engine.client("s3", engine.role(S3_ALL)).get_object(Bucket=bucket, Key="a")


def test_a_key_id_needs_a_kind_of_encryption(engine: Engine, bucket: str, key: str, owner: Principal) -> None:
    with refused("InvalidArgument", "x-amz-server-side-encryption"):
        engine.client("s3", owner).put_object(Bucket=bucket, Key="a", Body=b"text", SSEKMSKeyId=key)


def customer_key() -> dict[str, str]:
    raw = os.urandom(32)
    return {
        "SSECustomerAlgorithm": "AES256",
        "SSECustomerKey": base64.b64encode(raw).decode(),
        "SSECustomerKeyMD5": base64.b64encode(hashlib.md5(raw).digest()).decode(),  # noqa: S324  # the API's checksum
    }


def set_blocked(engine: Engine, bucket: str, kind: str) -> None:
    rule = {
        "ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"},
        "BlockedEncryptionTypes": {"EncryptionType": [kind]},
    }
    engine.client("s3").put_bucket_encryption(
        Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": [rule]}
    )


def test_customer_provided_keys_are_blocked_unless_the_bucket_allows_them(
    engine: Engine, bucket: str
) -> None:
    s3, given = engine.client("s3"), customer_key()
    with refused("AccessDenied", "SSE-C"):
        s3.put_object(Bucket=bucket, Key="a", Body=b"text", **given)
    set_blocked(engine, bucket, "NONE")
    s3.put_object(Bucket=bucket, Key="a", Body=b"text", **given)
    assert s3.get_object(Bucket=bucket, Key="a", **given)["Body"].read() == b"text"
    set_blocked(engine, bucket, "SSE-C")
    with refused("AccessDenied", "SSE-C"):
        s3.create_multipart_upload(Bucket=bucket, Key="b", **given)
    assert s3.get_object(Bucket=bucket, Key="a", **given)["Body"].read() == b"text"


def test_a_new_bucket_says_that_it_blocks_customer_provided_keys(engine: Engine, bucket: str) -> None:
    answer = engine.client("s3").get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]
    assert answer["Rules"] == [
        {
            "ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"},
            "BucketKeyEnabled": False,
            "BlockedEncryptionTypes": {"EncryptionType": ["SSE-C"]},
        }
    ]


def test_a_bucket_policy_sees_kind_key_and_customer_algorithm(
    engine: Engine, bucket: str, key: str, owner: Principal
) -> None:
    other = engine.key(engine.account_statement())
    set_blocked(engine, bucket, "NONE")
    objects, everyone = f"arn:aws:s3:::{bucket}/*", "*"
    deny = {"Effect": "Deny", "Principal": everyone, "Action": "s3:PutObject", "Resource": objects}
    names = {
        "kind": "s3:x-amz-server-side-encryption",
        "key": "s3:x-amz-server-side-encryption-aws-kms-key-id",
        "customer": "s3:x-amz-server-side-encryption-customer-algorithm",
    }
    engine.client("s3").put_bucket_policy(
        Bucket=bucket,
        Policy=policy(
            {
                **deny,
                "Condition": {
                    "StringNotEquals": {names["kind"]: "aws:kms"},
                    "Null": {names["kind"]: "false"},
                },
            },
            {**deny, "Condition": {"StringNotEquals": {names["key"]: key}, "Null": {names["key"]: "false"}}},
            {**deny, "Condition": {"Null": {names["customer"]: "false"}}},
        ),
    )
    s3 = engine.client("s3", owner)
    for name in (key, key.rsplit("/", 1)[-1]):
        s3.put_object(Bucket=bucket, Key="a", Body=b"", ServerSideEncryption="aws:kms", SSEKMSKeyId=name)
    s3.put_object(Bucket=bucket, Key="a", Body=b"")
    wrong: list[dict[str, str]] = [
        {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": other},
        {"ServerSideEncryption": "AES256"},
        customer_key(),
    ]
    for parameters in wrong:
        with refused("AccessDenied", "explicit deny in a resource-based policy"):
            s3.put_object(Bucket=bucket, Key="a", Body=b"", **parameters)


def test_a_deny_without_tls_holds_on_the_plain_port_for_root_too(engine: Engine, bucket: str) -> None:
    deny = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"],
    }
    insecure = {**deny, "Condition": {"Bool": {"aws:SecureTransport": "false"}}}
    engine.client("s3").put_bucket_policy(Bucket=bucket, Policy=policy(insecure))
    for who in (None, engine.root):
        engine.client("s3", who).put_object(Bucket=bucket, Key="a", Body=b"")
        with refused("AccessDenied"):
            engine.client("s3", who, plain_http=True).put_object(Bucket=bucket, Key="a", Body=b"")


def test_a_bucket_key_saves_calls_but_asks_for_each_caller(
    engine: Engine, bucket: str, key: str, owner: Principal
) -> None:
    encrypt_by_default(engine, bucket, key, bucket_key=True)
    for _ in range(3):
        engine.client("s3", owner).put_object(Bucket=bucket, Key="a", Body=b"text")
    assert len(events(engine, key, "GenerateDataKey")) == 1
    engine.client("s3", engine.role(S3_ALL, allow(*KMS_USE))).put_object(Bucket=bucket, Key="a", Body=b"text")
    assert len(events(engine, key, "GenerateDataKey")) == 2


def test_without_a_bucket_key_every_write_is_a_call(
    engine: Engine, bucket: str, key: str, owner: Principal
) -> None:
    encrypt_by_default(engine, bucket, key)
    for _ in range(3):
        engine.client("s3", owner).put_object(Bucket=bucket, Key="a", Body=b"text")
    assert len(events(engine, key, "GenerateDataKey")) == 3


@pytest.fixture
def stored(engine: Engine) -> Callable[[], bytes]:
    """Everything that the engine keeps on disk for objects, as one string of bytes."""

    def read() -> bytes:
        return b"".join(
            path.read_bytes() for path in (engine.home / "engine" / "s3").rglob("*") if path.is_file()
        )

    return read


@pytest.mark.parametrize("bucket_key", [True, False])
def test_what_is_stored_for_an_object_under_a_kms_key_is_ciphertext(
    engine: Engine, bucket: str, key: str, owner: Principal, stored: Callable[[], bytes], *, bucket_key: bool
) -> None:
    encrypt_by_default(engine, bucket, key, bucket_key=bucket_key)
    engine.client("s3").put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    s3 = engine.client("s3", owner)
    first, second = (f"plain {uuid.uuid4()}".encode() for _ in range(2))
    old = s3.put_object(Bucket=bucket, Key="a", Body=first)["VersionId"]
    s3.put_object(Bucket=bucket, Key="a", Body=second)
    assert first not in stored()
    assert second not in stored()
    assert s3.get_object(Bucket=bucket, Key="a")["Body"].read() == second
    assert s3.get_object(Bucket=bucket, Key="a", VersionId=old)["Body"].read() == first
