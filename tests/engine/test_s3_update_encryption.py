"""UpdateObjectEncryption moves an object to another key in place; the ETag under a key tells nothing."""

from __future__ import annotations

import hashlib
import uuid
from typing import TYPE_CHECKING, Any

import pytest

from tests.engine.conftest import allow, refused

if TYPE_CHECKING:
    from tests.engine.conftest import Engine, Principal

UPDATE = ("kms:GenerateDataKey", "kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*")
BODY = b"text"
MD5 = hashlib.md5(BODY).hexdigest()  # noqa: S324  # S3's own ETag


@pytest.fixture
def bucket(engine: Engine) -> str:
    name = f"bucket-{uuid.uuid4().hex[:16]}"
    s3 = engine.client("s3")
    s3.create_bucket(Bucket=name)
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    return name


@pytest.fixture
def owner(engine: Engine) -> Principal:
    return engine.role(allow("s3:*"), allow(*UPDATE))


def to(key: str, *, bucket_key: bool = False) -> dict[str, Any]:
    return {"SSEKMS": {"KMSKeyArn": key, "BucketKeyEnabled": bucket_key}}


def test_the_object_is_under_the_new_key_and_otherwise_as_it_was(
    engine: Engine, bucket: str, key: str, owner: Principal
) -> None:
    s3 = engine.client("s3", owner)
    s3.put_object(Bucket=bucket, Key="a", Body=BODY, Metadata={"colour": "green"})
    before = s3.head_object(Bucket=bucket, Key="a")
    s3.update_object_encryption(Bucket=bucket, Key="a", ObjectEncryption=to(key, bucket_key=True))
    after = s3.get_object(Bucket=bucket, Key="a")
    assert (after["ServerSideEncryption"], after["SSEKMSKeyId"]) == ("aws:kms", key)
    assert after["BucketKeyEnabled"] is True
    assert after["Body"].read() == BODY
    for same in ("ETag", "VersionId", "LastModified", "Metadata", "ContentType"):
        assert after[same] == before[same]
    by_version = s3.head_object(Bucket=bucket, Key="a", VersionId=before["VersionId"])
    assert by_version["SSEKMSKeyId"] == key
    assert len(s3.list_object_versions(Bucket=bucket)["Versions"]) == 1


def test_from_one_key_to_another_the_old_one_is_needed_too(
    engine: Engine, bucket: str, key: str, owner: Principal
) -> None:
    other = engine.key(engine.account_statement())
    s3 = engine.client("s3", owner)
    s3.put_object(Bucket=bucket, Key="a", Body=BODY, ServerSideEncryption="aws:kms", SSEKMSKeyId=key)
    new_key_only = engine.client("s3", engine.role(allow("s3:*"), allow(*UPDATE, Resource=other)))
    with refused("AccessDenied", "kms:Decrypt", key):
        new_key_only.update_object_encryption(Bucket=bucket, Key="a", ObjectEncryption=to(other))
    s3.update_object_encryption(Bucket=bucket, Key="a", ObjectEncryption=to(other))
    got = new_key_only.get_object(Bucket=bucket, Key="a")
    assert (got["SSEKMSKeyId"], got["Body"].read()) == (other, BODY)
    assert "BucketKeyEnabled" not in got


@pytest.mark.parametrize("missing", ["kms:GenerateDataKey", "kms:Encrypt", "kms:ReEncryptTo"])
def test_the_new_key_must_be_permitted(engine: Engine, bucket: str, key: str, missing: str) -> None:
    engine.client("s3").put_object(Bucket=bucket, Key="a", Body=BODY)
    given = [one for one in ("kms:GenerateDataKey", "kms:Encrypt", "kms:ReEncryptTo") if one != missing]
    s3 = engine.client("s3", engine.role(allow("s3:*"), allow(*given)))
    with refused("AccessDenied", missing):
        s3.update_object_encryption(Bucket=bucket, Key="a", ObjectEncryption=to(key))
    assert "SSEKMSKeyId" not in s3.get_object(Bucket=bucket, Key="a")


def test_it_is_an_action_of_its_own(engine: Engine, bucket: str, key: str) -> None:
    engine.client("s3").put_object(Bucket=bucket, Key="a", Body=BODY)
    put_only = engine.role(allow("s3:PutObject", "s3:PutEncryptionConfiguration"), allow(*UPDATE))
    with refused("AccessDenied", "s3:UpdateObjectEncryption"):
        engine.client("s3", put_only).update_object_encryption(
            Bucket=bucket, Key="a", ObjectEncryption=to(key)
        )


def test_dual_layer_objects_and_missing_ones_are_refused(
    engine: Engine, bucket: str, key: str, owner: Principal
) -> None:
    s3 = engine.client("s3", owner)
    s3.put_object(Bucket=bucket, Key="a", Body=BODY, ServerSideEncryption="aws:kms:dsse", SSEKMSKeyId=key)
    with refused("InvalidRequest", "with the encryption type DSSE-KMS or SSE-C."):
        s3.update_object_encryption(Bucket=bucket, Key="a", ObjectEncryption=to(key))
    with refused("NoSuchKey"):
        s3.update_object_encryption(Bucket=bucket, Key="c", ObjectEncryption=to(key))
    with refused("NoSuchVersion"):
        s3.update_object_encryption(Bucket=bucket, Key="a", VersionId="x", ObjectEncryption=to(key))


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ({}, "require a valid new encryption type. Valid values are SSEKMS."),
        ({"SSEKMS": {}}, "require an AWS KMS key Amazon Resource Name (ARN)."),
        (
            to("1234abcd-12ab-34cd-56ef-1234567890ab"),
            "require a valid AWS KMS key Amazon Resource Name (ARN).",
        ),
        (
            to("arn:aws:kms:us-east-1:111122223333:alias/a"),
            "require a valid AWS KMS key Amazon Resource Name",
        ),
    ],
)
def test_what_is_not_the_arn_of_a_key_is_refused(
    engine: Engine, bucket: str, owner: Principal, wanted: dict[str, Any], words: str
) -> None:
    s3 = engine.client("s3", owner)
    s3.put_object(Bucket=bucket, Key="a", Body=BODY)
    with refused("InvalidRequest", words):
        s3.update_object_encryption(Bucket=bucket, Key="a", ObjectEncryption=wanted)


def test_a_key_of_another_account_is_refused(engine: Engine, bucket: str, owner: Principal) -> None:
    s3 = engine.client("s3", owner)
    s3.put_object(Bucket=bucket, Key="a", Body=BODY)
    foreign = f"arn:aws:kms:{engine.region}:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
    with refused("AccessDenied", "must be owned by the same account as the bucket."):
        s3.update_object_encryption(Bucket=bucket, Key="a", ObjectEncryption=to(foreign))


def test_an_object_under_a_legal_hold_is_left_alone(engine: Engine, key: str, owner: Principal) -> None:
    s3, bucket = engine.client("s3", owner), f"bucket-{uuid.uuid4().hex[:16]}"
    s3.create_bucket(Bucket=bucket, ObjectLockEnabledForBucket=True)
    s3.put_object(Bucket=bucket, Key="a", Body=BODY, ObjectLockLegalHoldStatus="ON")
    with refused("AccessDenied", "protected by S3 Object Lock"):
        s3.update_object_encryption(Bucket=bucket, Key="a", ObjectEncryption=to(key))
    s3.put_object_legal_hold(Bucket=bucket, Key="a", LegalHold={"Status": "OFF"})
    s3.update_object_encryption(Bucket=bucket, Key="a", ObjectEncryption=to(key))
    assert s3.head_object(Bucket=bucket, Key="a")["SSEKMSKeyId"] == key


def test_an_older_version_moves_by_itself(engine: Engine, bucket: str, key: str, owner: Principal) -> None:
    s3 = engine.client("s3", owner)
    older = s3.put_object(Bucket=bucket, Key="a", Body=BODY)["VersionId"]
    s3.put_object(Bucket=bucket, Key="a", Body=b"newer")
    s3.update_object_encryption(Bucket=bucket, Key="a", VersionId=older, ObjectEncryption=to(key))
    moved = s3.get_object(Bucket=bucket, Key="a", VersionId=older)
    assert (moved["SSEKMSKeyId"], moved["ETag"], moved["Body"].read()) == (key, f'"{MD5}"', BODY)
    newer = s3.get_object(Bucket=bucket, Key="a")
    assert newer["Body"].read() == b"newer"
    assert "SSEKMSKeyId" not in newer
    engine.client("kms").disable_key(KeyId=key)
    with refused("KMS.DisabledException"):
        s3.get_object(Bucket=bucket, Key="a", VersionId=older)
    s3.delete_object(Bucket=bucket, Key="a", VersionId=older)
    assert s3.get_object(Bucket=bucket, Key="a")["Body"].read() == b"newer"


def test_the_etag_is_the_digest_only_where_there_is_no_key(
    engine: Engine, bucket: str, key: str, owner: Principal
) -> None:
    s3 = engine.client("s3", owner)
    under_the_key = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key}
    plain = s3.put_object(Bucket=bucket, Key="a", Body=BODY)["ETag"]
    sealed = [s3.put_object(Bucket=bucket, Key="b", Body=BODY, **under_the_key)["ETag"] for _ in range(2)]
    assert plain == f'"{MD5}"'
    assert len({plain, *sealed}) == 3
    assert s3.head_object(Bucket=bucket, Key="b")["ETag"] == sealed[-1]
