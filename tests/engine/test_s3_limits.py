"""What S3 holds every request to: lengths, and whose bucket the client expects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.engine.conftest import refused

if TYPE_CHECKING:
    from tests.engine.conftest import Engine


def test_a_key_has_at_most_1024_bytes(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="é" * 512)
    with refused("KeyTooLongError", "Your key is too long") as told:
        s3.put_object(Bucket=bucket, Key="é" * 512 + "a")
    assert (told["Size"], told["MaxSizeAllowed"]) == ("1025", "1024")


def test_metadata_has_at_most_2048_bytes(s3: Any, bucket: str) -> None:
    where = {"Bucket": bucket, "Key": "a"}
    s3.put_object(**where, Metadata={"a": "x" * 2047})
    for call in (s3.put_object, s3.create_multipart_upload):
        with refused("MetadataTooLarge") as told:
            call(**where, Metadata={"a": "x" * 2048})
        assert (told["Size"], told["MaxSizeAllowed"]) == ("2049", "2048")


def test_who_expects_another_owner_gets_nothing(s3: Any, bucket: str, engine: Engine) -> None:
    where, source = {"Bucket": bucket, "Key": "a"}, f"{bucket}/a"
    s3.put_object(**where, Body=b"content", ExpectedBucketOwner=engine.account)
    s3.copy_object(Bucket=bucket, Key="b", CopySource=source, ExpectedSourceBucketOwner=engine.account)
    for call in (s3.get_object, s3.put_object, s3.delete_object):
        with refused("AccessDenied"):
            call(**where, ExpectedBucketOwner="111122223333")
    with refused("AccessDenied"):
        s3.copy_object(Bucket=bucket, Key="b", CopySource=source, ExpectedSourceBucketOwner="111122223333")
    with refused("InvalidBucketOwnerAWSAccountID"):
        s3.get_object(**where, ExpectedBucketOwner="nobody")
    assert s3.get_object(**where)["Body"].read() == b"content"


def test_a_deletion_is_of_one_to_a_thousand_objects(s3: Any, bucket: str) -> None:
    for count in (0, 1001):
        with refused("MalformedXML"):
            s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": str(key)} for key in range(count)]})
    answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": str(key)} for key in range(1000)]})
    assert len(answer["Deleted"]) == 1000
