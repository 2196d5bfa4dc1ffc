"""The event history: who used which key through which service, refusals too, and nothing secret."""

from __future__ import annotations

import datetime
import json
import time
import uuid
from typing import TYPE_CHECKING, Any

import pytest

from tests.engine.conftest import allow, refused

if TYPE_CHECKING:
    from tests.engine.conftest import Engine


@pytest.fixture
def trail(engine: Engine) -> Any:
    return engine.client("cloudtrail")


def events(trail: Any, attribute: str, value: str, **parameters: Any) -> list[dict[str, Any]]:
    wanted = [{"AttributeKey": attribute, "AttributeValue": value}]
    pages = trail.get_paginator("lookup_events").paginate(LookupAttributes=wanted, **parameters)
    return [json.loads(event["CloudTrailEvent"]) for page in pages for event in page["Events"]]


def one(trail: Any, key: str, name: str) -> dict[str, Any]:
    found = [event for event in events(trail, "ResourceName", key) if event["eventName"] == name]
    assert len(found) == 1, [event["eventName"] for event in found]
    return found[0]


def test_a_direct_use_names_the_session_the_key_and_the_encryption_context(
    engine: Engine, trail: Any, key: str
) -> None:
    role = engine.role(allow("kms:Encrypt"))
    engine.client("kms", role).encrypt(
        KeyId=key, Plaintext=b"very secret", EncryptionContext={"purpose": "test"}
    )
    event = one(trail, key, "Encrypt")
    assert event["userIdentity"]["type"] == "AssumedRole"
    assert event["userIdentity"]["arn"] == f"arn:aws:sts::{engine.account}:assumed-role/{role.name}/test"
    assert event["userIdentity"]["sessionContext"]["sessionIssuer"]["arn"] == role.arn
    assert event["userIdentity"]["accessKeyId"] == role.credentials.access_key_id
    assert event["requestParameters"]["encryptionContext"] == {"purpose": "test"}
    assert event["resources"] == [{"accountId": engine.account, "type": "AWS::KMS::Key", "ARN": key}]
    assert (event["eventSource"], event["readOnly"], event["managementEvent"]) == (
        "kms.amazonaws.com",
        True,
        True,
    )
    assert "errorCode" not in event


def test_an_iam_user_is_named(engine: Engine, trail: Any, key: str) -> None:
    user = engine.user(allow("kms:DescribeKey"))
    engine.client("kms", user).describe_key(KeyId=key)
    identity = one(trail, key, "DescribeKey")["userIdentity"]
    assert (identity["type"], identity["arn"], identity["userName"]) == ("IAMUser", user.arn, user.name)


def test_plaintext_and_ciphertext_are_not_recorded(engine: Engine, trail: Any, key: str, kms: Any) -> None:
    kms.decrypt(CiphertextBlob=kms.encrypt(KeyId=key, Plaintext=b"very secret")["CiphertextBlob"])
    for name in ("Encrypt", "Decrypt"):
        event = one(trail, key, name)
        assert "very secret" not in json.dumps(event)
        assert "plaintext" not in json.dumps(event).lower()
        assert "ciphertextblob" not in json.dumps(event).lower()


def test_a_refused_call_is_recorded(engine: Engine, trail: Any, key: str) -> None:
    role = engine.role(allow("kms:Encrypt"))
    with refused("AccessDeniedException"):
        engine.client("kms", role).schedule_key_deletion(KeyId=key)
    event = one(trail, key, "ScheduleKeyDeletion")
    assert event["errorCode"] == "AccessDenied"
    assert (
        f"assumed-role/{role.name}/test is not authorized to perform: kms:ScheduleKeyDeletion"
        in event["errorMessage"]
    )


def test_a_use_through_s3_names_the_service_and_the_caller(engine: Engine, trail: Any, key: str) -> None:
    bucket, role = f"bucket-{uuid.uuid4().hex[:16]}", engine.role(allow("s3:*", "kms:GenerateDataKey"))
    engine.client("s3").create_bucket(Bucket=bucket)
    engine.client("s3", role).put_object(
        Bucket=bucket, Key="a", Body=b"", ServerSideEncryption="aws:kms", SSEKMSKeyId=key
    )
    event = one(trail, key, "GenerateDataKey")
    assert event["userIdentity"]["invokedBy"] == "s3.amazonaws.com"
    assert event["userIdentity"]["sessionContext"]["sessionIssuer"]["arn"] == role.arn
    assert event["requestParameters"]["encryptionContext"] == {"aws:s3:arn": f"arn:aws:s3:::{bucket}/a"}
    assert event["sourceIPAddress"] == "s3.amazonaws.com"
    with refused("AccessDenied"):
        engine.client("s3", role).get_object(Bucket=bucket, Key="a")
    assert one(trail, key, "Decrypt")["errorCode"] == "AccessDenied"


def test_object_level_calls_are_not_in_the_event_history(engine: Engine, trail: Any) -> None:
    s3, bucket = engine.client("s3"), f"bucket-{uuid.uuid4().hex[:16]}"
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="a", Body=b"")
    s3.list_objects_v2(Bucket=bucket)
    s3.put_bucket_encryption(
        Bucket=bucket,
        ServerSideEncryptionConfiguration={
            "Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]
        },
    )
    names = {event["eventName"] for event in events(trail, "ResourceName", bucket)}
    assert names == {"CreateBucket", "PutBucketEncryption"}


def test_what_iam_refuses_of_another_service_is_recorded(engine: Engine, trail: Any) -> None:
    role, bucket = engine.role(allow("kms:ListKeys")), f"bucket-{uuid.uuid4().hex[:16]}"
    engine.client("s3").create_bucket(Bucket=bucket)
    with refused("AccessDenied"):
        engine.client("s3", role).get_bucket_encryption(Bucket=bucket)
    with refused("UnauthorizedOperation"):
        engine.client("ec2", role).describe_volumes()
    with refused("AccessDenied"):
        engine.client("s3", role).get_object(Bucket=bucket, Key="a")
    found = events(trail, "AccessKeyId", role.credentials.access_key_id)
    assert {(event["eventName"], event["errorCode"]) for event in found} == {
        ("GetBucketEncryption", "AccessDenied"),
        ("DescribeVolumes", "AccessDenied"),
    }


def test_other_services_secrets_are_hidden(engine: Engine, trail: Any) -> None:
    engine.client("ssm").put_parameter(
        Name=f"/test/{uuid.uuid4().hex}", Value="very secret", Type="SecureString"
    )
    engine.client("secretsmanager").create_secret(Name=uuid.uuid4().hex, SecretString="very secret")
    for name in ("PutParameter", "CreateSecret"):
        found = events(trail, "EventName", name)
        assert found
        assert "very secret" not in json.dumps(found)


def test_the_history_is_newest_first_and_comes_in_pages(
    engine: Engine, trail: Any, key: str, kms: Any
) -> None:
    for number in range(7):
        kms.update_key_description(KeyId=key, Description=str(number))
    wanted = [{"AttributeKey": "ResourceName", "AttributeValue": key}]
    first = trail.lookup_events(LookupAttributes=wanted, MaxResults=3)
    kms.update_key_description(KeyId=key, Description="meanwhile")
    second = trail.lookup_events(LookupAttributes=wanted, MaxResults=3, NextToken=first["NextToken"])
    told = [json.loads(e["CloudTrailEvent"])["requestParameters"] for e in first["Events"] + second["Events"]]
    assert [parameters["description"] for parameters in told] == ["6", "5", "4", "3", "2", "1"]


@pytest.mark.parametrize(
    "attribute",
    ["EventName", "Username", "ReadOnly", "EventSource", "AccessKeyId", "EventId", "ResourceType"],
)
def test_every_lookup_attribute_selects(engine: Engine, trail: Any, key: str, attribute: str) -> None:
    role = engine.role(allow("kms:DescribeKey"))
    engine.client("kms", role).describe_key(KeyId=key)
    event = next(
        e
        for e in trail.lookup_events(
            LookupAttributes=[{"AttributeKey": "ResourceName", "AttributeValue": key}]
        )["Events"]
        if e["EventName"] == "DescribeKey"
    )
    values = {**event, "ResourceType": "AWS::KMS::Key"}
    found = events(trail, attribute, values[attribute])
    assert event["EventId"] in {each["eventID"] for each in found}
    assert events(trail, attribute, "nothing-like-it") == []


def test_a_time_range_selects(trail: Any, key: str, kms: Any) -> None:
    kms.describe_key(KeyId=key)
    now = datetime.datetime.now(datetime.UTC)
    hour = datetime.timedelta(hours=1)
    assert events(trail, "ResourceName", key, StartTime=now - hour, EndTime=now + hour)
    assert events(trail, "ResourceName", key, StartTime=now - 2 * hour, EndTime=now - hour) == []


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        (
            {"LookupAttributes": [{"AttributeKey": "EventName", "AttributeValue": "a"}] * 2},
            "InvalidLookupAttributesException",
        ),
        ({"NextToken": "!"}, "InvalidNextTokenException"),
        ({"NextToken": "bm8="}, "InvalidNextTokenException"),
        ({"StartTime": 2, "EndTime": 1}, "InvalidTimeRangeException"),
        ({"MaxResults": 0}, "InvalidMaxResultsException"),
        ({"MaxResults": 51}, "InvalidMaxResultsException"),
        ({"EventCategory": "management"}, "InvalidEventCategoryException"),
        *(
            (
                {"LookupAttributes": [{"AttributeKey": name, "AttributeValue": value}]},
                "InvalidLookupAttributesException",
            )
            for name, value in (("Color", "blue"), ("EventName", ""), ("EventName", "a" * 2001))
        ),
    ],
)
def test_wrong_lookups_are_refused(trail: Any, parameters: dict[str, Any], code: str) -> None:
    with refused(code):
        trail.lookup_events(**parameters)


def test_a_token_belongs_to_the_request_that_it_came_from(trail: Any, key: str, kms: Any) -> None:
    for _ in range(3):
        kms.describe_key(KeyId=key)
    wanted = [{"AttributeKey": "ResourceName", "AttributeValue": key}]
    token = trail.lookup_events(LookupAttributes=wanted, MaxResults=1)["NextToken"]
    assert trail.lookup_events(LookupAttributes=wanted, MaxResults=2, NextToken=token)["Events"]
    for other in ({}, {"LookupAttributes": [{"AttributeKey": "EventName", "AttributeValue": "DescribeKey"}]}):
        with refused("InvalidNextTokenException"):
            trail.lookup_events(NextToken=token, **other)


def test_there_are_no_insights(trail: Any, key: str) -> None:
    wanted = [{"AttributeKey": "EventName", "AttributeValue": "CreateKey"}]
    assert trail.lookup_events(LookupAttributes=wanted)["Events"]
    assert trail.lookup_events(LookupAttributes=wanted, EventCategory="insight")["Events"] == []


def test_a_role_is_needed_to_look(engine: Engine) -> None:
    engine.client("cloudtrail", engine.role(allow("cloudtrail:LookupEvents"))).lookup_events(MaxResults=1)
    with refused("AccessDeniedException"):
        engine.client("cloudtrail", engine.role(allow("kms:*"))).lookup_events(MaxResults=1)


def test_events_are_dated_when_they_happen(trail: Any, key: str, kms: Any) -> None:
    kms.describe_key(KeyId=key)
    recorded = datetime.datetime.fromisoformat(one(trail, key, "DescribeKey")["eventTime"])
    assert abs(recorded.timestamp() - time.time()) < 60


def recorded(engine: Engine, key: str, name: str) -> dict[str, Any]:
    """The newest record of an operation on a key."""
    found = engine.client("cloudtrail").lookup_events(
        LookupAttributes=[{"AttributeKey": "ResourceName", "AttributeValue": key}]
    )["Events"]
    records: list[dict[str, Any]] = [json.loads(one["CloudTrailEvent"]) for one in found]
    return next(one for one in records if one["eventName"] == name)


def test_requests_and_answers_are_spelled_as_in_kmss_records(engine: Engine, kms: Any) -> None:
    """KMS Developer Guide, examples of log entries: CreateKey, CreateGrant, ScheduleKeyDeletion, DisableKey."""
    key = kms.create_key(Tags=[{"TagKey": "Team", "TagValue": "Blue"}])["KeyMetadata"]["Arn"]
    made = recorded(engine, key, "CreateKey")
    assert made["requestParameters"]["tags"] == [{"tagKey": "Team", "tagValue": "Blue"}]
    metadata = made["responseElements"]["keyMetadata"]
    assert (metadata["aWSAccountId"], metadata["arn"], metadata["keyState"]) == (
        engine.account,
        key,
        "Enabled",
    )
    assert time.strptime(metadata["creationDate"], "%b %d, %Y, %I:%M:%S %p")
    context = {"Purpose": "Kept as it is"}
    grantee = f"arn:aws:iam::{engine.account}:role/kmslab-administrator"
    kms.create_grant(
        KeyId=key,
        GranteePrincipal=grantee,
        Operations=["Decrypt"],
        Constraints={"EncryptionContextSubset": context},
    )
    granted = recorded(engine, key, "CreateGrant")
    assert granted["requestParameters"]["constraints"] == {"encryptionContextSubset": context}
    assert granted["responseElements"].keys() == {"grantId", "keyId"}
    kms.disable_key(KeyId=key)
    assert recorded(engine, key, "DisableKey")["responseElements"] == {"keyId": key}
    kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    scheduled = recorded(engine, key, "ScheduleKeyDeletion")["responseElements"]
    assert scheduled["keyState"] == "PendingDeletion"
    assert time.strptime(scheduled["deletionDate"], "%b %d, %Y, %I:%M:%S %p")


def test_a_refused_change_tells_no_answer(engine: Engine) -> None:
    key = engine.key()
    with refused("AccessDeniedException"):
        engine.client("kms", engine.role()).disable_key(KeyId=key)
    denied = recorded(engine, key, "DisableKey")
    assert (denied["errorCode"], denied["responseElements"]) == ("AccessDenied", None)
    assert denied["requestParameters"] == {"keyId": key}


def test_publishing_to_an_encrypted_topic_takes_its_key(engine: Engine, kms: Any) -> None:
    """SNS Developer Guide, "Configure AWS KMS permissions"."""
    key = engine.key(engine.account_statement())
    sns = engine.client("sns")
    topic = sns.create_topic(Name=f"topic-{key[-12:]}", Attributes={"KmsMasterKeyId": key})["TopicArn"]
    publish = allow("sns:Publish")
    may = engine.role(publish, allow("kms:GenerateDataKey", "kms:Decrypt"))
    engine.client("sns", may).publish(TopicArn=topic, Message="m")
    used = recorded(engine, key, "GenerateDataKey")
    assert used["requestParameters"]["encryptionContext"] == {"aws:sns:topicArn": topic}
    with refused("KMSAccessDenied", "kms:GenerateDataKey"):
        engine.client("sns", engine.role(publish)).publish(TopicArn=topic, Message="m")
    kms.disable_key(KeyId=key)
    with refused("KMSDisabled", "disabled"):
        sns.publish_batch(TopicArn=topic, PublishBatchRequestEntries=[{"Id": "1", "Message": "m"}])
