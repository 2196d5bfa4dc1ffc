"""Changes reach EventBridge as "AWS API Call via CloudTrail", and its targets, as far as policies and keys allow.

EventBridge User Guide, "AWS service events delivered via CloudTrail": a trail has to be logging, and read-only
events are left out. An encrypted topic needs a key whose policy lets ``events.amazonaws.com`` use it (SNS
Developer Guide, "Enable compatibility between event sources from AWS services and encrypted topics").
"""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

from ministack.core import iam_evaluator
from ministack.core.responses import get_account_id, get_region
from ministack.services import cloudtrail, sns

from kmslab.engine.cloudtrail import topics
from kmslab.engine.cloudtrail.patterns import may_match
from kmslab.engine.hooks import extend

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

logger = logging.getLogger("kmslab.engine.cloudtrail")

DETAIL_TYPE = "AWS API Call via CloudTrail"
EVENTS = "events.amazonaws.com"


def deliver(service: str, event: Mapping[str, Any]) -> None:
    """Put a change on the account's default event bus, if a trail is logging and a rule may want it."""
    from ministack.services import eventbridge

    patterns = [
        *(rule["EventPattern"] for rule in eventbridge._rules.values() if rule.get("EventPattern")),
        *(archive.get("EventPattern", "") for archive in eventbridge._archives.values()),
    ]
    if not any(may_match(pattern, event["eventName"]) for pattern in patterns) or not _a_trail_is_logging():
        return
    entry = {"Source": f"aws.{service}", "DetailType": DETAIL_TYPE, "Detail": json.dumps(event, default=str)}
    eventbridge._put_events({"Entries": [entry]}, allow_aws_source=True)


def _a_trail_is_logging() -> bool:
    return any(trail.get("IsLogging") for _, _, trail in cloudtrail._visible_trail_items())


def refusal(topic_arn: str, rule_arn: str) -> str:
    """Why EventBridge may not publish to a topic: its policy, or its key; empty when it may."""
    topic = sns._topic_by_arn_any_scope(topic_arn)
    if topic is None:
        return "the topic does not exist"
    attributes = topic["attributes"]
    conditions = {"aws:sourcearn": rule_arn, "aws:sourceaccount": get_account_id()}
    context = iam_evaluator.EvalContext(
        principal_arn="*",
        principal_type="Service",
        principal_account="",
        action="sns:Publish",
        resource_arn=topic_arn,
        region=get_region(),
        secure_transport=True,  # services call one another over TLS
        service_context=conditions,
    )
    decision = iam_evaluator.evaluate_resource_policy(
        attributes.get("Policy"), context, service=EVENTS
    ).decision
    if decision != "Allow":
        return f"the topic's policy does not let {EVENTS} publish"
    whose = {"aws:SourceArn": rule_arn, "aws:SourceAccount": get_account_id()}
    refused = topics.refusal(topic_arn, service_principal=EVENTS, **whose)
    return f"{refused.code}: {refused.message}" if refused else ""


def _invoke_target(
    stock: Callable[..., None],
    target: Mapping[str, Any],
    event: Any,
    rule: Mapping[str, Any],
    view: Any = None,
) -> None:
    """Drop what SNS or KMS would refuse EventBridge."""
    arn = str(target.get("Arn", ""))
    if arn.split(":")[2:3] == ["sns"] and (why := refusal(arn, str(rule.get("Arn", "")))):
        logger.warning("the rule %s cannot notify %s: %s", rule.get("Name"), arn, why)
        return
    stock(target, event, rule, view)


def install() -> None:
    """Guard the delivery to topics."""
    from ministack.services import eventbridge

    extend(eventbridge, "_invoke_target", "target", "event", "rule", "view")(_invoke_target)
