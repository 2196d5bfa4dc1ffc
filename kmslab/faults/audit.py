"""Faults of the trail: what happens to the keys is not on record."""

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
    about,
    add,
    drop,
    drop_conditions,
)
from kmslab.faults.changes.trail import (
    EventSelectors,
    TrailLogging,
    TrailSettings,
)
from kmslab.faults.noticing import NOBODY_ELSE
from kmslab.faults.registry import fault
from kmslab.model.outputs import LabOutputs

if TYPE_CHECKING:
    from kmslab.faults.change import Change

GUIDE = "12-audit"
BUCKET = LabOutputs.trail_bucket


@fault(
    guide=GUIDE,
    noticed_by=("audit.trail-is-logging", "log-files.what-was-done-is-in-them"),
    also=("audit.alarm-arrives",),
)
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


@fault(guide=GUIDE, noticed_by=("audit.trail-is-under-its-own-key", "log-files.only-the-auditor-reads-them"))
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
    """The trail is one of a single Region that leaves out global services: IAM and STS above all.

    Who became whom, and who was given which permission, is half of every question about a key. A trail of every
    Region has them in any case: CloudTrail refuses to leave them out.
    """
    return TrailSettings(IsMultiRegionTrail=False, IncludeGlobalServiceEvents=False)


@fault(
    guide=GUIDE,
    noticed_by=("trail.every-use-of-a-key-is-recorded",),
    also=("log-files.what-was-done-is-in-them",),
)
def the_trail_leaves_kms_out() -> Change:
    """The trail leaves KMS out (ExcludeManagementEventSources).

    The console offers it beside the price: KMS events are many. Logging is on, for all Regions, validated and
    encrypted, and says nothing about any key.
    """
    return EventSelectors(ExcludeManagementEventSources=["kms.amazonaws.com"])


@fault(
    guide=GUIDE,
    noticed_by=("trail.every-use-of-a-key-is-recorded",),
    also=("log-files.what-was-done-is-in-them",),
)
def the_trail_records_writes_only() -> Change:
    """The trail records write events only.

    To KMS, Decrypt and GenerateDataKey are reads: every use of a key is missing.
    """
    return EventSelectors(ReadWriteType="WriteOnly")


@fault(
    guide=GUIDE,
    noticed_by=("trail.every-use-of-a-key-is-recorded",),
    also=("log-files.what-was-done-is-in-them",),
)
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


@fault(
    guide=GUIDE,
    noticed_by=(
        "trail.log-files-can-be-delivered",
        "log-files.what-was-done-is-in-them",
        "log-files.only-the-auditor-reads-them",
        "log-files.a-digest-proves-them-unchanged",
        "log-files.the-digests-have-no-gap",
    ),
)
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
    """The trail's bucket no longer denies access without TLS.

    Log files are encrypted where they lie. Read without TLS they travel in the clear, with every name, key and
    address that is in them.
    """
    return BucketPolicy(BUCKET, drop(about("aws:SecureTransport")))


@fault(guide=GUIDE, noticed_by=("s3.no-bucket-can-become-public",))
def the_trails_bucket_may_become_public() -> Change:
    """All four blocks of public access of the trail's bucket are off.

    Nothing is public yet. The next careless bucket policy makes it so, and who reads the trail knows where to knock.
    """
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


@fault(
    guide=GUIDE,
    noticed_by=(
        "trail.log-files-can-be-delivered",
        "access.services-use-the-trail-key-for-the-lab-only",
        "log-files.what-was-done-is-in-them",
        "log-files.only-the-auditor-reads-them",
        "log-files.a-digest-proves-them-unchanged",
        "log-files.the-digests-have-no-gap",
    ),
)
def cloudtrail_may_not_use_the_key() -> Change:
    """The trail key's policy no longer lets CloudTrail encrypt log files.

    Delivery stops. The trail's settings are all as they should be.
    """
    return KeyPolicy(LabOutputs.key_trail, drop("EncryptLogFiles"))


@fault(
    guide=GUIDE,
    noticed_by=(
        "trail.only-the-auditor-opens-log-files",
        NOBODY_ELSE,
        "log-files.only-the-auditor-reads-them",
    ),
)
def the_account_reads_the_trail() -> Change:
    """The trail key's policy lets everybody in the account read log files whom IAM allows it.

    The condition on the auditor is gone. Everybody with s3:* reads who used which key for what.
    """
    return KeyPolicy(LabOutputs.key_trail, drop_conditions("ReadLogFilesThroughS3", "ArnEquals"))
