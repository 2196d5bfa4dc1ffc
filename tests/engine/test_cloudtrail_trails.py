"""Trails: the bucket and the key that CloudTrail may use, what is kept, and the alarm that a change raises."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

import pytest

from tests.engine.conftest import allow, policy, refused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.engine.conftest import Engine

CLOUDTRAIL = {"Service": "cloudtrail.amazonaws.com"}
EVENTS = {"Service": "events.amazonaws.com"}


@pytest.fixture
def name() -> str:
    return f"trail-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def arn(engine: Engine, name: str) -> str:
    return f"arn:aws:cloudtrail:{engine.region}:{engine.account}:trail/{name}"


@pytest.fixture
def bucket(engine: Engine, arn: str) -> str:
    name = f"bucket-{uuid.uuid4().hex[:16]}"
    engine.client("s3").create_bucket(Bucket=name)
    write_policy(engine, name, arn)
    return name


def write_policy(engine: Engine, bucket: str, trail_arn: str) -> None:
    source = {"StringEquals": {"aws:SourceArn": trail_arn}}
    base = {"Effect": "Allow", "Principal": CLOUDTRAIL, "Condition": source}
    engine.client("s3").put_bucket_policy(
        Bucket=bucket,
        Policy=policy(
            {**base, "Action": "s3:GetBucketAcl", "Resource": f"arn:aws:s3:::{bucket}"},
            {
                **base,
                "Action": "s3:PutObject",
                "Resource": f"arn:aws:s3:::{bucket}/AWSLogs/{engine.account}/*",
            },
        ),
    )


@pytest.fixture
def key(engine: Engine, arn: str) -> str:
    context = {
        "StringLike": {"kms:EncryptionContext:aws:cloudtrail:arn": arn},
        "StringEquals": {"aws:SourceArn": arn},
    }
    use = {"Effect": "Allow", "Principal": CLOUDTRAIL, "Action": "kms:GenerateDataKey*", "Resource": "*"}
    return engine.key({**use, "Condition": context})


@pytest.fixture
def create(engine: Engine, name: str, bucket: str) -> Iterator[Callable[..., dict[str, Any]]]:
    cloudtrail = engine.client("cloudtrail")

    def make(**parameters: Any) -> dict[str, Any]:
        made: dict[str, Any] = cloudtrail.create_trail(**{"Name": name, "S3BucketName": bucket, **parameters})
        return made

    yield make
    if cloudtrail.describe_trails(trailNameList=[name])["trailList"]:
        cloudtrail.delete_trail(Name=name)


def test_a_trail_keeps_what_it_was_given(
    engine: Engine, create: Callable[..., Any], name: str, arn: str, bucket: str, key: str
) -> None:
    cloudtrail = engine.client("cloudtrail")
    create(KmsKeyId=key.rsplit("/", 1)[-1], EnableLogFileValidation=True, IsMultiRegionTrail=True)
    kept = cloudtrail.get_trail(Name=name)["Trail"]
    assert kept == cloudtrail.describe_trails(trailNameList=[arn])["trailList"][0]
    expected = {
        "TrailARN": arn,
        "S3BucketName": bucket,
        "KmsKeyId": key,
        "LogFileValidationEnabled": True,
        "IsMultiRegionTrail": True,
    }
    assert {name: kept[name] for name in expected} == expected
    assert cloudtrail.get_trail_status(Name=name)["IsLogging"] is False
    cloudtrail.start_logging(Name=name)
    assert cloudtrail.get_trail_status(Name=name)["IsLogging"] is True


def test_a_bucket_that_cloudtrail_may_not_write_to_is_refused(
    engine: Engine, create: Callable[..., Any], bucket: str, arn: str
) -> None:
    write_policy(engine, bucket, arn + "-other")
    with refused("InsufficientS3BucketPolicyException", bucket):
        create()
    with refused("S3BucketDoesNotExistException"):
        create(S3BucketName="no-such-bucket-anywhere")


def test_a_key_that_cloudtrail_may_not_use_is_refused(engine: Engine, create: Callable[..., Any]) -> None:
    account_only = engine.key(engine.account_statement())
    with refused("InsufficientEncryptionPolicyException"):
        create(KmsKeyId=account_only)
    with refused("KmsKeyNotFoundException"):
        create(KmsKeyId="alias/no-such-alias")


def test_a_disabled_key_is_refused(create: Callable[..., Any], kms: Any, key: str) -> None:
    kms.disable_key(KeyId=key)
    with refused("KmsException", "disabled"):
        create(KmsKeyId=key)
    kms.enable_key(KeyId=key)
    create(KmsKeyId=key)


def test_an_update_is_checked_too(engine: Engine, create: Callable[..., Any], name: str, key: str) -> None:
    create()
    cloudtrail = engine.client("cloudtrail")
    with refused("InsufficientEncryptionPolicyException"):
        cloudtrail.update_trail(Name=name, KmsKeyId=engine.key(engine.account_statement()))
    assert cloudtrail.update_trail(Name=name, KmsKeyId=key)["KmsKeyId"] == key


def test_who_stops_a_trail_is_recorded(engine: Engine, create: Callable[..., Any], name: str) -> None:
    create()
    cloudtrail, role = engine.client("cloudtrail"), engine.role(allow("cloudtrail:StopLogging"))
    engine.client("cloudtrail", role).stop_logging(Name=name)
    with refused("TrailNotFoundException"):
        engine.client("cloudtrail", role).stop_logging(Name="no-such-trail")
    wanted = [{"AttributeKey": "AccessKeyId", "AttributeValue": role.credentials.access_key_id}]
    found = [
        json.loads(e["CloudTrailEvent"]) for e in cloudtrail.lookup_events(LookupAttributes=wanted)["Events"]
    ]
    told = [
        (e["eventName"], e["requestParameters"]["Name"], e.get("errorCode"), e["readOnly"]) for e in found
    ]
    assert told == [
        ("StopLogging", "no-such-trail", "TrailNotFoundException", False),
        ("StopLogging", name, None, False),
    ]


class Alarm:
    """A rule for dangerous key operations, its topic, and a queue that a learner subscribes."""

    def __init__(self, engine: Engine, key: str) -> None:
        self.engine = engine
        self.name = f"alarm-{uuid.uuid4().hex[:8]}"
        self.topic = engine.client("sns").create_topic(Name=self.name, Attributes={"KmsMasterKeyId": key})[
            "TopicArn"
        ]
        sqs = engine.client("sqs")
        self.queue = sqs.create_queue(QueueName=self.name)["QueueUrl"]
        queue_arn = f"arn:aws:sqs:{engine.region}:{engine.account}:{self.name}"
        self._permit(self.topic, EVENTS, "sns:Publish", self._let_publish)
        self._permit(queue_arn, {"Service": "sns.amazonaws.com"}, "sqs:SendMessage", self._let_send)
        engine.client("sns").subscribe(TopicArn=self.topic, Protocol="sqs", Endpoint=queue_arn)
        pattern = {
            "source": ["aws.kms"],
            "detail-type": ["AWS API Call via CloudTrail"],
            "detail": {
                "eventSource": ["kms.amazonaws.com"],
                "eventName": ["DisableKey", "ScheduleKeyDeletion"],
            },
        }
        events = engine.client("events")
        events.put_rule(Name=self.name, EventPattern=json.dumps(pattern))
        events.put_targets(Rule=self.name, Targets=[{"Id": "topic", "Arn": self.topic}])

    def _permit(
        self, resource: str, principal: dict[str, str], action: str, put: Callable[[str], Any]
    ) -> None:
        put(policy({"Effect": "Allow", "Principal": principal, "Action": action, "Resource": resource}))

    def _let_publish(self, document: str) -> Any:
        sns = self.engine.client("sns")
        return sns.set_topic_attributes(TopicArn=self.topic, AttributeName="Policy", AttributeValue=document)

    def _let_send(self, document: str) -> Any:
        return self.engine.client("sqs").set_queue_attributes(
            QueueUrl=self.queue, Attributes={"Policy": document}
        )

    def received(self) -> list[dict[str, Any]]:
        messages = self.engine.client("sqs").receive_message(QueueUrl=self.queue, MaxNumberOfMessages=10)
        return [json.loads(json.loads(m["Body"])["Message"]) for m in messages.get("Messages", [])]

    def remove(self) -> None:
        events = self.engine.client("events")
        events.remove_targets(Rule=self.name, Ids=["topic"])
        events.delete_rule(Name=self.name)
        self.engine.client("sns").delete_topic(TopicArn=self.topic)
        self.engine.client("sqs").delete_queue(QueueUrl=self.queue)


@pytest.fixture
def alarm(engine: Engine) -> Iterator[Callable[..., Alarm]]:
    made: list[Alarm] = []

    def make(*actions: str) -> Alarm:
        use = {"Effect": "Allow", "Principal": EVENTS, "Action": list(actions), "Resource": "*"}
        made.append(Alarm(engine, engine.key(use)))
        return made[-1]

    yield make
    for each in made:
        each.remove()


@pytest.fixture
def logging_trail(engine: Engine, create: Callable[..., Any], name: str) -> None:
    create()
    engine.client("cloudtrail").start_logging(Name=name)


def test_disabling_a_key_reaches_the_subscriber(
    engine: Engine, kms: Any, logging_trail: None, alarm: Callable[..., Alarm]
) -> None:
    raised, key = alarm("kms:GenerateDataKey*", "kms:Decrypt"), engine.key(engine.account_statement())
    kms.describe_key(KeyId=key)
    assert raised.received() == []
    kms.disable_key(KeyId=key)
    (message,) = raised.received()
    assert (message["source"], message["detail"]["eventName"]) == ("aws.kms", "DisableKey")
    assert message["detail"]["resources"][0]["ARN"] == key
    assert message["detail"]["userIdentity"]["type"] == "AssumedRole"


def test_a_topics_key_that_eventbridge_may_not_use_silences_the_alarm(
    engine: Engine, kms: Any, logging_trail: None, alarm: Callable[..., Alarm]
) -> None:
    loud, silent = alarm("kms:GenerateDataKey*", "kms:Decrypt"), alarm("kms:Decrypt")
    kms.disable_key(KeyId=engine.key(engine.account_statement()))
    assert len(loud.received()) == 1
    assert silent.received() == []


def test_a_topic_policy_without_eventbridge_silences_the_alarm(
    engine: Engine, kms: Any, logging_trail: None, alarm: Callable[..., Alarm]
) -> None:
    loud, silent = (alarm("kms:GenerateDataKey*", "kms:Decrypt") for _ in range(2))
    silent._permit(silent.topic, {"Service": "s3.amazonaws.com"}, "sns:Publish", silent._let_publish)
    kms.disable_key(KeyId=engine.key(engine.account_statement()))
    assert len(loud.received()) == 1
    assert silent.received() == []


def test_without_a_logging_trail_there_is_no_alarm(
    engine: Engine, kms: Any, create: Callable[..., Any], name: str, alarm: Callable[..., Alarm]
) -> None:
    create()
    raised = alarm("kms:GenerateDataKey*", "kms:Decrypt")
    kms.disable_key(KeyId=engine.key(engine.account_statement()))
    assert raised.received() == []
    engine.client("cloudtrail").start_logging(Name=name)
    kms.disable_key(KeyId=engine.key(engine.account_statement()))
    assert len(raised.received()) == 1
