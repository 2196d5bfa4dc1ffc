from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from kmslab.checks import audit, history
from kmslab.model.persona import Persona
from kmslab.model.target import TargetKind
from kmslab.model.verdict import Outcome
from tests.checks.fake_ebs import FakeEbs
from tests.checks.fake_kms import FakeKms
from tests.checks.fake_s3 import FakeS3
from tests.checks.fakes import ACCOUNT, OUTPUTS, PREFIX, Request, World, judge, policy_document
from tests.checks.table import Broken, answers

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

OWNER, OUTSIDER = Persona.DATA_OWNER, Persona.OUTSIDER
TRAIL = {
    "KmsKeyId": OUTPUTS.key_trail,
    "LogFileValidationEnabled": True,
    "IsMultiRegionTrail": True,
    "IncludeGlobalServiceEvents": True,
}
PATTERN: dict[str, Any] = {
    "source": ["aws.kms"],
    "detail-type": ["AWS API Call via CloudTrail"],
    "detail": {
        "eventName": ["DisableKey", "ScheduleKeyDeletion", "PutKeyPolicy", "DeleteImportedKeyMaterial"]
    },
}
FOR_EVENTS = {
    "Effect": "Allow",
    "Principal": {"Service": "events.amazonaws.com"},
    "Action": ["kms:GenerateDataKey*", "kms:Decrypt"],
    "Resource": "*",
}
CALLER = f"arn:aws:sts::{ACCOUNT}:assumed-role/deployer/session"
RECORDED = {"Encrypt", "Decrypt", "GenerateDataKeyWithoutPlaintext"}


class GoodWorld(World):
    """A world that records its KMS calls, and in which every audit check passes.

    Attributes:
        events: the event history, oldest first.
        edit: changes an event before it is recorded.
        lose: whether events get lost.
        queue: what arrived in the queue that listens to the alarm topic.
        alarmed: who did it, as the alarm says.
    """

    def __init__(self) -> None:
        super().__init__()
        self.kms, self.ebs, self.s3 = FakeKms(self), FakeEbs(self), FakeS3(self)
        self.kms.add(OUTPUTS.key_app)
        self.kms.add(OUTPUTS.key_trail, policy=policy_document(FOR_EVENTS))
        self.events: list[dict[str, Any]] = []
        self.edit: Callable[[dict[str, Any]], object] = lambda _: None
        self.lose = False
        self.queue = ["not an alarm"]
        self.alarmed = CALLER
        self.left: set[str] = set()
        for operation in ("PutObject", "GetObject"):
            self.answers(f"s3:{operation}", getattr(self, f"_{operation.lower()}"))
        self.answers("ec2:CreateVolume", self._createvolume)
        self.answers("secretsmanager:GetSecretValue", self._getsecretvalue)
        self.answers("kms:DisableKey", self._disable)
        self.answers("cloudtrail:LookupEvents", self._history)
        self.answers("cloudtrail:GetTrail", {"Trail": TRAIL})
        self.answers("cloudtrail:GetTrailStatus", {"IsLogging": True})
        self.answers("events:DescribeRule", rule(PATTERN))
        self.answers("events:ListTargetsByRule", {"Targets": [{"Id": "alarms", "Arn": OUTPUTS.alarm_topic}]})
        self.answers("sns:GetTopicAttributes", {"Attributes": {"KmsMasterKeyId": OUTPUTS.key_trail}})
        self.answers("sns:Subscribe", lambda _: self._add("arn:subscription", "SubscriptionArn"))
        self.answers("sns:Unsubscribe", lambda r: self._drop(r["SubscriptionArn"]))
        self.answers("sqs:CreateQueue", lambda _: self._add("https://queue", "QueueUrl"))
        self.answers("sqs:DeleteQueue", lambda r: self._drop(r["QueueUrl"]))
        self.answers("sqs:ReceiveMessage", lambda _: {"Messages": [{"Body": body} for body in self.queue]})
        self.refuses("kms:GenerateDataKeyWithoutPlaintext", OUTSIDER)

    def reply_to(self, request: Request) -> Mapping[str, Any]:
        service, _, name = request.action.partition(":")
        recorded = service == "kms" and name in RECORDED
        try:
            answer = super().reply_to(request)
        except Exception:
            if recorded:
                self.record(request.persona, name, None, errorCode="AccessDenied")
            raise
        if recorded:
            key = request.get("KeyId", OUTPUTS.key_app)
            self.record(request.persona, name, request["EncryptionContext"], key)
        return answer

    def record(
        self, persona: Persona, name: str, context: Mapping[str, str] | None, key: str = "", **more: Any
    ) -> None:
        arn = f"arn:aws:sts::{ACCOUNT}:assumed-role/{PREFIX}-{persona}/kmslab-{persona}"
        via = more.pop("via", None)
        event = {
            "userIdentity": {"arn": arn} | ({"invokedBy": via} if via else {}),
            "eventSource": "kms.amazonaws.com",
            "eventName": name,
            "requestParameters": None if context is None else {"encryptionContext": dict(context)},
            "resources": [{"ARN": key}] if key else [],
            **more,
        }
        self.edit(event)
        if not self.lose:
            self.events.append(event)

    def _putobject(self, request: Request) -> Mapping[str, Any]:
        answer = self.s3.PutObject(request)
        self._by_s3(request, "GenerateDataKey", bucket_key=bool(answer.get("BucketKeyEnabled")))
        return answer

    def _getobject(self, request: Request) -> Mapping[str, Any]:
        answer = self.s3.GetObject(request)
        self._by_s3(request, "Decrypt", bucket_key=bool(answer.get("BucketKeyEnabled")))
        return answer

    def _createvolume(self, request: Request) -> Mapping[str, Any]:
        made = self.ebs.CreateVolume(request)
        context = {"aws:ebs:id": made["VolumeId"]}
        name, key = "GenerateDataKeyWithoutPlaintext", OUTPUTS.key_ebs
        self.record(request.persona, name, context, key, via="ec2.amazonaws.com")
        return made

    def _getsecretvalue(self, request: Request) -> Mapping[str, Any]:
        context = {"SecretARN": request["SecretId"], "SecretVersionId": "1"}
        key, via = OUTPUTS.key_secrets, "secretsmanager.amazonaws.com"
        self.record(request.persona, "Decrypt", context, key, via=via)
        return {"SecretString": "hunter2"}

    def _by_s3(self, request: Request, name: str, *, bucket_key: bool) -> None:
        arn = f"arn:aws:s3:::{request['Bucket']}" + ("" if bucket_key else f"/{request['Key']}")
        self.record(request.persona, name, {"aws:s3:arn": arn}, OUTPUTS.key_s3, via="fas.s3.amazonaws.com")

    def _disable(self, request: Request) -> Mapping[str, Any]:
        for key, who in (("another key", "somebody else"), (request["KeyId"], self.alarmed)):
            detail = {"eventName": "DisableKey", "userIdentity": {"arn": who}, "keyId": key}
            self.queue.append(json.dumps({"Message": json.dumps({"detail": detail})}))
        return self.kms.DisableKey(request)

    def _history(self, request: Request) -> Mapping[str, Any]:
        (attribute,) = request["LookupAttributes"]
        assert datetime.now(UTC) - request["StartTime"] < timedelta(days=2)
        name, value = attribute["AttributeKey"], attribute["AttributeValue"]
        found = [one for one in self.events if value in _attribute(one, name)]
        return {"Events": [{"CloudTrailEvent": json.dumps(one)} for one in reversed(found)]}

    def _add(self, name: str, field: str) -> Mapping[str, Any]:
        self.left.add(name)
        return {field: name}

    def _drop(self, name: str) -> Mapping[str, Any]:
        self.left.remove(name)
        return {}


def _attribute(event: dict[str, Any], name: str) -> set[str]:
    """The values of an event that LookupEvents can be asked for."""
    if name == "ResourceName":
        return {one["ARN"] for one in event["resources"]}
    return {event["eventName"] if name == "EventName" else event["userIdentity"]["arn"].rpartition("/")[2]}


def rule(pattern: dict[str, Any], state: str = "ENABLED") -> dict[str, str]:
    return {"State": state, "EventPattern": json.dumps(pattern)}


def trail(**changes: Any) -> Callable[[World], object]:
    return answers("cloudtrail:GetTrail", {"Trail": {**TRAIL, **changes}})


def events_say(**changes: Any) -> Callable[[World], object]:
    """Record every event with these changes."""

    def how(world: World) -> None:
        assert isinstance(world, GoodWorld)
        world.edit = lambda event: event.update(changes)

    return how


def alarm_loses(world: World) -> None:
    assert isinstance(world, GoodWorld)
    world.answers("kms:DisableKey", world.kms.DisableKey)


def alarm_blames(world: World) -> None:
    assert isinstance(world, GoodWorld)
    world.alarmed = f"arn:aws:iam::{ACCOUNT}:user/somebody"


def events_are_lost(world: World) -> None:
    assert isinstance(world, GoodWorld)
    world.lose = True


def plaintext_is_recorded(world: World) -> None:
    assert isinstance(world, GoodWorld)

    def tell(event: dict[str, Any]) -> None:
        asked = world.asked("kms:Encrypt")
        event["additionalEventData"] = asked[-1]["Plaintext"].decode() if asked else ""

    world.edit = tell


def under_another_key(world: World) -> None:
    assert isinstance(world, GoodWorld)
    world.s3.buckets[OUTPUTS.trail_bucket].key = OUTPUTS.key_s3


def lent(*actions: str, service: str = "events") -> Callable[[World], object]:
    """The topic's key lets a service use it for these actions alone."""
    statement = {**FOR_EVENTS, "Principal": {"Service": f"{service}.amazonaws.com"}, "Action": list(actions)}
    return answers("kms:GetKeyPolicy", {"Policy": policy_document(statement)})


STRANGER = {"arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/somebody/else", "invokedBy": "fas.s3.amazonaws.com"}
BY_HERSELF = {"arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/{PREFIX}-{OWNER}/kmslab-{OWNER}"}
BROKEN = [
    Broken("audit.trail-is-under-its-own-key", trail(KmsKeyId=OUTPUTS.key_s3), f"under {OUTPUTS.key_s3}"),
    Broken("audit.trail-is-under-its-own-key", under_another_key, "the trail's bucket is under"),
    Broken("audit.log-files-can-be-validated", trail(LogFileValidationEnabled=False), "validation is off"),
    Broken(
        "audit.trail-is-logging", answers("cloudtrail:GetTrailStatus", {"IsLogging": False}), "not logging"
    ),
    Broken("audit.trail-is-logging", trail(IsMultiRegionTrail=False), "one Region only"),
    Broken("audit.trail-is-logging", trail(IncludeGlobalServiceEvents=False), "leaves out global services"),
    Broken("audit.direct-use-names-the-principal", events_say(userIdentity=STRANGER), "not the data-owner"),
    Broken("audit.direct-use-names-the-principal", events_say(resources=[]), "names no key"),
    Broken(
        "audit.direct-use-names-the-principal", events_say(eventSource="ec2.amazonaws.com"), "source is ec2"
    ),
    Broken("audit.direct-use-names-the-principal", events_are_lost, "did not happen within", Outcome.ERROR),
    Broken("audit.events-hold-no-plaintext", plaintext_is_recorded, "holds what was encrypted"),
    Broken("audit.use-through-s3-names-both", events_say(userIdentity=STRANGER), "not the data-owner"),
    Broken("audit.use-through-s3-names-both", events_say(userIdentity=BY_HERSELF), "invoked by nobody"),
    Broken("audit.use-through-s3-names-both", events_say(resources=[{"ARN": "x"}]), "the event names x"),
    Broken("audit.use-through-s3-names-both", events_are_lost, "did not happen within", Outcome.ERROR),
    *(
        row
        for check in ("audit.use-through-ebs-names-both", "audit.use-through-secrets-manager-names-both")
        for row in (
            Broken(check, events_say(userIdentity=BY_HERSELF), "invoked by nobody"),
            Broken(
                check,
                events_say(userIdentity={**BY_HERSELF, "invokedBy": "s3.amazonaws.com"}),
                "invoked by s3",
            ),
            Broken(check, events_say(resources=[{"ARN": "x"}]), "the event names x"),
            Broken(check, events_are_lost, "did not happen within", Outcome.ERROR),
        )
    ),
    Broken("audit.use-through-ebs-names-both", events_say(userIdentity=STRANGER), "not the data-owner"),
    # An event of somebody else is not the data owner's: it is waited for in vain.
    Broken(
        "audit.use-through-secrets-manager-names-both",
        events_say(userIdentity=STRANGER),
        "did not",
        Outcome.ERROR,
    ),
    Broken("audit.bucket-key-is-recorded-with-the-bucket", events_say(resources=[]), "names no key"),
    Broken("audit.denied-call-is-recorded", events_say(errorCode="Throttling"), "recorded with Throttling"),
    Broken("audit.denied-call-is-recorded", events_are_lost, "did not happen within", Outcome.ERROR),
    Broken(
        "audit.alarm-watches-the-dangerous-calls",
        answers("events:DescribeRule", rule(PATTERN, "DISABLED")),
        "is DISABLED",
    ),
    Broken(
        "audit.alarm-watches-the-dangerous-calls",
        answers(
            "events:DescribeRule", rule({**PATTERN, "detail": {"eventName": ["DisableKey", "PutKeyPolicy"]}})
        ),
        "does not watch for DeleteImportedKeyMaterial, ScheduleKeyDeletion",
    ),
    Broken(
        "audit.alarm-watches-the-dangerous-calls",
        answers("events:DescribeRule", rule({**PATTERN, "source": ["aws.s3"]})),
        "source is",
    ),
    Broken(
        "audit.alarm-watches-the-dangerous-calls",
        answers("events:DescribeRule", rule({**PATTERN, "detail-type": ["KMS Key Rotation"]})),
        "the rule matches",
    ),
    Broken(
        "audit.alarm-watches-the-dangerous-calls",
        answers("events:ListTargetsByRule", {"Targets": []}),
        "does not notify the topic",
    ),
    Broken(
        "audit.alarm-topic-is-under-the-labs-key",
        answers("sns:GetTopicAttributes", {"Attributes": {"KmsMasterKeyId": "alias/aws/sns"}}),
        "under alias/aws/sns",
    ),
    Broken(
        "audit.alarm-topic-is-under-the-labs-key",
        answers("sns:GetTopicAttributes", {"Attributes": {}}),
        "under no key",
    ),
    Broken("audit.alarm-topic-is-under-the-labs-key", lent("kms:Decrypt"), "kms:GenerateDataKey"),
    Broken("audit.alarm-topic-is-under-the-labs-key", lent("kms:GenerateDataKey*"), "kms:Decrypt"),
    Broken(
        "audit.alarm-topic-is-under-the-labs-key", lent("kms:*", service="s3"), "does not let EventBridge"
    ),
    Broken("audit.alarm-arrives", alarm_blames, "the alarm names arn:aws:iam::111122223333:user/somebody"),
    Broken(
        "audit.alarm-arrives", answers("events:DescribeRule", rule(PATTERN, "DISABLED")), "rule is DISABLED"
    ),
    Broken("audit.alarm-arrives", answers("events:ListTargetsByRule", {"Targets": []}), "does not notify"),
    # An alarm that has not arrived may still be on its way.
    Broken("audit.alarm-arrives", alarm_loses, "did not happen within", Outcome.ERROR),
]


def be_impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    for seconds in (history.HISTORY_SECONDS, audit.ALARM_SECONDS):
        monkeypatch.setitem(seconds, TargetKind.LOCAL, 0.05)


@pytest.fixture(autouse=True)
def impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    be_impatient(monkeypatch)


def test_the_event_is_kept_as_one_line_of_evidence() -> None:
    verdict = judge("audit.use-through-s3-names-both", GoodWorld())
    (call,) = [call for call in verdict.evidence if call.action == "cloudtrail:LookupEvents"]
    assert call.persona is Persona.AUDITOR
    assert "assumed-role/kms-lab-data-owner/kmslab-data-owner via fas.s3.amazonaws.com" in call.detail
    assert "arn:aws:s3:::data-bucket-value/kmslab-temporary/run-0001/" in call.detail


def test_a_throttled_look_is_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(history.HISTORY_SECONDS, TargetKind.LOCAL, 5)
    world = GoodWorld()
    world.refuses(
        "cloudtrail:LookupEvents",
        code="ThrottlingException",
        when=lambda _: len(world.asked("cloudtrail:LookupEvents")) == 1,
    )
    assert judge("audit.direct-use-names-the-principal", world).outcome is Outcome.PASS
    assert len(world.asked("cloudtrail:LookupEvents")) == 2


def test_the_auditor_must_be_able_to_look() -> None:
    world = GoodWorld().refuses("cloudtrail:LookupEvents")
    verdict = judge("audit.direct-use-names-the-principal", world)
    assert verdict.outcome is Outcome.ERROR
    assert verdict.summary == "the auditor could not look into the event history: AccessDeniedException"


def test_the_alarm_is_raised_with_a_key_made_for_it() -> None:
    world = GoodWorld()
    judge("audit.alarm-arrives", world)
    (disabled,) = world.asked("kms:DisableKey")
    assert disabled["KeyId"] not in {OUTPUTS.key_trail, OUTPUTS.key_app, OUTPUTS.key_s3}
    assert world.kms.find(disabled["KeyId"]).state == "PendingDeletion"


@pytest.mark.parametrize("by", ["s3.amazonaws.com", "fas.s3.amazonaws.com", "AWS Internal"])
def test_every_spelling_of_a_service_that_acts_for_its_caller_counts(by: str) -> None:
    world = GoodWorld()
    events_say(userIdentity={**BY_HERSELF, "invokedBy": by})(world)
    assert judge("audit.use-through-s3-names-both", world).outcome is Outcome.PASS
