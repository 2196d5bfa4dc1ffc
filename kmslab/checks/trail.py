"""What the trail leaves out, and whether its log files arrive and stay as they were written: its configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kmslab.checks.policy import ALLOW, statements
from kmslab.checks.registry import check
from kmslab.checks.shared import read_once
from kmslab.lab import Inconclusive

if TYPE_CHECKING:
    from kmslab.checks.policy import Statement
    from kmslab.lab import Lab

GUIDE = "12-audit"
CLOUDTRAIL = "Service:cloudtrail.amazonaws.com"


@check(guide=GUIDE)
def every_use_of_a_key_is_recorded(lab: Lab) -> str:
    """The trail selects all management events, reads and writes, KMS's among them.

    A trail that is on may still leave out the half of it: to KMS, Decrypt and GenerateDataKey are read
    events, and KMS as a whole can be excluded, because its events are many.
    """
    answer = lab.read("cloudtrail:GetEventSelectors", TrailName=lab.outputs.trail)
    if answer.get("AdvancedEventSelectors"):
        raise Inconclusive("the trail has advanced event selectors, which this check does not read")
    chosen = [one for one in answer.get("EventSelectors", []) if one.get("IncludeManagementEvents")]
    lab.expect(chosen, "the trail records no management events")
    kinds = {one.get("ReadWriteType", "All") for one in chosen}
    lab.expect("All" in kinds, f"the trail records {', '.join(sorted(kinds))} management events")
    left_out = {source for one in chosen for source in one.get("ExcludeManagementEventSources", [])}
    lab.expect("kms.amazonaws.com" not in left_out, "the trail leaves KMS out")
    return "all management events, KMS's among them"


@check(guide=GUIDE)
def log_files_can_be_delivered(lab: Lab) -> str:
    """The trail's bucket and its key let CloudTrail write, for the lab's own trail and for no other.

    A refused delivery is silent for who does not ask: the trail says that it is logging. And without
    aws:SourceArn any trail of any account that names this bucket would write into the record.
    """
    sealing = statements(
        read_once(lab, "kms:GetKeyPolicy", KeyId=lab.outputs.key_trail, PolicyName="default")["Policy"]
    )
    may = any(
        one.effect == ALLOW and CLOUDTRAIL in one.principals and one.covers("kms:GenerateDataKey")
        for one in sealing
    )
    lab.expect(may, "the key's policy does not let CloudTrail encrypt log files")
    bucket = lab.outputs.trail_bucket
    policy = statements(
        read_once(lab, "s3:GetBucketPolicy", absent="NoSuchBucketPolicy", Bucket=bucket).get("Policy", "{}")
    )
    lent = [one for one in policy if one.effect == ALLOW and CLOUDTRAIL in one.principals]
    arn = f"arn:{lab.access.partition}:s3:::{bucket}"
    for action, resource in (("s3:GetBucketAcl", arn), ("s3:PutObject", f"{arn}/AWSLogs/{lab.account}/*")):
        found = any(one.covers(action) and resource in one.resources for one in lent)
        lab.expect(found, f"the bucket's policy does not let CloudTrail call {action}")
    loose = [one.sid or "no Sid" for one in lent if not _is_for(one, lab.outputs.trail)]
    lab.expect(not loose, f"the bucket's policy lets CloudTrail in for any trail ({', '.join(loose)})")
    return "CloudTrail may write into the trail's bucket, for the lab's trail alone"


@check(guide=GUIDE)
def the_trails_bucket_has_no_bucket_key(lab: Lab) -> str:
    """The trail's bucket uses no Bucket Key: with one, the encryption context would be the bucket's.

    The auditor's permission to decrypt is for the trail's context: it opens log files and nothing else that
    lies under that key. The condition would match no more.
    """
    found: dict[str, Any] = read_once(lab, "s3:GetBucketEncryption", Bucket=lab.outputs.trail_bucket)
    rule = found["ServerSideEncryptionConfiguration"]["Rules"][0]
    lab.expect(not rule.get("BucketKeyEnabled"), "the trail's bucket uses a Bucket Key")
    return "no Bucket Key: every log file's context names the trail"


@check(guide=GUIDE)
def only_the_auditor_opens_log_files(lab: Lab) -> str:
    """The trail's key decrypts for the auditor alone, and for the service that delivers alarms.

    Who used which key for what is itself worth protecting: it tells an attacker where the data is. A statement
    for the account without a condition on the principal would leave it to IAM, and there s3:* is common.
    """
    policy = read_once(lab, "kms:GetKeyPolicy", KeyId=lab.outputs.key_trail, PolicyName="default")["Policy"]
    auditor = (lab.outputs.role_auditor,)
    loose = [
        one.sid or "no Sid"
        for one in statements(policy)
        if one.effect == ALLOW
        and one.covers("kms:Decrypt")
        and not all(name.startswith("Service:") for name in one.principals)
        and one.pinned_to("aws:PrincipalArn") != auditor
    ]
    lab.expect(not loose, f"the key's policy lets others than the auditor decrypt ({', '.join(loose)})")
    return "the auditor alone opens log files"


def _is_for(statement: Statement, trail: str) -> bool:
    return statement.pinned_to("aws:SourceArn") == (trail,)
