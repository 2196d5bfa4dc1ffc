"""Log files: what is delivered, and to whom it opens."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.engine.conftest import allow, policy, principal_allow, refused
from tests.engine.trails import Trail, used

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.engine.conftest import Engine, Principal


@pytest.fixture
def trail(engine: Engine) -> Iterator[Trail]:
    made = Trail(engine)
    yield made
    made.trails.delete_trail(Name=made.name)


def of(records: list[dict[str, Any]], key: str, name: str) -> list[dict[str, Any]]:
    return [
        one
        for one in records
        if one["eventName"] == name and key in {each["ARN"] for each in one.get("resources") or []}
    ]


def test_what_was_done_is_delivered_once(engine: Engine, trail: Trail) -> None:
    key = used(engine)
    assert {"LatestDeliveryTime", "LatestDigestDeliveryTime"} <= trail.status().keys()
    trail.status()
    (event,) = of(trail.records(), key, "Encrypt")
    assert event["userIdentity"]["arn"]


def test_files_are_named_as_aws_names_them(engine: Engine, trail: Trail) -> None:
    used(engine)
    trail.status()
    (log_file,) = trail.keys("CloudTrail")
    parts = log_file.split("/")
    assert parts[:2] == ["AWSLogs", engine.account]
    account, kind, region, when, unique = parts[-1].removesuffix(".json.gz").split("_")
    assert (account, kind, region) == (engine.account, "CloudTrail", engine.region)
    assert when.startswith("".join(parts[4:7]))
    assert len(unique) == 16
    (digest,) = trail.keys("CloudTrail-Digest")
    name = f"{engine.account}_CloudTrail-Digest_{engine.region}_{trail.name}_{engine.region}_"
    assert digest.rpartition("/")[2].startswith(name)


def test_files_are_under_the_trails_key_with_the_trail_in_their_context(engine: Engine, trail: Trail) -> None:
    used(engine)
    trail.status()
    (log_file,) = trail.keys("CloudTrail")
    head = engine.client("s3").head_object(Bucket=trail.bucket, Key=log_file)
    assert (head["ServerSideEncryption"], head["SSEKMSKeyId"]) == ("aws:kms", trail.key)

    def reader(arn: str) -> Principal:
        bound = {"StringEquals": {"kms:EncryptionContext:aws:cloudtrail:arn": arn}}
        return engine.role(allow("s3:*"), allow("kms:Decrypt", Condition=bound))

    engine.client("s3", reader(trail.arn)).get_object(Bucket=trail.bucket, Key=log_file)
    with refused("AccessDenied", "kms:Decrypt"):
        engine.client("s3", reader("another")).get_object(Bucket=trail.bucket, Key=log_file)


def test_without_a_key_files_are_under_sse_s3_whatever_the_buckets_default(
    engine: Engine, trail: Trail
) -> None:
    s3, rule = engine.client("s3"), {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": trail.key}
    s3.put_bucket_encryption(
        Bucket=trail.bucket,
        ServerSideEncryptionConfiguration={"Rules": [{"ApplyServerSideEncryptionByDefault": rule}]},
    )
    trail.trails.update_trail(Name=trail.name, KmsKeyId="")
    used(engine)
    trail.status()
    (log_file,) = trail.keys("CloudTrail")
    head = s3.head_object(Bucket=trail.bucket, Key=log_file)
    assert head["ServerSideEncryption"] == "AES256"


def test_what_happens_while_the_trail_is_stopped_is_never_delivered(engine: Engine, trail: Trail) -> None:
    before = used(engine)
    trail.trails.stop_logging(Name=trail.name)
    during = used(engine)
    trail.status()
    assert of(trail.records(), before, "Encrypt")
    assert not of(trail.records(), during, "Encrypt")


def test_the_selectors_decide_what_is_delivered(engine: Engine, trail: Trail) -> None:
    selector = {
        "ReadWriteType": "All",
        "IncludeManagementEvents": True,
        "ExcludeManagementEventSources": ["kms.amazonaws.com"],
    }
    trail.trails.put_event_selectors(TrailName=trail.name, EventSelectors=[selector])
    used(engine)
    trail.status()
    sources = {one["eventSource"] for one in trail.records()}
    assert sources
    assert "kms.amazonaws.com" not in sources


def test_a_bucket_that_lets_nobody_in_gets_nothing_and_the_status_says_so(
    engine: Engine, trail: Trail
) -> None:
    engine.client("s3").delete_bucket_policy(Bucket=trail.bucket)
    key = used(engine)
    assert trail.status()["LatestDeliveryError"] == "AccessDenied"
    assert not trail.keys("CloudTrail")
    trail.let_in()
    assert "LatestDeliveryError" not in trail.status()
    assert of(trail.records(), key, "Encrypt")


def test_a_key_that_is_closed_to_cloudtrail_stops_the_delivery(engine: Engine, trail: Trail) -> None:
    statement = principal_allow(f"arn:aws:iam::{engine.account}:root", "kms:*")
    engine.client("kms").put_key_policy(KeyId=trail.key, PolicyName="default", Policy=policy(statement))
    used(engine)
    assert trail.status()["LatestDeliveryError"] == "AccessDenied"
    assert not trail.keys("CloudTrail")


def test_a_writer_may_add_to_the_encryption_context(engine: Engine, trail: Trail) -> None:
    """S3 API Reference, PutObject: SSEKMSEncryptionContext is kept and used for every read."""
    key = engine.key(engine.account_statement())
    added = base64.b64encode(json.dumps({"team": "blue"}).encode()).decode()
    s3 = engine.client("s3")
    where = {"Bucket": trail.bucket, "Key": "own"}
    sealed = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key}
    s3.put_object(**where, Body=b"text", **sealed, SSEKMSEncryptionContext=added)
    for team, opens in (("blue", True), ("red", False)):
        bound = {"StringEquals": {"kms:EncryptionContext:team": team}}
        reader = engine.client("s3", engine.role(allow("s3:*"), allow("kms:Decrypt", Condition=bound)))
        if opens:
            assert reader.get_object(**where)["Body"].read() == b"text"
        else:
            with refused("AccessDenied", "kms:Decrypt"):
                reader.get_object(**where)
    with refused("InvalidArgument", "Base64"):
        s3.put_object(**where, Body=b"text", **sealed, SSEKMSEncryptionContext="no context")
