"""Bucket policies as they are written: whom they refuse what, and that they let nobody else in.

What a refusal does is shown in `kmslab.checks.s3`, as the personas. That it is for everybody and for every
object, no number of tries can show: it is read.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from kmslab.checks.buckets import all_buckets, bucket_policy
from kmslab.checks.policy import DENY, is_everyone
from kmslab.checks.registry import check
from kmslab.checks.shared import read_once

if TYPE_CHECKING:
    from kmslab.checks.policy import Statement
    from kmslab.lab import Lab

GUIDE = "05-s3"
PUT = "s3:PutObject"
ENCRYPTION = "s3:x-amz-server-side-encryption"
KEY = "s3:x-amz-server-side-encryption-aws-kms-key-id"
CUSTOMER_ALGORITHM = "s3:x-amz-server-side-encryption-customer-algorithm"
EMPTIER = re.compile(r"AWS:arn:[\w-]+:iam::(\d{12}):role/[\w+=,.@-]*CustomS3Auto[\w+=,.@-]*")
"""The role of the function with which CDK empties a bucket before the stack is deleted."""
DELIVERY = "Service:logging.s3.amazonaws.com"


@check(guide=GUIDE)
def refusals_are_for_everybody(lab: Lab) -> str:
    """The data bucket's five refusals are for everybody and for every object.

    Other encryption, other keys, aws:kms without a key, SSE-C, and moving a stored object under another
    key: each has a statement that denies it, whoever asks, without an exception and without a folder that
    is left out. Several of them overlap, so that a missing one shows in no refused request.
    """
    key = lab.outputs.key_s3
    wanted = {
        "other encryption": (
            PUT,
            {("stringnotequals", ENCRYPTION): "aws:kms", ("null", ENCRYPTION): "false"},
        ),
        "other keys": (PUT, {("stringnotequals", KEY): key, ("null", KEY): "false"}),
        "aws:kms without a key": (PUT, {("null", ENCRYPTION): "false", ("null", KEY): "true"}),
        "SSE-C": (PUT, {("null", CUSTOMER_ALGORITHM): "false"}),
        "UpdateObjectEncryption": ("s3:UpdateObjectEncryption", {}),
    }
    bucket = lab.outputs.data_bucket
    refusals = [one for one in bucket_policy(lab, bucket) if _is_for_all(one, bucket)]
    missing = [
        what
        for what, (action, conditions) in wanted.items()
        if not any(
            one.covers(action)
            and {key: ",".join(values) for key, values in one.conditions.items()} == conditions
            for one in refusals
        )
    ]
    lab.expect(not missing, f"the policy does not refuse {', '.join(missing)} to everybody for every object")
    return f"{len(wanted)} refusals, each for everybody and every object"


@check(guide=GUIDE, controls=("S3.6", "prowler:s3_bucket_cross_account_access"))
def nobody_else_is_let_in(lab: Lab) -> str:
    """No bucket policy lets anybody in but the services that deliver logs, and CDK's function that empties it.

    Within an account a bucket policy alone is enough to read: who is named there needs no identity policy,
    and no review of IAM shows it. Another account, or everybody, needs no more than a policy there either.
    A service is let in for the lab's own things only (aws:SourceArn). CDK's function may list and
    delete, and reads and writes no object.
    """
    buckets = all_buckets(lab)
    for bucket in buckets:
        for one in (one for one in bucket_policy(lab, bucket) if one.effect != DENY):
            strangers = [name for name in one.principals if not _is_known(lab, one, name)]
            lab.expect(not strangers, f"{bucket} lets {', '.join(strangers)} in ({one.sid or 'no Sid'})")
    return (
        f"the policies of {len(buckets)} buckets let in who delivers logs and who empties them, nobody else"
    )


@check(guide=GUIDE, controls=("S3.9",))
def access_logs_can_be_delivered(lab: Lab) -> str:
    """The log bucket lets S3 deliver the data bucket's access log, and that only.

    Delivery that is refused is silent: logging is on, points to the right bucket, and the log stays empty.
    """
    logs, data = lab.outputs.access_log_bucket, f"arn:{lab.access.partition}:s3:::{lab.outputs.data_bucket}"
    lent = [
        one
        for one in bucket_policy(lab, logs)
        if one.effect != DENY and one.principals == (DELIVERY,) and one.covers(PUT)
    ]
    prefix = _log_prefix(lab)
    place = f"arn:{lab.access.partition}:s3:::{logs}/{prefix}*"
    found = any(one.pinned_to("aws:SourceArn") == (data,) and place in one.resources for one in lent)
    lab.expect(found, f"the log bucket's policy does not let S3 write to {prefix}")
    return f"S3 may write the data bucket's log to {prefix}"


def _log_prefix(lab: Lab) -> str:
    found = read_once(lab, "s3:GetBucketLogging", Bucket=lab.outputs.data_bucket).get("LoggingEnabled", {})
    return str(found.get("TargetPrefix", ""))


def _is_for_all(statement: Statement, bucket: str) -> bool:
    """Whether a statement denies everybody something on every object of the bucket."""
    named = {name.rpartition(":")[2] for name in statement.resources}
    everybody = any(map(is_everyone, statement.principals))
    return statement.effect == DENY and everybody and f"{bucket}/*" in named


def _is_known(lab: Lab, statement: Statement, principal: str) -> bool:
    if principal.startswith("Service:"):
        return bool(statement.pinned_to("aws:SourceArn"))
    emptier = EMPTIER.fullmatch(principal)
    on_objects = any(map(statement.covers, ("s3:GetObject", PUT)))
    return emptier is not None and emptier[1] == lab.account and not on_objects
