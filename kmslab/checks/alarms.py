"""The way of an alarm, step by step as it is configured: that nothing is left out, dropped or overheard.

`kmslab.checks.audit` raises an alarm and waits for it; a way that is broken shows there as an alarm that does
not come, which proves nothing in time. Here it shows as what it is.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from kmslab.checks.policy import ALLOW, DENY, is_everyone, statements
from kmslab.checks.registry import check
from kmslab.checks.shared import read_once

if TYPE_CHECKING:
    from kmslab.checks.policy import Statement
    from kmslab.lab import Lab

GUIDE = "12-audit"
PUBLISH = "sns:Publish"
EVENTBRIDGE = "Service:events.amazonaws.com"
NARROWED_BY = {"eventSource": ["kms.amazonaws.com"]}
"""What the alarm's pattern may ask of an event beside its name."""


@check(guide=GUIDE)
def the_rule_asks_for_nothing_else(lab: Lab) -> str:
    """The rule matches the dangerous calls whoever makes them, on whichever key, in whichever way.

    A pattern is a conjunction: one member more, such as the kind of the user or one key's ARN, and the alarm
    is for that alone, while all four operations still stand in it.
    """
    rule = read_once(lab, "events:DescribeRule", Name=lab.outputs.alarm_rule)
    pattern: dict[str, Any] = json.loads(rule["EventPattern"])
    also = sorted(set(pattern) - {"source", "detail-type", "detail"})
    lab.expect(not also, f"the rule also asks for {', '.join(also)}")
    detail = {name: value for name, value in pattern.get("detail", {}).items() if name != "eventName"}
    more = [name for name, value in detail.items() if NARROWED_BY.get(name) != value]
    lab.expect(not more, f"the rule matches only events with a certain {', '.join(sorted(more))}")
    return "the rule asks for the operation and for KMS, and for nothing else"


@check(guide=GUIDE)
def the_whole_event_is_passed_on(lab: Lab) -> str:
    """The alarm holds the event as it was recorded: which key, by whom, from where.

    EventBridge can put a constant text or a part of the event in its place. Who is woken by an alarm
    that says only that there is one has to look everything up.
    """
    targets = read_once(lab, "events:ListTargetsByRule", Rule=lab.outputs.alarm_rule)["Targets"]
    ours = [one for one in targets if one["Arn"] == lab.outputs.alarm_topic]
    lab.expect(ours, "the rule does not notify the topic")
    cut = sorted(
        {name for one in ours for name in ("Input", "InputPath", "InputTransformer") if one.get(name)}
    )
    lab.expect(not cut, f"the alarm is not the event but what {', '.join(cut)} makes of it")
    return "the topic receives the event as it was recorded"


@check(guide=GUIDE)
def only_eventbridge_publishes(lab: Lab) -> str:
    """The topic's policy lets EventBridge publish, over TLS, and lets nobody else do anything.

    Without the permission alarms are dropped and nobody is told. Whoever else may publish can cry wolf until
    nobody listens; whoever else may subscribe hears what was noticed.
    """
    attributes = read_once(lab, "sns:GetTopicAttributes", TopicArn=lab.outputs.alarm_topic)["Attributes"]
    policy = statements(attributes.get("Policy") or "{}")
    lent = [one for one in policy if one.effect == ALLOW]
    lab.expect(
        any(one.covers(PUBLISH) and EVENTBRIDGE in one.principals for one in lent),
        "the topic's policy does not let EventBridge publish",
    )
    for one in lent:
        others = [name for name in one.principals if name != EVENTBRIDGE]
        lab.expect(not others, f"the topic's policy lets {', '.join(others)} in ({one.sid or 'no Sid'})")
    lab.expect(
        any(map(_denies_plain_http, policy)), "the topic's policy does not deny publishing without TLS"
    )
    return "the topic's policy lets EventBridge publish, over TLS, and nobody else in"


@check(guide=GUIDE)
def nobody_outside_listens(lab: Lab) -> str:
    """No queue, function or stream of another account is subscribed to the alarms.

    Who attacks a key and listens here hears at once that it was noticed. Of an e-mail address or a telephone
    number nobody can say whose it is: they are counted.
    """
    endpoints = _subscribers(lab)
    accounts = {one: one.split(":")[4] for one in endpoints if one.startswith("arn:")}
    strangers = sorted(one for one, account in accounts.items() if account not in {lab.account, ""})
    lab.expect(not strangers, f"{', '.join(strangers)} listens to the alarms")
    others = len(endpoints) - len(accounts)
    return f"{len(accounts)} of this account listen, none of another; {others} by address"


def _subscribers(lab: Lab) -> list[str]:
    """Where the topic sends alarms: ARNs, addresses, telephone numbers."""
    found: list[str] = []
    following: dict[str, Any] = {}
    while True:
        page = lab.read("sns:ListSubscriptionsByTopic", TopicArn=lab.outputs.alarm_topic, **following)
        found += (str(one["Endpoint"]) for one in page["Subscriptions"])
        if not page.get("NextToken"):
            return found
        following = {"NextToken": page["NextToken"]}


def _denies_plain_http(statement: Statement) -> bool:
    return (
        statement.effect == DENY
        and any(map(is_everyone, statement.principals))
        and statement.covers(PUBLISH)
        and dict(statement.conditions) == {("bool", "aws:securetransport"): ("false",)}
    )
