"""Buckets beside the data bucket: what holds for it holds for those that logs and comparisons are kept in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kmslab.checks.buckets import (
    all_buckets,
    bucket_policy,
    denies_everything,
    expiring_rules,
    object_ownership,
)
from kmslab.checks.registry import check
from kmslab.checks.samples import read_if_any
from kmslab.model.persona import Persona

if TYPE_CHECKING:
    from kmslab.checks.policy import Statement
    from kmslab.lab import Lab

GUIDE = "05-s3"
OLDEST_TLS = 1.2


@check(guide=GUIDE, controls=("prowler:s3_bucket_object_versioning",))
def keep_versions(lab: Lab) -> str:
    """The buckets of logs and comparisons keep versions as the data bucket does.

    Who overwrites a log file to hide what they did leaves the version before it.
    """
    for bucket in _others(lab):
        status = lab.read("s3:GetBucketVersioning", Bucket=bucket).get("Status", "never enabled")
        lab.expect(status == "Enabled", f"versioning of {bucket} is {status}")
    return f"versioning is enabled for {len(_others(lab))} buckets"


@check(guide=GUIDE, controls=("S3.12", "prowler:s3_bucket_acl_prohibited"))
def have_no_access_lists(lab: Lab) -> str:
    """In no bucket of logs or comparisons has an access control list a say (BucketOwnerEnforced).

    CloudTrail still sends an ACL with each log file, because its bucket policy asks for one; it changes
    nothing.
    """
    for bucket in _others(lab):
        # The auditor reads this of the storage stack's buckets only.
        found = object_ownership(lab, bucket, Persona.OPERATOR)
        lab.expect(found == "BucketOwnerEnforced", f"object ownership of {bucket} is {found}")
    return f"object ownership is BucketOwnerEnforced for {len(_others(lab))} buckets"


@check(guide=GUIDE, controls=("S3.9", "prowler:s3_bucket_server_access_logging_enabled"))
def log_their_accesses(lab: Lab) -> str:
    """Accesses to the comparison buckets are logged to the log bucket, like those to the data bucket.

    The log bucket does not log itself, which would go round in circles, and whoever reads the trail's
    bucket is found in the trail.
    """
    out = lab.outputs
    comparison = (out.sse_s3_bucket, out.aws_managed_bucket, out.dsse_bucket)
    for bucket in comparison:
        found = lab.read("s3:GetBucketLogging", Bucket=bucket).get("LoggingEnabled", {})
        target = found.get("TargetBucket", "nowhere")
        lab.expect(target == out.access_log_bucket, f"access to {bucket} is logged to {target}")
    return f"accesses to {len(comparison)} buckets are logged to the log bucket"


@check(guide=GUIDE)
def refuse_old_tls(lab: Lab) -> str:
    """Every bucket of the storage stack, the data bucket among them, refuses TLS before version 1.2.

    AWS's endpoints no longer speak anything older; the statement says so where an auditor reads it, and
    holds for endpoints that are yet to come.
    """
    buckets = [bucket for bucket in all_buckets(lab) if bucket != lab.outputs.trail_bucket]
    for bucket in buckets:
        found = any(
            denies_everything(one, bucket) and _is_about_old_tls(one) for one in bucket_policy(lab, bucket)
        )
        lab.expect(found, f"{bucket}'s policy does not deny TLS before {OLDEST_TLS}")
    return f"the policies of {len(buckets)} buckets deny TLS before {OLDEST_TLS}"


@check(guide=GUIDE)
def replicate_nowhere(lab: Lab) -> str:
    """No bucket of the lab copies what it holds to another one.

    A replica is encrypted under the key of its destination, by S3 and not by who wrote the object: a rule
    that replicates to a bucket of somebody else is a way out past every key policy of the lab.
    """
    action, absent = "s3:GetBucketReplication", "ReplicationConfigurationNotFoundError"
    for bucket in all_buckets(lab):
        found = read_if_any(lab, action, absent, persona=Persona.OPERATOR, Bucket=bucket)
        rules = found.get("ReplicationConfiguration", {}).get("Rules", [])
        targets = ", ".join(rule["Destination"]["Bucket"].rpartition(":")[2] for rule in rules)
        lab.expect(not rules, f"{bucket} is replicated to {targets}")
    return f"none of {len(all_buckets(lab))} buckets is replicated"


@check(guide=GUIDE)
def delete_nothing_by_themselves(lab: Lab) -> str:
    """No lifecycle rule deletes log files, or what is kept for comparison.

    The rule of a day that empties the trail's bucket is a quiet way to lose the evidence. The lab ends
    with `kmslab down`, which empties the buckets first; until then they keep what they have.
    """
    for bucket in _others(lab):
        expiring = expiring_rules(lab, bucket, Persona.OPERATOR)
        lab.expect(not expiring, f"lifecycle rules delete what is in {bucket}: {expiring}")
    return f"nothing expires in {len(_others(lab))} buckets"


def _others(lab: Lab) -> tuple[str, ...]:
    """Every bucket of the lab but the data bucket, for which `kmslab.checks.s3` speaks."""
    return tuple(bucket for bucket in all_buckets(lab) if bucket != lab.outputs.data_bucket)


def _is_about_old_tls(statement: Statement) -> bool:
    oldest = statement.values("s3:TlsVersion", "NumericLessThan")
    return set(statement.conditions) == {("numericlessthan", "s3:tlsversion")} and any(
        float(version) >= OLDEST_TLS for version in oldest
    )
