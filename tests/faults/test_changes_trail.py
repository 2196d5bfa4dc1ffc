"""What can be changed about the trail, its alarm rule and their topic: in templates, and on the deployed lab."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from kmslab.faults.changes.statements import A_STRANGER, add, drop
from kmslab.faults.changes.trail import (
    AlarmRule,
    AlarmTarget,
    EventSelectors,
    Subscriber,
    TopicKey,
    TopicPolicy,
    TrailLogging,
    TrailSettings,
)
from kmslab.model.outputs import LabOutputs, LabStack
from tests.faults.on_the_lab import breaks_and_puts_back, open_workshop

if TYPE_CHECKING:
    from kmslab.faults.change import Change
    from kmslab.faults.templates import Templates
    from kmslab.faults.workshop import Workshop
    from tests.conftest import DeployedLab

LISTEN = {
    "Sid": "Listen",
    "Effect": "Allow",
    "Principal": A_STRANGER,
    "Action": "sns:Subscribe",
    "Resource": "${Thing}",
}
QUEUE = "arn:${AWS::Partition}:sqs:${AWS::Region}:111122223333:collector"


def rule(templates: Templates) -> Any:
    (found,) = templates.of_type("AWS::Events::Rule", LabStack.AUDIT)
    return found.properties


@pytest.mark.parametrize(
    ("change", "name", "value"),
    [
        (TrailLogging(), "IsLogging", False),
        (TrailSettings(LogFileValidationEnabled=False), "EnableLogFileValidation", False),
        (TrailSettings(IsMultiRegionTrail=False), "IsMultiRegionTrail", False),
        (TrailSettings(KmsKeyId=""), "KMSKeyId", None),
        (
            EventSelectors(ReadWriteType="WriteOnly"),
            "EventSelectors",
            [{"IncludeManagementEvents": True, "ReadWriteType": "WriteOnly"}],
        ),
    ],
)
def test_the_trail_in_a_template(templates: Templates, change: Change, name: str, value: Any) -> None:
    assert change.in_template(templates)
    assert templates.resource(LabOutputs.trail).properties.get(name) == value


def test_the_rule_in_a_template(templates: Templates) -> None:
    before = rule(templates.copy())["EventPattern"]["detail"]
    assert AlarmRule(state="DISABLED", userIdentity={"type": ["Root"]}).in_template(templates)
    assert rule(templates)["State"] == "DISABLED"
    assert rule(templates)["EventPattern"]["detail"] == {**before, "userIdentity": {"type": ["Root"]}}


def test_its_target_in_a_template(templates: Templates) -> None:
    (before,) = rule(templates.copy())["Targets"]
    assert AlarmTarget(Arn="arn:${AWS::Partition}:sns:x").in_template(templates)
    assert rule(templates)["Targets"] == [{**before, "Arn": {"Fn::Sub": "arn:${AWS::Partition}:sns:x"}}]
    assert AlarmTarget().in_template(templates)
    assert rule(templates)["Targets"] == []


def test_the_topic_in_a_template(templates: Templates) -> None:
    topic = templates.resource(LabOutputs.alarm_topic)
    assert TopicKey("alias/aws/sns").in_template(templates)
    assert topic.properties["KmsMasterKeyId"] == "alias/aws/sns"
    assert TopicKey().in_template(templates)
    assert "KmsMasterKeyId" not in topic.properties
    assert TopicPolicy(drop("RefusePlainHttp"), add(LISTEN)).in_template(templates)
    (policy,) = templates.of_type("AWS::SNS::TopicPolicy")
    statements = policy.properties["PolicyDocument"]["Statement"]
    assert [one["Sid"] for one in statements] == ["LetTheRulePublish", "Listen"]
    assert statements[1]["Resource"] == {"Ref": topic.logical_id}


def test_a_subscriber_in_a_template(templates: Templates) -> None:
    assert Subscriber("sqs", QUEUE).in_template(templates)
    (added,) = templates.of_type("AWS::SNS::Subscription")
    assert added.properties["Endpoint"] == {"Fn::Sub": QUEUE}


@pytest.fixture(scope="module")
def workshop(deployed_lab: DeployedLab) -> Workshop:
    return open_workshop(deployed_lab)


def look(workshop: Workshop) -> Any:
    """Everything that is set about the trail, the rule and the topic."""
    trail, sns, events = (workshop.client(name) for name in ("cloudtrail", "sns", "events"))
    out = workshop.outputs
    rule = events.describe_rule(Name=out.alarm_rule)
    subscribed = sns.list_subscriptions_by_topic(TopicArn=out.alarm_topic)["Subscriptions"]
    attributes = sns.get_topic_attributes(TopicArn=out.alarm_topic)["Attributes"]
    return (
        trail.describe_trails(trailNameList=[out.trail])["trailList"],
        trail.get_trail_status(Name=out.trail)["IsLogging"],
        trail.get_event_selectors(TrailName=out.trail)["EventSelectors"],
        (rule["State"], json.loads(rule["EventPattern"]), rule["Description"]),
        events.list_targets_by_rule(Rule=out.alarm_rule)["Targets"],
        [one["Endpoint"] for one in subscribed],
        (attributes["KmsMasterKeyId"], json.loads(attributes["Policy"])),
    )


CHANGES: dict[str, Change] = {
    "stopped": TrailLogging(),
    "validation": TrailSettings(LogFileValidationEnabled=False),
    "key": TrailSettings(KmsKeyId=""),
    "Regions": TrailSettings(IsMultiRegionTrail=False),
    "IAM": TrailSettings(IsMultiRegionTrail=False, IncludeGlobalServiceEvents=False),
    "KMS": EventSelectors(ExcludeManagementEventSources=["kms.amazonaws.com"]),
    "rule off": AlarmRule(state="DISABLED"),
    "rule narrow": AlarmRule(eventName=["DisableKey"]),
    "no target": AlarmTarget(),
    "another target": AlarmTarget(Arn="arn:aws:sns:us-east-1:111122223333:test"),
    "constant": AlarmTarget(Input='"x"'),
    "topic key": TopicKey("alias/aws/sns"),
    "no topic key": TopicKey(),
    "topic policy": TopicPolicy(drop("LetTheRulePublish")),
    "subscriber": Subscriber("sqs", QUEUE),
}


@pytest.mark.parametrize("what", CHANGES)
def test_it_breaks_and_is_put_back(workshop: Workshop, what: str) -> None:
    breaks_and_puts_back(workshop, CHANGES[what], look)
