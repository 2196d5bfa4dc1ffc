"""Audit: the trail says who used which key, for which service and with what context."""

from __future__ import annotations

import base64
import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from kmslab.checks.blocks import sample_blocks
from kmslab.checks.history import context_of, event_of
from kmslab.checks.policy import document, statements
from kmslab.checks.registry import check
from kmslab.checks.samples import sample_object, temporary_tags
from kmslab.checks.shared import read_once
from kmslab.checks.temporary import temporary_key
from kmslab.model.capability import DECIDING, Capability
from kmslab.model.naming import ENCRYPTION_CONTEXT, role_name
from kmslab.model.persona import Persona
from kmslab.model.target import TargetKind

if TYPE_CHECKING:
    from kmslab.lab import Lab

GUIDE = "12-audit"
TRAIL = frozenset({Capability.KMS_TRAIL})
ALARM_SECONDS = {TargetKind.AWS: 600.0, TargetKind.LOCAL: 10.0, TargetKind.ENDPOINT: 60.0}
DANGEROUS = frozenset({"DisableKey", "ScheduleKeyDeletion", "PutKeyPolicy", "DeleteImportedKeyMaterial"})
"""What the lab raises an alarm for: each makes data unreadable or changes who can read it."""
SOME_SERVICE = "AWS Internal"
"""What ``invokedBy`` says of some services that act for a caller, instead of their name."""


@check(
    guide=GUIDE,
    controls=(
        "CloudTrail.2",
        "config:cloud-trail-encryption-enabled",
        "prowler:cloudtrail_kms_encryption_enabled",
        "cis:4.5",
        "cdk-nag:NIST.800.53.R5-CloudTrailEncryptionEnabled",
    ),
)
def trail_is_under_its_own_key(lab: Lab) -> str:
    """The trail's log files are encrypted under a key of the lab's, and so is their bucket.

    Who may read the trail is then a matter of that key's policy, not only of the bucket's.
    """
    key = _trail(lab).get("KmsKeyId", "no key")
    lab.expect(key == lab.outputs.key_trail, f"the trail is under {key}")
    found = read_once(lab, "s3:GetBucketEncryption", Bucket=lab.outputs.trail_bucket)
    default = found["ServerSideEncryptionConfiguration"]["Rules"][0]["ApplyServerSideEncryptionByDefault"]
    lab.expect(
        default.get("KMSMasterKeyID") == lab.outputs.key_trail,
        f"the trail's bucket is under {default.get('KMSMasterKeyID', default['SSEAlgorithm'])}",
    )
    return "the trail and its bucket are under the lab's trail key"


@check(
    guide=GUIDE,
    controls=(
        "CloudTrail.4",
        "prowler:cloudtrail_log_file_validation_enabled",
        "config:cloud-trail-log-file-validation-enabled",
        "cis:4.2",
        "cdk-nag:NIST.800.53.R5-CloudTrailLogFileValidationEnabled",
    ),
)
def log_files_can_be_validated(lab: Lab) -> str:
    """CloudTrail signs a digest of its log files every hour: a changed or missing file is noticed."""
    lab.expect(_trail(lab).get("LogFileValidationEnabled"), "log file validation is off")
    return "log file validation is on"


@check(
    guide=GUIDE,
    controls=(
        "CloudTrail.1",
        "config:multi-region-cloudtrail-enabled",
        "cis:4.1",
        "prowler:cloudtrail_multi_region_enabled",
        "prowler:cloudtrail_multi_region_enabled_logging_management_events",
    ),
)
def trail_is_logging(lab: Lab) -> str:
    """The trail is on, and records the management events of every Region.

    KMS calls are management events. A trail that exists may still be stopped: only its status tells.
    """
    status = read_once(lab, "cloudtrail:GetTrailStatus", Name=lab.outputs.trail)
    lab.expect(status.get("IsLogging"), "the trail exists but is not logging")
    trail = _trail(lab)
    lab.expect(trail.get("IsMultiRegionTrail"), "the trail records one Region only")
    lab.expect(trail.get("IncludeGlobalServiceEvents"), "the trail leaves out global services such as IAM")
    return "the trail is logging, for every Region"


@check(guide=GUIDE, needs=TRAIL)
def direct_use_names_the_principal(lab: Lab) -> str:
    """A direct use of a key is recorded with who, what and which key.

    The data owner encrypts; the event names the data owner's role, the operation, the key's ARN and
    the encryption context, which is never secret. The plaintext and the ciphertext are not in it.
    """
    probe = uuid4().hex
    plaintext = f"plaintext-{uuid4().hex}".encode()
    context = {**ENCRYPTION_CONTEXT, "probe": probe}
    lab.allowed(
        Persona.DATA_OWNER,
        "kms:Encrypt",
        KeyId=lab.outputs.key_app,
        Plaintext=plaintext,
        EncryptionContext=context,
    )
    event = event_of(lab, "Encrypt", lambda one: context_of(one) == context, key=lab.outputs.key_app)
    _expect_principal(lab, event, Persona.DATA_OWNER)
    lab.expect(event["eventSource"] == "kms.amazonaws.com", f"the event's source is {event['eventSource']}")
    _expect_key(lab, event, lab.outputs.key_app)
    return "the event names the data owner, Encrypt, the key and the encryption context"


@check(guide=GUIDE, needs=TRAIL)
def events_hold_no_plaintext(lab: Lab) -> str:
    """Nothing that was encrypted is found in the trail: not the plaintext, not the ciphertext.

    The data owner encrypts a random message and decrypts it again; neither event holds a trace of it.
    """
    context = {**ENCRYPTION_CONTEXT, "probe": uuid4().hex}
    plaintext = uuid4().hex.encode()
    sealed = lab.allowed(
        Persona.DATA_OWNER,
        "kms:Encrypt",
        KeyId=lab.outputs.key_app,
        Plaintext=plaintext,
        EncryptionContext=context,
    )["CiphertextBlob"]
    lab.allowed(Persona.DATA_OWNER, "kms:Decrypt", CiphertextBlob=sealed, EncryptionContext=context)
    traces = [plaintext.decode(), *(base64.b64encode(each).decode() for each in (plaintext, sealed))]
    for name in ("Encrypt", "Decrypt"):
        event = event_of(lab, name, lambda one: context_of(one) == context, key=lab.outputs.key_app)
        text = json.dumps(event)
        lab.expect(not any(trace in text for trace in traces), f"the {name} event holds what was encrypted")
    return "the Encrypt and Decrypt events hold neither plaintext nor ciphertext"


@check(guide=GUIDE, needs=TRAIL | {Capability.KMS_ON_BEHALF_OF_CALLER})
def use_through_s3_names_both(lab: Lab) -> str:
    """A use through S3 is recorded with the person, the service and the object.

    The data owner reads an object that has no Bucket Key. The Decrypt event names the data owner's
    role, says that S3 made the call on their behalf (invokedBy), and carries the object's ARN as the
    encryption context.
    """
    sample = sample_object(lab)
    sample.put(ServerSideEncryption="aws:kms", SSEKMSKeyId=lab.outputs.key_s3, BucketKeyEnabled=False)
    sample.get()
    context = {"aws:s3:arn": f"arn:{lab.access.partition}:s3:::{sample.bucket}/{sample.key}"}
    event = event_of(lab, "Decrypt", lambda one: context_of(one) == context, key=lab.outputs.key_s3)
    by = expect_use_through(lab, event, lab.outputs.key_s3, "s3")
    return f"the event names the data owner, the key, the object, and {by}"


@check(guide=GUIDE, needs=TRAIL | {Capability.KMS_ON_BEHALF_OF_CALLER, Capability.EBS_ENCRYPTION})
def use_through_ebs_names_both(lab: Lab) -> str:
    """A use through EBS is recorded with the person, the service and the volume.

    The data owner makes a volume. EBS asks for the volume's data key, which it will only ever see
    encrypted (GenerateDataKeyWithoutPlaintext), with the volume's id as the encryption context.
    """
    context = {"aws:ebs:id": sample_blocks(lab).new_volume()["VolumeId"]}
    name, key = "GenerateDataKeyWithoutPlaintext", lab.outputs.key_ebs
    event = event_of(lab, name, lambda one: context_of(one) == context, key=key)
    by = expect_use_through(lab, event, key, "ec2", "ebs")
    return f"the event names the data owner, the key, the volume, and {by}"


@check(guide=GUIDE, needs=TRAIL | {Capability.KMS_ON_BEHALF_OF_CALLER})
def use_through_secrets_manager_names_both(lab: Lab) -> str:
    """A use through Secrets Manager is recorded with the person, the service and the secret.

    The data owner reads the secret's value; the Decrypt event carries the secret's ARN as the
    encryption context. Who read which secret is thus in the history of the key as well.
    """
    secret = lab.outputs.app_secret
    lab.allowed(Persona.DATA_OWNER, "secretsmanager:GetSecretValue", SecretId=secret)
    event = event_of(
        lab,
        "Decrypt",
        lambda one: context_of(one).get("SecretARN") == secret and _is_by(lab, one, Persona.DATA_OWNER),
        key=lab.outputs.key_secrets,
    )
    by = expect_use_through(lab, event, lab.outputs.key_secrets, "secretsmanager")
    return f"the event names the data owner, the key, the secret, and {by}"


@check(guide=GUIDE, needs=TRAIL | {Capability.KMS_ON_BEHALF_OF_CALLER})
def bucket_key_is_recorded_with_the_bucket(lab: Lab) -> str:
    """With a Bucket Key the encryption context is the bucket's ARN, not the object's.

    One call to KMS then serves many objects, so the trail can no longer tell which: a key policy that
    asks for an object's ARN would refuse every read. S3's own data events name the objects.
    """
    sample = sample_object(lab)
    sample.put()
    context = {"aws:s3:arn": f"arn:{lab.access.partition}:s3:::{sample.bucket}"}
    # S3 may still hold a Bucket Key that it fetched earlier: then the event is older than this put.
    key, earlier = lab.outputs.key_s3, timedelta(hours=1)
    event = event_of(lab, "GenerateDataKey", lambda one: context_of(one) == context, key=key, reach=earlier)
    _expect_key(lab, event, key)
    return "the data key for the bucket was asked for with the bucket's ARN as context"


@check(guide=GUIDE, needs=TRAIL | DECIDING)
def denied_call_is_recorded(lab: Lab) -> str:
    """An attempt that KMS refuses is recorded as well, with the error: that is how probing is noticed.

    The data owner makes a data key; the outsider is refused the same, and the refusal is in the trail
    under the outsider's name.
    """
    request: dict[str, Any] = {
        "KeyId": lab.outputs.key_app,
        "KeySpec": "AES_256",
        "EncryptionContext": ENCRYPTION_CONTEXT,
    }
    operation = "GenerateDataKeyWithoutPlaintext"
    lab.allowed(Persona.DATA_OWNER, f"kms:{operation}", **request)
    lab.refused(Persona.OUTSIDER, f"kms:{operation}", **request)
    event = event_of(lab, operation, lambda one: _is_by(lab, one, Persona.OUTSIDER), persona=Persona.OUTSIDER)
    error = event.get("errorCode", "no error")
    lab.expect(error.startswith("AccessDenied"), f"the refused call is recorded with {error}")
    return f"the outsider's attempt is recorded with {error}"


@check(guide=GUIDE, controls=("cis:5.7",))
def alarm_watches_the_dangerous_calls(lab: Lab) -> str:
    """A rule watches for the four calls that make data unreadable or change who may read it.

    Disabling a key, scheduling its deletion, rewriting its policy and deleting imported material: the
    rule is enabled, matches all four, and notifies the lab's topic.
    """
    pattern = _alarm_pattern(lab)
    lab.expect(pattern.get("source") == ["aws.kms"], f"the rule's source is {pattern.get('source')}")
    kind = pattern.get("detail-type")
    lab.expect(kind == ["AWS API Call via CloudTrail"], f"the rule matches {kind}")
    missing = DANGEROUS - set(pattern.get("detail", {}).get("eventName", []))
    lab.expect(not missing, f"the rule does not watch for {', '.join(sorted(missing))}")
    return f"the rule watches for {', '.join(sorted(DANGEROUS))} and notifies the topic"


@check(
    guide=GUIDE,
    controls=(
        "SNS.1",
        "config:sns-encrypted-kms",
        "prowler:sns_topics_kms_encryption_at_rest_enabled",
        "cdk-nag:NIST.800.53.R5-SNSEncryptedKMS",
    ),
)
def alarm_topic_is_under_the_labs_key(lab: Lab) -> str:
    """The alarm topic is encrypted under the lab's key, and that key lets EventBridge use it.

    Under aws/sns no alarm would ever arrive: nobody can change that key's policy, and EventBridge has
    to make a data key for the topic.
    """
    attributes = read_once(lab, "sns:GetTopicAttributes", TopicArn=lab.outputs.alarm_topic)["Attributes"]
    key = attributes.get("KmsMasterKeyId", "no key")
    lab.expect(key == lab.outputs.key_trail, f"the topic is under {key}")
    policy = statements(read_once(lab, "kms:GetKeyPolicy", KeyId=key, PolicyName="default")["Policy"])
    lent = [
        one for one in policy if "Service:events.amazonaws.com" in one.principals and one.effect == "Allow"
    ]
    for action in ("kms:GenerateDataKey", "kms:Decrypt"):
        lab.expect(any(one.covers(action) for one in lent), f"the key does not let EventBridge call {action}")
    return "the topic is under the lab's key, which EventBridge may use"


@check(guide=GUIDE, needs={Capability.ALARMS}, controls=("cis:5.7",), changes_keys=True)
def alarm_arrives(lab: Lab) -> str:
    """Disabling a key raises the alarm, through every encrypted step of its way.

    A key made for the occasion is disabled. CloudTrail records it, EventBridge matches it and hands it
    to the encrypted topic, and a queue that listens to the topic receives it: which key, and by whom.

    The alarm is real: every run of this check also reaches whoever subscribed to the topic, and so do
    the keys that other checks disable or delete. An alarm that is late may still be on its way, which
    is no answer (ERROR); one that cannot come, since the rule is off, or that names somebody else is
    a FAIL.
    """
    _alarm_pattern(lab)
    queue = _listen(lab)
    key = temporary_key(lab, "disabled to raise the alarm")
    lab.allowed(Persona.OPERATOR, "kms:DisableKey", KeyId=key)
    sqs = lab.client(Persona.OPERATOR, "sqs")

    def arrived() -> str | None:
        answer = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, WaitTimeSeconds=1)
        texts = [message["Body"] for message in answer.get("Messages", [])]
        ours = (text for text in texts if "DisableKey" in text and key.rpartition("/")[2] in text)
        return next(ours, None)

    alarm = lab.wait_until(arrived, "the alarm", seconds=ALARM_SECONDS[lab.access.target.kind])
    who = json.loads(json.loads(alarm)["Message"])["detail"]["userIdentity"].get("arn", "nobody")
    lab.expect(who == lab.access.caller["Arn"], f"the alarm names {who}, who did not disable the key")
    return "disabling a key raised an alarm that names the key and who did it"


def _alarm_pattern(lab: Lab) -> dict[str, Any]:
    """FAIL unless the rule is on and notifies the lab's topic; returns what it watches for."""
    rule = read_once(lab, "events:DescribeRule", Name=lab.outputs.alarm_rule)
    lab.expect(rule.get("State") == "ENABLED", f"the rule is {rule.get('State')}")
    targets = read_once(lab, "events:ListTargetsByRule", Rule=lab.outputs.alarm_rule)["Targets"]
    lab.expect(
        lab.outputs.alarm_topic in {one["Arn"] for one in targets}, "the rule does not notify the topic"
    )
    pattern: dict[str, Any] = json.loads(rule["EventPattern"])
    return pattern


def _listen(lab: Lab) -> str:
    """Make a queue that receives what the alarm topic publishes; returns its URL."""
    sqs, sns = lab.client(Persona.OPERATOR, "sqs"), lab.client(Persona.OPERATOR, "sns")
    name, topic = f"{lab.prefix}-alarm-{uuid4().hex[:12]}", lab.outputs.alarm_topic
    arn = f"arn:{lab.access.partition}:sqs:{lab.region}:{lab.account}:{name}"
    allow = {
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": arn,
        "Condition": {"ArnEquals": {"aws:SourceArn": topic}},
    }
    tags = {tag["Key"]: tag["Value"] for tag in temporary_tags(lab)}
    policy = {"Policy": document(allow)}
    queue = str(sqs.create_queue(QueueName=name, Attributes=policy, tags=tags)["QueueUrl"])
    lab.undo(lambda: sqs.delete_queue(QueueUrl=queue))
    made = sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, ReturnSubscriptionArn=True)
    lab.undo(lambda: sns.unsubscribe(SubscriptionArn=made["SubscriptionArn"]))
    return queue


def _trail(lab: Lab) -> Any:
    return read_once(lab, "cloudtrail:GetTrail", Name=lab.outputs.trail)["Trail"]


def _is_by(lab: Lab, event: dict[str, Any], persona: Persona) -> bool:
    return f":assumed-role/{role_name(lab.prefix, persona)}/" in event["userIdentity"].get("arn", "")


def _expect_principal(lab: Lab, event: dict[str, Any], persona: Persona) -> None:
    who = event["userIdentity"].get("arn", "nobody")
    lab.expect(_is_by(lab, event, persona), f"the event names {who}, not the {persona}")


def expect_use_through(lab: Lab, event: dict[str, Any], key: str, *services: str) -> str:
    """FAIL unless the event is the data owner's use of the key through one of the services.

    Returns: what the event calls the service: ``s3.amazonaws.com``, or for a forward access session
    ``fas.s3.amazonaws.com``.
    """
    _expect_principal(lab, event, Persona.DATA_OWNER)
    _expect_key(lab, event, key)
    by = str(event["userIdentity"].get("invokedBy", "nobody"))
    named = by.removeprefix("fas.").removesuffix(".amazonaws.com") in services
    lab.expect(named or by == SOME_SERVICE, f"the event says that it was invoked by {by}")
    return by


def _expect_key(lab: Lab, event: dict[str, Any], key: str) -> None:
    named = {one.get("ARN") or one.get("arn") for one in event.get("resources") or []}
    lab.expect(key in named, f"the event names {', '.join(sorted(filter(None, named))) or 'no key'}")
