"""Documents that S3 refuses, as recorded from it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.engine.conftest import refused


def tags(*pairs: tuple[str, str]) -> dict[str, Any]:
    return {"TagSet": [{"Key": key, "Value": value} for key, value in pairs]}


@pytest.mark.parametrize("text", ["", '{"a"', " {}", "[]"])
def test_a_bucket_policy_is_a_json_object(s3: Any, bucket: str, text: str) -> None:
    with refused("MalformedPolicy", "valid JSON and the first byte must be '{'"):
        s3.put_bucket_policy(Bucket=bucket, Policy=text)
    with refused("MalformedPolicy", "Missing required field Statement"):
        s3.put_bucket_policy(Bucket=bucket, Policy="{}")
    with refused("NoSuchBucketPolicy"):
        s3.get_bucket_policy(Bucket=bucket)


@pytest.mark.parametrize(
    ("pairs", "words", "named"),
    [
        ([("a", "1"), ("a", "2")], "multiple Tags with the same key", {"TagKey": "a"}),
        ([("a,b", "1")], "TagKey you have provided is invalid", {"TagKey": "a,b"}),
        ([("a", "1,2")], "TagValue you have provided is invalid", {"TagKey": "a", "TagValue": "1,2"}),
        ([("aws:a", "1")], "aws:|requester", {"TagKey": "aws:a"}),
    ],
)
def test_tags_that_nothing_has_are_refused(
    s3: Any, bucket: str, pairs: list[tuple[str, str]], words: str, named: dict[str, str]
) -> None:
    s3.put_object(Bucket=bucket, Key="a", Body=b"x")
    for put, what in ((s3.put_bucket_tagging, {}), (s3.put_object_tagging, {"Key": "a"})):
        with refused("InvalidTag") as told:
            put(Bucket=bucket, **what, Tagging=tags(*pairs))
        assert any(word in told["Message"] for word in words.split("|"))
        assert told.items() >= named.items()
    s3.put_object_tagging(Bucket=bucket, Key="a", Tagging=tags(("größe", "a+b=c:/@")))


@pytest.mark.parametrize("text", ["a=1&a=2", "a=1,b=2"])
def test_tags_in_a_header_are_encoded(s3: Any, bucket: str, text: str) -> None:
    with refused("InvalidArgument", "without tag name duplicates") as told:
        s3.put_object(Bucket=bucket, Key="a", Body=b"x", Tagging=text)
    assert told["ArgumentValue"] == text
    s3.put_object(Bucket=bucket, Key="a", Body=b"x", Tagging="a=1%202&b")


def test_versions_have_a_status_and_a_locked_bucket_keeps_them(s3: Any, bucket: str) -> None:
    with refused("IllegalVersioningConfigurationException"):
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={})
    locked = f"{bucket}-locked"
    s3.create_bucket(Bucket=locked, ObjectLockEnabledForBucket=True)
    with refused("InvalidBucketState", "versioning state cannot be changed"):
        s3.put_bucket_versioning(Bucket=locked, VersioningConfiguration={"Status": "Suspended"})
    s3.put_bucket_versioning(Bucket=locked, VersioningConfiguration={"Status": "Enabled"})


def test_cors_rules_have_methods_that_there_are(s3: Any, bucket: str) -> None:
    def put(*rules: dict[str, Any]) -> None:
        s3.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": list(rules)})

    with refused("MalformedXML"):
        put()
    with refused("InvalidRequest", "Unsupported method is PATCH"):
        put({"AllowedMethods": ["GET", "PATCH"], "AllowedOrigins": ["*"]})
    rule = {"AllowedMethods": ["GET", "HEAD"], "AllowedOrigins": ["*"]}
    put(rule)
    assert s3.get_bucket_cors(Bucket=bucket)["CORSRules"] == [rule]
