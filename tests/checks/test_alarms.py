from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.checks.fakes import ACCOUNT, OUTPUTS, Request, World, judge, policy_document
from tests.checks.table import Broken

if TYPE_CHECKING:
    from collections.abc import Callable

PATTERN: dict[str, Any] = {
    "source": ["aws.kms"],
    "detail-type": ["AWS API Call via CloudTrail"],
    "detail": {"eventSource": ["kms.amazonaws.com"], "eventName": ["DisableKey"]},
}
TARGET = {"Id": "alarms", "Arn": OUTPUTS.alarm_topic}
PUBLISH = {
    "Sid": "Publish",
    "Effect": "Allow",
    "Principal": {"Service": "events.amazonaws.com"},
    "Action": "sns:Publish",
    "Resource": OUTPUTS.alarm_topic,
}
TLS = {
    "Effect": "Deny",
    "Principal": "*",
    "Action": "sns:Publish",
    "Resource": OUTPUTS.alarm_topic,
    "Condition": {"Bool": {"aws:SecureTransport": "false"}},
}
OURS = f"arn:aws:sqs:eu-central-1:{ACCOUNT}:ours"


def asks(detail: dict[str, Any] | None = None, **more: Any) -> Callable[[World], object]:
    pattern = {**PATTERN, **more, "detail": {**PATTERN["detail"], **(detail or {})}}
    return lambda world: world.answers("events:DescribeRule", {"EventPattern": json.dumps(pattern)})


def notifies(*targets: dict[str, Any]) -> Callable[[World], object]:
    return lambda world: world.answers("events:ListTargetsByRule", {"Targets": [*targets]})


def topic_policy(*statements: dict[str, Any]) -> Callable[[World], object]:
    attributes = {"Attributes": {"Policy": policy_document(*statements)}}
    return lambda world: world.answers("sns:GetTopicAttributes", attributes)


def listen(*pages: list[str]) -> Callable[[World], object]:
    """The topic's subscribers, in pages."""

    def page(request: Request) -> dict[str, Any]:
        number = int(request.get("NextToken", "0"))
        following = {"NextToken": str(number + 1)} if number + 1 < len(pages) else {}
        return {"Subscriptions": [{"Endpoint": one} for one in pages[number]], **following}

    return lambda world: world.answers("sns:ListSubscriptionsByTopic", page)


def good_world() -> World:
    world = World()
    for how in (asks(), notifies(TARGET), topic_policy(PUBLISH, TLS), listen([OURS, "anna@example.org"])):
        how(world)
    return world


RULE, EVENT = "alarms.the-rule-asks-for-nothing-else", "alarms.the-whole-event-is-passed-on"
POLICY, LISTEN = "alarms.only-eventbridge-publishes", "alarms.nobody-outside-listens"
BROKEN = [
    Broken(RULE, asks({"userIdentity": {"type": ["Root"]}}), "with a certain userIdentity"),
    Broken(RULE, asks({"eventSource": ["iam.amazonaws.com"]}), "with a certain eventSource"),
    Broken(RULE, asks(region=["eu-west-1"]), "also asks for region"),
    Broken(EVENT, notifies({**TARGET, "Input": '"x"'}), "what Input makes of it"),
    Broken(EVENT, notifies({**TARGET, "InputPath": "$.detail.eventName"}), "what InputPath makes"),
    Broken(EVENT, notifies({**TARGET, "InputTransformer": {"InputTemplate": "x"}}), "InputTransformer"),
    Broken(EVENT, notifies(), "does not notify the topic"),
    Broken(POLICY, topic_policy(TLS), "does not let EventBridge publish"),
    Broken(POLICY, topic_policy(PUBLISH), "does not deny publishing without TLS"),
    Broken(POLICY, topic_policy({**PUBLISH, "Principal": "*"}, PUBLISH, TLS), "lets * in (Publish)"),
    Broken(
        POLICY,
        topic_policy(PUBLISH, TLS, {**PUBLISH, "Sid": "More", "Principal": {"AWS": "999999999999"}}),
        "lets AWS:999999999999 in (More)",
    ),
    Broken(POLICY, topic_policy(PUBLISH, {**TLS, "Effect": "Allow"}), "lets * in (no Sid)"),
    Broken(LISTEN, listen(["arn:aws:sqs:eu-central-1:999999999999:theirs"]), "999999999999:theirs listens"),
    Broken(LISTEN, listen([OURS], ["arn:aws:lambda:eu-central-1:999999999999:function:f"]), "function:f"),
]


def test_who_listens_is_counted() -> None:
    assert judge(LISTEN, good_world()).summary == "1 of this account listen, none of another; 1 by address"
