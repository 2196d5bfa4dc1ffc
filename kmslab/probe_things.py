"""What probes make to look at: removed when the probe ends, and tagged, so that a sweep finds what a crash left."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from kmslab.checks.samples import temporary_tags
from kmslab.checks.temporary import temporary_key
from kmslab.model.persona import Persona

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kmslab.lab import Lab

OPERATOR = Persona.OPERATOR


def policy_of(*statements: Mapping[str, Any]) -> str:
    """Return a policy document as JSON text."""
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def key_that_denies(lab: Lab, action: str, unless: Mapping[str, Any] | None = None) -> str:
    """Return the ARN of a key whose policy allows the account everything and denies everyone one action.

    Args:
        lab: the probe's lab.
        action: ``kms:Operation``.
        unless: a Condition of the denial.
    """
    account = {"AWS": f"arn:{lab.access.partition}:iam::{lab.account}:root"}
    deny: dict[str, Any] = {"Effect": "Deny", "Principal": {"AWS": "*"}, "Action": action, "Resource": "*"}
    if unless:
        deny["Condition"] = unless
    allow = {"Effect": "Allow", "Principal": account, "Action": "kms:*", "Resource": "*"}
    return temporary_key(lab, f"probe: denies {action}", Policy=policy_of(allow, deny))


def empty_bucket(lab: Lab) -> str:
    """Return the name of a bucket of the operator's, removed with what is in it."""
    s3 = lab.client(OPERATOR, "s3")
    name = f"kmslab-probe-{uuid4().hex}"
    # The original Region is the one that may not be named.
    where = {} if lab.region == "us-east-1" else {"LocationConstraint": lab.region}
    s3.create_bucket(Bucket=name, **({"CreateBucketConfiguration": where} if where else {}))

    def remove() -> None:
        for item in s3.list_objects_v2(Bucket=name).get("Contents", []):
            s3.delete_object(Bucket=name, Key=item["Key"])
        s3.delete_bucket(Bucket=name)

    lab.undo(remove)
    s3.put_bucket_tagging(Bucket=name, Tagging={"TagSet": temporary_tags(lab)})
    return name


def small_volume(lab: Lab, zone: str, **parameters: Any) -> dict[str, Any]:
    """Make a volume of 1 GiB; returns EC2's description of it."""
    tags = [{"ResourceType": "volume", "Tags": temporary_tags(lab)}]
    made = lab.allowed(
        OPERATOR, "ec2:CreateVolume", AvailabilityZone=zone, Size=1, TagSpecifications=tags, **parameters
    )["VolumeId"]
    lab.undo(lambda: lab.client(OPERATOR, "ec2").delete_volume(VolumeId=made))
    found: dict[str, Any] = lab.read("ec2:DescribeVolumes", persona=OPERATOR, VolumeIds=[made])["Volumes"][0]
    return found


def queue_of_events(lab: Lab, event: str) -> str:
    """Return the URL of a queue that an EventBridge rule fills with one kind of KMS event."""
    events, sqs = lab.client(OPERATOR, "events"), lab.client(OPERATOR, "sqs")
    name = f"{lab.prefix}-probe-{uuid4().hex[:12]}"
    arn = f"arn:{lab.access.partition}:sqs:{lab.region}:{lab.account}:{name}"
    rule_arn = f"arn:{lab.access.partition}:events:{lab.region}:{lab.account}:rule/{name}"
    allow = {
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": arn,
        "Condition": {"ArnEquals": {"aws:SourceArn": rule_arn}},
    }
    tags = temporary_tags(lab)
    queue: str = sqs.create_queue(
        QueueName=name,
        Attributes={"Policy": policy_of(allow)},
        tags={tag["Key"]: tag["Value"] for tag in tags},
    )["QueueUrl"]
    lab.undo(lambda: sqs.delete_queue(QueueUrl=queue))
    pattern = {"source": ["aws.kms"], "detail": {"eventName": [event]}}
    events.put_rule(Name=name, EventPattern=json.dumps(pattern), Tags=tags)
    lab.undo(lambda: events.delete_rule(Name=name))
    events.put_targets(Rule=name, Targets=[{"Id": "queue", "Arn": arn}])
    lab.undo(lambda: events.remove_targets(Rule=name, Ids=["queue"]))
    return queue
