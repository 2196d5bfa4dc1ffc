"""CloudTrail: the record of every call of KMS, its delivery, and alarms."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from kmslab.probe.areas.s3 import bucket, under
from kmslab.probe.failures import failures
from kmslab.probe.model import probe
from kmslab.probe.samples import PLAINTEXT
from kmslab.probe.sources import cloudtrail, guide

if TYPE_CHECKING:
    from kmslab.probe.bench import Bench

EVENT_SECONDS = 20.0
"""How long an emulator may take to record or deliver an event; AWS, which takes minutes, is not probed."""
DELIVERY_SECONDS = 12.0
LOGGING = guide("logging-using-cloudtrail")


def _events(bench: Bench, key: str) -> dict[str, dict[str, Any]]:
    """The records about a key in the event history, by the name of the event."""
    pages = bench.client("cloudtrail").get_paginator("lookup_events")
    found = {}
    for page in pages.paginate(
        LookupAttributes=[{"AttributeKey": "ResourceName", "AttributeValue": key}],
        StartTime=datetime.now(UTC) - timedelta(minutes=5),
    ):
        for event in page["Events"]:
            found[event["EventName"]] = json.loads(event["CloudTrailEvent"])
    return found


def _recorded(bench: Bench, key: str, name: str) -> dict[str, Any]:
    return bench.wait(
        lambda: _looked_up(bench, key).get(name, {}), f"record of {name}", seconds=EVENT_SECONDS
    )


def _looked_up(bench: Bench, key: str) -> dict[str, dict[str, Any]]:
    from kmslab.probe.model import CouldNotLook

    try:
        return _events(bench, key)
    except failures() as error:
        raise CouldNotLook(f"LookupEvents failed: {type(error).__name__}") from error


@probe(LOGGING, slow=True)
def every_call_is_recorded(bench: Bench) -> None:
    """The event history has a record of every call about a key, and no other.

    Encrypt is there with its caller and Region; Decrypt, which nobody called, is not.
    """
    key = bench.key()
    bench.make("Encrypt", KeyId=key, Plaintext=PLAINTEXT)
    record = _recorded(bench, key, "Encrypt")
    bench.equal("eventSource", record["eventSource"], "kms.amazonaws.com")
    bench.equal("awsRegion", record["awsRegion"], bench.region)
    bench.equal("the account", record["userIdentity"]["accountId"], bench.account)
    bench.contrasts("what nobody called is not there", "Decrypt" not in _looked_up(bench, key))


@probe(LOGGING, slow=True)
def a_refused_call_is_recorded(bench: Bench) -> None:
    """A call that is refused is recorded with its error, one that works without.

    The stranger's has errorCode AccessDenied, the operator's has none.
    """
    refused, done = bench.key(), bench.key()
    bench.denies("Encrypt", bench.world.stranger, KeyId=refused, Plaintext=PLAINTEXT)
    bench.make("Encrypt", KeyId=done, Plaintext=PLAINTEXT)
    record = _recorded(bench, refused, "Encrypt")
    bench.sees("errorCode is AccessDenied", str(record.get("errorCode", "")).startswith("AccessDenied"))
    bench.contrasts("the other has none", "errorCode" not in _recorded(bench, done, "Encrypt"))


@probe(guide("ct-encrypt"), slow=True)
def the_context_is_recorded_and_no_plaintext(bench: Bench) -> None:
    """A record has the encryption context of the call, and neither plaintext nor ciphertext.

    The context is there as given; the plaintext is nowhere in the record.
    """
    key = bench.key()
    secret = uuid4().hex
    context = {"purpose": "probe"}
    bench.make("Encrypt", KeyId=key, Plaintext=secret.encode(), EncryptionContext=context)
    record = _recorded(bench, key, "Encrypt")
    bench.equal("encryptionContext", record["requestParameters"]["encryptionContext"], context)
    bench.contrasts("the plaintext is not there", secret not in json.dumps(record))


@probe(LOGGING, slow=True)
def a_service_is_named(bench: Bench) -> None:
    """A call that a service makes for its caller says so.

    The record of S3's GenerateDataKey names the service and the object; a direct call names none.
    """
    name, key = bucket(bench), bench.key()
    bench.make("s3:PutObject", Bucket=name, Key="one", Body=b"tea", **under(key))
    bench.make("Encrypt", KeyId=key, Plaintext=PLAINTEXT)
    record = _recorded(bench, key, "GenerateDataKey")
    named = record["userIdentity"].get("invokedBy") or record.get("sourceIPAddress", "")
    bench.sees("S3 is named", "amazonaws.com" in named or "AWS Internal" in named)
    bench.sees("the object is named", name in json.dumps(record["requestParameters"]))
    direct = _recorded(bench, key, "Encrypt")
    bench.contrasts("a direct call names no service", "invokedBy" not in direct["userIdentity"])


@probe(LOGGING, slow=True)
def reading_calls_are_marked(bench: Bench) -> None:
    """ReadOnly tells calls that change something from those that do not.

    It is true for DescribeKey and false for DisableKey.
    """
    key = bench.key()
    bench.make("DescribeKey", KeyId=key)
    bench.make("DisableKey", KeyId=key)
    bench.equal("DescribeKey", _recorded(bench, key, "DescribeKey")["readOnly"], expected=True)
    bench.contrasts("DisableKey changes", _recorded(bench, key, "DisableKey")["readOnly"] is False)


@probe(LOGGING, slow=True)
def the_key_is_among_the_resources(bench: Bench) -> None:
    """A record names the key's ARN and type among its resources.

    The event of one key is not found under another.
    """
    key, other = bench.key(), bench.key()
    bench.make("Encrypt", KeyId=key, Plaintext=PLAINTEXT)
    resources = _recorded(bench, key, "Encrypt")["resources"]
    bench.equal("the ARN", [one["ARN"] == key for one in resources], [True])
    bench.equal("its type", resources[0]["type"], "AWS::KMS::Key")
    bench.contrasts("the other key's history has none", "Encrypt" not in _looked_up(bench, other))


def _trail(bench: Bench) -> tuple[str, str]:
    """A trail that does not log yet, and a bucket for it: the bucket's name and the trail's."""
    name, trail = bucket(bench), f"kmslab-probe-{uuid4().hex[:12]}"
    arn = f"arn:{bench.partition}:cloudtrail:{bench.region}:{bench.account}:trail/{trail}"
    common: dict[str, Any] = {
        "Effect": "Allow",
        "Principal": {"Service": "cloudtrail.amazonaws.com"},
        "Condition": {"StringEquals": {"aws:SourceArn": arn}},
    }
    here = f"arn:{bench.partition}:s3:::{name}"
    policy = bench.world.policy(
        {**common, "Action": "s3:GetBucketAcl", "Resource": here},
        {**common, "Action": "s3:PutObject", "Resource": f"{here}/AWSLogs/{bench.account}/*"},
    )
    bench.make("s3:PutBucketPolicy", Bucket=name, Policy=policy)
    bench.make(
        "cloudtrail:CreateTrail",
        Name=trail,
        S3BucketName=name,
        EnableLogFileValidation=True,
        TagsList=bench.tag_list,
    )
    bench.undo(lambda: bench.client("cloudtrail").delete_trail(Name=trail))
    return name, trail


@probe(cloudtrail("cloudtrail-log-file-validation-intro"), slow=True)
def log_files_and_digests_are_delivered(bench: Bench) -> None:
    """A trail delivers log files and digests to its bucket while it logs.

    Both arrive; before StartLogging the bucket has none.
    """
    (name, trail), s3 = _trail(bench), bench.client("s3")

    def kinds() -> set[str]:
        listed = s3.list_objects_v2(Bucket=name, Prefix=f"AWSLogs/{bench.account}/").get("Contents", [])
        return {one["Key"].split("/")[2] for one in listed if one["Size"]}

    bench.contrasts("before it logs there is nothing", not kinds())
    bench.works("cloudtrail:StartLogging", Name=trail)
    bench.make("GenerateRandom", NumberOfBytes=1)

    def delivered() -> bool:
        bench.make("cloudtrail:GetTrailStatus", Name=trail)
        return kinds() >= {"CloudTrail", "CloudTrail-Digest"}

    bench.wait(
        delivered,
        "log file and digest",
        seconds=DELIVERY_SECONDS,
    )
    bench.sees("both arrive", holds=True)


@probe(cloudtrail("cloudtrail-concepts"), slow=True)
def an_alarm_hears_what_it_asked_for(bench: Bench) -> None:
    """EventBridge delivers the events of KMS that a rule names, and no others.

    DisableKey arrives in the rule's queue; EnableKey, which the rule does not name, does not.
    """
    events, sqs = bench.client("events"), bench.client("sqs")
    name = f"{bench.world.prefix}-probe-{uuid4().hex[:12]}"
    arn = f"arn:{bench.partition}:sqs:{bench.region}:{bench.account}:{name}"
    rule = f"arn:{bench.partition}:events:{bench.region}:{bench.account}:rule/{name}"
    allow: dict[str, Any] = {
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": arn,
        "Condition": {"ArnEquals": {"aws:SourceArn": rule}},
    }
    attributes: dict[str, Any] = {"Policy": bench.world.policy(allow)}
    queue = bench.make("sqs:CreateQueue", QueueName=name, Attributes=attributes, tags=bench.tags)["QueueUrl"]
    bench.undo(lambda: sqs.delete_queue(QueueUrl=queue))
    pattern = {"source": ["aws.kms"], "detail": {"eventName": ["DisableKey"]}}
    bench.make("events:PutRule", Name=name, EventPattern=json.dumps(pattern), Tags=bench.tag_list)
    bench.undo(lambda: events.delete_rule(Name=name))
    bench.make("events:PutTargets", Rule=name, Targets=[{"Id": "queue", "Arn": arn}])
    bench.undo(lambda: events.remove_targets(Rule=name, Ids=["queue"]))
    # Without a trail that logs there are no events (EventBridge User Guide, "AWS service events delivered
    # via CloudTrail"), and another probe's may go at any moment.
    bench.make("cloudtrail:StartLogging", Name=_trail(bench)[1])
    key = bench.key()
    bench.make("DisableKey", KeyId=key)
    bench.make("EnableKey", KeyId=key)
    texts: list[str] = []

    def arrived() -> bool:
        answer = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, WaitTimeSeconds=1)
        texts.extend(message["Body"] for message in answer.get("Messages", []))
        return any("DisableKey" in text and key.rpartition("/")[2] in text for text in texts)

    bench.wait(arrived, "event in the queue", seconds=EVENT_SECONDS)
    bench.sees("the event arrives", holds=True)
    bench.contrasts("the other does not", not any("EnableKey" in text for text in texts))
