"""What can be changed about the trail, the alarm rule and its topic."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from kmslab.faults.change import NothingSaved
from kmslab.faults.changes.setting import Setting
from kmslab.faults.changes.statements import edited, filled, names, names_in
from kmslab.model.outputs import LabOutputs

if TYPE_CHECKING:
    from kmslab.faults.change import Json
    from kmslab.faults.changes.statements import Edit
    from kmslab.faults.templates import Resource, Templates
    from kmslab.faults.workshop import Workshop

UPDATED_AS = {"LogFileValidationEnabled": "EnableLogFileValidation"}
"""What UpdateTrail calls otherwise than DescribeTrails."""
IN_TEMPLATES = {**UPDATED_AS, "KmsKeyId": "KMSKeyId"}
"""What CloudFormation does."""


class TrailLogging(Setting):
    """The trail is stopped, or started."""

    def read(self, workshop: Workshop) -> Any:
        """Return whether it is logging."""
        return workshop.client("cloudtrail").get_trail_status(Name=workshop.outputs.trail)["IsLogging"]

    def write(self, workshop: Workshop, value: Any) -> None:
        """Start or stop it."""
        trail = workshop.client("cloudtrail")
        (trail.start_logging if value else trail.stop_logging)(Name=workshop.outputs.trail)

    def broken(self, workshop: Workshop, value: Any) -> Any:
        """Return no."""
        del workshop, value
        return False

    def in_template(self, templates: Templates) -> bool:
        """Switch it off."""
        templates.resource(LabOutputs.trail).properties["IsLogging"] = False
        return True


class TrailSettings(Setting):
    """The trail has other settings."""

    def __init__(self, **settings: Any) -> None:
        """Take them as DescribeTrails calls them; an empty ``KmsKeyId`` means no key."""
        self.settings = settings

    def read(self, workshop: Workshop) -> Any:
        """Return the settings that are to change."""
        trails = workshop.client("cloudtrail").describe_trails(trailNameList=[workshop.outputs.trail])
        return {name: trails["trailList"][0].get(name, "") for name in self.settings}

    def write(self, workshop: Workshop, value: Any) -> None:
        """Put them."""
        settings = {UPDATED_AS.get(name, name): setting for name, setting in value.items()}
        workshop.client("cloudtrail").update_trail(Name=workshop.outputs.trail, **settings)

    def broken(self, workshop: Workshop, value: Any) -> Any:
        """Return the other settings."""
        del workshop, value
        return self.settings

    def in_template(self, templates: Templates) -> bool:
        """Put them; what is empty is left out."""
        properties = templates.resource(LabOutputs.trail).properties
        for name, setting in self.settings.items():
            properties[IN_TEMPLATES.get(name, name)] = setting
            if setting == "":  # False is a setting too
                del properties[IN_TEMPLATES.get(name, name)]
        return True


class EventSelectors(Setting):
    """The trail records fewer events."""

    def __init__(self, **selector: Any) -> None:
        """Take what is different in its selector: ``IncludeManagementEvents``, ``ReadWriteType``, ..."""
        self.selector = selector

    def read(self, workshop: Workshop) -> Any:
        """Return the selectors."""
        found = workshop.client("cloudtrail").get_event_selectors(TrailName=workshop.outputs.trail)
        return found["EventSelectors"]

    def write(self, workshop: Workshop, value: Any) -> None:
        """Put the selectors."""
        workshop.client("cloudtrail").put_event_selectors(
            TrailName=workshop.outputs.trail, EventSelectors=value
        )

    def broken(self, workshop: Workshop, value: Any) -> Any:
        """Change the selector."""
        del workshop
        return [{**value[0], **self.selector}, *value[1:]]

    def in_template(self, templates: Templates) -> bool:
        """Change the selector, which the template leaves at its default."""
        properties = templates.resource(LabOutputs.trail).properties
        default = {"IncludeManagementEvents": True, "ReadWriteType": "All"}
        selectors = properties.setdefault("EventSelectors", [default])
        selectors[0].update(self.selector)
        return True


class AlarmRule(Setting):
    """The rule that raises the alarm is off, or watches for less."""

    def __init__(self, *, state: str = "", **detail: Any) -> None:
        """Say what is different.

        Args:
            state: ``DISABLED``.
            detail: members of the pattern's ``detail``.
        """
        self.state = state
        self.detail = detail

    def read(self, workshop: Workshop) -> Any:
        """Return the rule."""
        found = workshop.client("events").describe_rule(Name=workshop.outputs.alarm_rule)
        return {name: found[name] for name in ("Name", "State", "EventPattern", "Description")}

    def write(self, workshop: Workshop, value: Any) -> None:
        """Put the rule; its targets stay."""
        workshop.client("events").put_rule(**value)

    def broken(self, workshop: Workshop, value: Any) -> Any:
        """Change state and pattern."""
        del workshop
        pattern = json.loads(value["EventPattern"])
        pattern["detail"].update(self.detail)
        return {**value, "State": self.state or value["State"], "EventPattern": json.dumps(pattern)}

    def in_template(self, templates: Templates) -> bool:
        """Change state and pattern."""
        properties = _rule(templates).properties
        if self.state:
            properties["State"] = self.state
        properties["EventPattern"]["detail"].update(self.detail)
        return True


class AlarmTarget(Setting):
    """The rule notifies somebody else, tells less, or notifies nobody."""

    def __init__(self, **target: Any) -> None:
        """Take what is different in its target, with words in braces; nothing: it has none."""
        self.target = target

    def read(self, workshop: Workshop) -> Any:
        """Return the targets."""
        return workshop.client("events").list_targets_by_rule(Rule=workshop.outputs.alarm_rule)["Targets"]

    def write(self, workshop: Workshop, value: Any) -> None:
        """Have these targets, and no others."""
        events, rule = workshop.client("events"), workshop.outputs.alarm_rule
        if others := [one["Id"] for one in self.read(workshop) if one not in value]:
            events.remove_targets(Rule=rule, Ids=others)
        if value:
            events.put_targets(Rule=rule, Targets=value)

    def broken(self, workshop: Workshop, value: Any) -> Any:
        """Change the one target, or take it away."""
        return [{**value[0], **filled(self.target, names(workshop))}] if self.target else []

    def in_template(self, templates: Templates) -> bool:
        """Change the one target, or take it away."""
        targets = _rule(templates).properties["Targets"]
        if self.target:
            targets[0].update(filled(self.target, names_in(templates)))
        else:
            targets.clear()
        return True


class TopicKey(Setting):
    """The alarm topic is under another key, or under none."""

    def __init__(self, key: str = "") -> None:
        """Take the key (``alias/aws/sns``); empty: the topic is not encrypted."""
        self.key = key

    def read(self, workshop: Workshop) -> Any:
        """Return the key."""
        return _topic(workshop)["KmsMasterKeyId"]

    def write(self, workshop: Workshop, value: Any) -> None:
        """Set the key."""
        _set_topic(workshop, "KmsMasterKeyId", value)

    def broken(self, workshop: Workshop, value: Any) -> Any:
        """Return the other key."""
        del workshop, value
        return self.key

    def in_template(self, templates: Templates) -> bool:
        """Set the key."""
        properties = templates.resource(LabOutputs.alarm_topic).properties
        properties["KmsMasterKeyId"] = self.key
        if not self.key:
            del properties["KmsMasterKeyId"]
        return True


class TopicPolicy(Setting):
    """The alarm topic's policy has other statements."""

    def __init__(self, *edits: Edit) -> None:
        self.edits = edits

    def read(self, workshop: Workshop) -> Any:
        """Return the policy."""
        return json.loads(_topic(workshop)["Policy"])

    def write(self, workshop: Workshop, value: Any) -> None:
        """Put the policy."""
        _set_topic(workshop, "Policy", json.dumps(value))

    def broken(self, workshop: Workshop, value: Any) -> Any:
        """Edit its statements."""
        return edited(value, self.edits, names(workshop, workshop.outputs.alarm_topic))

    def in_template(self, templates: Templates) -> bool:
        """Edit the statements of its AWS::SNS::TopicPolicy."""
        topic = templates.resource(LabOutputs.alarm_topic)
        (policy,) = templates.of_type("AWS::SNS::TopicPolicy", topic.stack)
        words = names_in(templates, {"Ref": topic.logical_id})
        edited(policy.properties["PolicyDocument"], self.edits, words)
        return True


class Subscriber(NothingSaved):
    """Somebody else listens to the alarms."""

    def __init__(self, protocol: str, endpoint: str) -> None:
        """Take who, with words in braces."""
        self.protocol = protocol
        self.endpoint = endpoint

    def apply(self, workshop: Workshop, saved: Json) -> None:
        """Subscribe them."""
        del saved
        workshop.client("sns").subscribe(
            TopicArn=workshop.outputs.alarm_topic,
            Protocol=self.protocol,
            Endpoint=filled(self.endpoint, names(workshop)),
        )

    def restore(self, workshop: Workshop, saved: Json) -> None:
        """Unsubscribe them; a subscription that nobody confirmed has no ARN, and goes by itself."""
        del saved
        sns, endpoint = workshop.client("sns"), filled(self.endpoint, names(workshop))
        pages = sns.get_paginator("list_subscriptions_by_topic")
        for page in pages.paginate(TopicArn=workshop.outputs.alarm_topic):
            for one in page["Subscriptions"]:
                if one["Endpoint"] == endpoint and one["SubscriptionArn"].startswith("arn:"):
                    sns.unsubscribe(SubscriptionArn=one["SubscriptionArn"])

    def in_template(self, templates: Templates) -> bool:
        """Subscribe them."""
        topic = templates.resource(LabOutputs.alarm_topic)
        templates.by_stack[topic.stack]["Resources"]["Subscriber"] = {
            "Type": "AWS::SNS::Subscription",
            "Properties": {
                "TopicArn": {"Ref": topic.logical_id},
                "Protocol": self.protocol,
                "Endpoint": filled(self.endpoint, names_in(templates)),
            },
        }
        return True


def _topic(workshop: Workshop) -> Any:
    return workshop.client("sns").get_topic_attributes(TopicArn=workshop.outputs.alarm_topic)["Attributes"]


def _set_topic(workshop: Workshop, name: str, value: str) -> None:
    workshop.client("sns").set_topic_attributes(
        TopicArn=workshop.outputs.alarm_topic, AttributeName=name, AttributeValue=value
    )


def _rule(templates: Templates) -> Resource:
    (rule,) = templates.of_type("AWS::Events::Rule", LabOutputs.alarm_rule.stack)
    return rule
