"""Faults of the trail and the alarms: what happens to the keys, and nobody hears of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kmslab.faults.changes.buckets import (
    PUBLIC_ACCESS_BLOCKS,
    BucketEncryption,
    BucketPolicy,
    Expiry,
    PublicAccess,
    Versioning,
)
from kmslab.faults.changes.policies import KeyPolicy
from kmslab.faults.changes.statements import (
    A_STRANGER,
    EVERYBODY,
    about,
    add,
    drop,
    drop_conditions,
    replace,
)
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
from kmslab.faults.registry import fault
from kmslab.model.outputs import LabOutputs

if TYPE_CHECKING:
    from kmslab.faults.change import Change

GUIDE = "06-asymmetric-and-envelope"
BUCKET = LabOutputs.trail_bucket
DANGEROUS = ("DisableKey", "ScheduleKeyDeletion", "PutKeyPolicy", "DeleteImportedKeyMaterial")


def _alarm_without(name: str) -> Change:
    return AlarmRule(eventName=[one for one in DANGEROUS if one != name])


@fault(guide=GUIDE, noticed_by=("audit.trail-is-logging",), also=("audit.alarm-arrives",))
def the_trail_is_stopped() -> Change:
    """The trail is stopped.

    It is still there, with all its settings; only its status tells. It is what an attacker does first, and what
    somebody does "for the time of the migration".
    """
    return TrailLogging()


@fault(guide=GUIDE, noticed_by=("audit.log-files-can-be-validated",))
def log_files_are_not_validated() -> Change:
    """Log file validation is off.

    CloudTrail writes no digests any more: a log file can be changed or taken away, and nothing shows it.
    """
    return TrailSettings(LogFileValidationEnabled=False)


@fault(guide=GUIDE, noticed_by=("audit.trail-is-under-its-own-key",))
def the_trail_has_no_key() -> Change:
    """The trail no longer names the lab's key.

    New log files are under the bucket's default encryption at best. Who may read the trail is then
    a matter of the bucket alone.
    """
    return TrailSettings(KmsKeyId="")


@fault(guide=GUIDE, noticed_by=("audit.trail-is-logging",))
def the_trail_sees_one_region() -> Change:
    """The trail records one Region only.

    Whoever wants to be unseen makes their keys, and their copies, in another one.
    """
    return TrailSettings(IsMultiRegionTrail=False)


@fault(guide=GUIDE, noticed_by=("audit.trail-is-logging",))
def the_trail_leaves_iam_out() -> Change:
    """The trail leaves out global services: IAM and STS above all.

    Who became whom, and who was given which permission, is half of every question about a key.
    """
    return TrailSettings(IncludeGlobalServiceEvents=False)


@fault(guide=GUIDE, noticed_by=("trail.every-use-of-a-key-is-recorded",))
def the_trail_leaves_kms_out() -> Change:
    """The trail leaves KMS out (ExcludeManagementEventSources).

    The console offers it beside the price: KMS events are many. Logging is on, for all Regions, validated and
    encrypted, and says nothing about any key.
    """
    return EventSelectors(ExcludeManagementEventSources=["kms.amazonaws.com"])


@fault(guide=GUIDE, noticed_by=("trail.every-use-of-a-key-is-recorded",))
def the_trail_records_writes_only() -> Change:
    """The trail records write events only.

    To KMS, Decrypt and GenerateDataKey are reads: every use of a key is missing.
    """
    return EventSelectors(ReadWriteType="WriteOnly")


@fault(guide=GUIDE, noticed_by=("trail.every-use-of-a-key-is-recorded",))
def the_trail_records_no_management_events() -> Change:
    """The trail records no management events.

    Somebody added data events and left the box above unticked. The calls to KMS are management events.
    """
    everything = {"Type": "AWS::S3::Object", "Values": ["arn:${AWS::Partition}:s3"]}
    return EventSelectors(IncludeManagementEvents=False, DataResources=[everything])


@fault(guide=GUIDE, noticed_by=("audit.trail-is-under-its-own-key",))
def the_trails_bucket_is_under_sse_s3() -> Change:
    """The trail's bucket encrypts under SSE-S3 by default.

    CloudTrail still names its key for log files; digests, and whatever else comes, lie under AWS's.
    """
    return BucketEncryption(BUCKET, "AES256", bucket_key=False)


@fault(guide=GUIDE, noticed_by=("trail.the-trails-bucket-has-no-bucket-key",))
def the_trails_bucket_has_a_bucket_key() -> Change:
    """The trail's bucket uses a Bucket Key.

    Cheaper, and it replaces the encryption context of the trail by the bucket's: the condition in the key
    policy by which the auditor may read log files, and nothing else under that key, matches no more.
    """
    return BucketEncryption(BUCKET, bucket_key=True)


@fault(guide=GUIDE, noticed_by=("trail.log-files-can-be-delivered",))
def cloudtrail_may_not_write() -> Change:
    """The trail's bucket no longer lets CloudTrail write.

    The trail is on and its status says "logging"; the bucket just stays as it was.
    """
    return BucketPolicy(BUCKET, drop("LetCloudTrailWrite"))


@fault(guide=GUIDE, noticed_by=("trail.log-files-can-be-delivered", "bucket-policies.nobody-else-is-let-in"))
def any_trail_may_write() -> Change:
    """The trail's bucket lets any trail of anybody write log files.

    Without aws:SourceArn CloudTrail is a confused deputy: a stranger's trail that names this bucket
    writes into the record.
    """
    return BucketPolicy(BUCKET, drop_conditions("LetCloudTrailWrite", "StringEquals", "aws:SourceArn"))


@fault(guide=GUIDE, noticed_by=("bucket-policies.nobody-else-is-let-in",))
def another_account_may_read_the_trail() -> Change:
    """The trail's bucket lets another account read log files.

    For "the security team's tool". The key refuses them today; the list of who uses which key for what is one
    statement away.
    """
    reads = {"Sid": "TemporaryAccess", "Effect": "Allow", "Action": "s3:GetObject", "Resource": "${Thing}/*"}
    return BucketPolicy(BUCKET, add({**reads, "Principal": A_STRANGER}))


@fault(guide=GUIDE, noticed_by=("s3.policies-demand-tls",))
def the_trails_bucket_takes_plain_http() -> Change:
    """The trail's bucket no longer denies access without TLS."""
    return BucketPolicy(BUCKET, drop(about("aws:SecureTransport")))


@fault(guide=GUIDE, noticed_by=("s3.no-bucket-can-become-public",))
def the_trails_bucket_may_become_public() -> Change:
    """All four blocks of public access of the trail's bucket are off."""
    return PublicAccess(BUCKET, *PUBLIC_ACCESS_BLOCKS)


@fault(guide=GUIDE, noticed_by=("other-buckets.keep-versions",))
def the_trails_bucket_keeps_no_versions() -> Change:
    """Versioning of the trail's bucket is suspended.

    Validation says that a log file is missing; with versions one could have it back.
    """
    return Versioning(BUCKET)


@fault(guide=GUIDE, noticed_by=("other-buckets.delete-nothing-by-themselves",))
def log_files_expire() -> Change:
    """A lifecycle rule deletes the trail's log files, and their versions, after a day.

    Incidents are found after weeks.
    """
    return Expiry(BUCKET)


@fault(guide=GUIDE, noticed_by=("trail.log-files-can-be-delivered",))
def cloudtrail_may_not_use_the_key() -> Change:
    """The trail key's policy no longer lets CloudTrail encrypt log files.

    Delivery stops. The trail's settings are all as they should be.
    """
    return KeyPolicy(LabOutputs.key_trail, drop("EncryptLogFiles"))


@fault(guide=GUIDE, noticed_by=("audit.alarm-watches-the-dangerous-calls", "audit.alarm-arrives"))
def the_alarm_is_off() -> Change:
    """The rule that raises the alarm is disabled.

    It rang once too often at night.
    """
    return AlarmRule(state="DISABLED")


@fault(guide=GUIDE, noticed_by=("audit.alarm-watches-the-dangerous-calls",))
def the_alarm_misses_deletions() -> Change:
    """The alarm no longer watches for ScheduleKeyDeletion.

    A key that waits for its deletion can be saved for seven days, by who hears of it.
    """
    return _alarm_without("ScheduleKeyDeletion")


@fault(guide=GUIDE, noticed_by=("audit.alarm-watches-the-dangerous-calls",))
def the_alarm_misses_key_policies() -> Change:
    """The alarm no longer watches for PutKeyPolicy.

    Whoever rewrites a key policy decides about everything under the key.
    """
    return _alarm_without("PutKeyPolicy")


@fault(guide=GUIDE, noticed_by=("audit.alarm-watches-the-dangerous-calls",))
def the_alarm_misses_key_material() -> Change:
    """The alarm no longer watches for DeleteImportedKeyMaterial.

    Imported material can be deleted at once, without any days to wait.
    """
    return _alarm_without("DeleteImportedKeyMaterial")


@fault(guide=GUIDE, noticed_by=("audit.alarm-watches-the-dangerous-calls",), also=("audit.alarm-arrives",))
def the_alarm_misses_disabled_keys() -> Change:
    """The alarm no longer watches for DisableKey.

    Everything under the key stops at once; nobody is told why.
    """
    return _alarm_without("DisableKey")


@fault(guide=GUIDE, noticed_by=("alarms.the-rule-asks-for-nothing-else",), also=("audit.alarm-arrives",))
def the_alarm_is_for_root_only() -> Change:
    """The alarm watches for the root user alone.

    All four operations are still in the pattern. But a pattern is a conjunction: the line that somebody added
    leaves out everybody who would really do it.
    """
    return AlarmRule(userIdentity={"type": ["Root"]})


@fault(
    guide=GUIDE,
    noticed_by=(
        "audit.alarm-watches-the-dangerous-calls",
        "audit.alarm-arrives",
        "alarms.the-whole-event-is-passed-on",
    ),
)
def the_alarm_notifies_nobody() -> Change:
    """The rule has no target.

    It matches, and nothing follows.
    """
    return AlarmTarget()


@fault(
    guide=GUIDE,
    noticed_by=(
        "audit.alarm-watches-the-dangerous-calls",
        "audit.alarm-arrives",
        "alarms.the-whole-event-is-passed-on",
    ),
)
def the_alarm_goes_elsewhere() -> Change:
    """The rule notifies another topic than the lab's."""
    return AlarmTarget(Arn="arn:${AWS::Partition}:sns:${AWS::Region}:${AWS::AccountId}:${Prefix}-test")


@fault(guide=GUIDE, noticed_by=("alarms.the-whole-event-is-passed-on",), also=("audit.alarm-arrives",))
def the_alarm_says_nothing() -> Change:
    """The alarm's text is "a key operation happened", whatever happened.

    A constant in place of the event: which key, and who, is what one would have to know at once.
    """
    return AlarmTarget(Input='"a key operation happened"')


@fault(guide=GUIDE, noticed_by=("audit.alarm-topic-is-under-the-labs-key",), also=("audit.alarm-arrives",))
def the_topic_is_under_the_managed_key() -> Change:
    """The alarm topic is encrypted under aws/sns.

    Encrypted, and dumb: that key's policy does not let EventBridge use it, and nobody can change it. Alarms are
    dropped without a word.
    """
    return TopicKey("alias/aws/sns")


@fault(guide=GUIDE, noticed_by=("audit.alarm-topic-is-under-the-labs-key",))
def the_topic_is_not_encrypted() -> Change:
    """The alarm topic is not encrypted.

    Alarms arrive again, which is why somebody does it. They name keys, principals and addresses.
    """
    return TopicKey()


@fault(guide=GUIDE, noticed_by=("alarms.only-eventbridge-publishes",), also=("audit.alarm-arrives",))
def eventbridge_may_not_publish() -> Change:
    """The topic's policy no longer lets EventBridge publish.

    Alarms are dropped without a word.
    """
    return TopicPolicy(drop("LetTheRulePublish"))


@fault(guide=GUIDE, noticed_by=("alarms.only-eventbridge-publishes",))
def everybody_may_publish() -> Change:
    """The topic's policy lets everybody publish.

    Who can cry wolf a thousand times a day can switch the alarm off.
    """
    return TopicPolicy(replace("LetTheRulePublish", Principal=EVERYBODY))


@fault(guide=GUIDE, noticed_by=("alarms.only-eventbridge-publishes",))
def another_account_may_listen() -> Change:
    """The topic's policy lets another account subscribe to the alarms."""
    statement = {
        "Sid": "TemporaryAccess",
        "Effect": "Allow",
        "Action": "sns:Subscribe",
        "Resource": "${Thing}",
    }
    return TopicPolicy(add({**statement, "Principal": A_STRANGER}))


@fault(guide=GUIDE, noticed_by=("alarms.only-eventbridge-publishes",))
def alarms_go_over_plain_http() -> Change:
    """The topic's policy no longer denies publishing without TLS."""
    return TopicPolicy(drop("RefusePlainHttp"))


@fault(guide=GUIDE, noticed_by=("alarms.nobody-outside-listens",))
def a_stranger_listens() -> Change:
    """A queue of another account is subscribed to the alarms.

    Whoever attacks a key hears at once that, and when, it was noticed.
    """
    return Subscriber("sqs", "arn:${AWS::Partition}:sqs:${AWS::Region}:111122223333:collector")


@fault(guide=GUIDE, noticed_by=("audit.alarm-topic-is-under-the-labs-key",), also=("audit.alarm-arrives",))
def eventbridge_may_not_use_the_key() -> Change:
    """The trail key's policy no longer lets EventBridge use the key for the topic.

    The rule matches, the topic is there and encrypted; no alarm arrives.
    """
    return KeyPolicy(LabOutputs.key_trail, drop("LetEventBridgeAlarm"))


@fault(guide=GUIDE, noticed_by=("trail.only-the-auditor-opens-log-files",))
def the_account_reads_the_trail() -> Change:
    """The trail key's policy lets everybody in the account read log files whom IAM allows it.

    The condition on the auditor is gone. Everybody with s3:* reads who used which key for what.
    """
    return KeyPolicy(LabOutputs.key_trail, drop_conditions("ReadLogFilesThroughS3", "ArnEquals"))
