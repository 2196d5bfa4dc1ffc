from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from kmslab.model.verdict import Outcome
from tests.checks.fake_s3 import denying
from tests.checks.fakes import OUTPUTS, Request, World, judge
from tests.checks.table import Broken

if TYPE_CHECKING:
    from collections.abc import Callable

LOGS, TRAIL, DUAL, DATA = (
    OUTPUTS.access_log_bucket,
    OUTPUTS.trail_bucket,
    OUTPUTS.dsse_bucket,
    OUTPUTS.data_bucket,
)
EXPIRY = {"ID": "tidy", "Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": 1}}


def old_tls(bucket: str, **changes: Any) -> dict[str, str]:
    return denying(bucket, {"NumericLessThan": {"s3:TlsVersion": 1.2}}, **changes)


def good_world() -> World:
    world = World()
    world.answers("s3:GetBucketVersioning", {"Status": "Enabled"})
    world.answers("s3:GetBucketOwnershipControls", owned("BucketOwnerEnforced"))
    world.answers("s3:GetBucketLogging", {"LoggingEnabled": {"TargetBucket": LOGS, "TargetPrefix": "x/"}})
    world.answers("s3:GetBucketPolicy", lambda r: old_tls(r["Bucket"]))
    world.refuses("s3:GetBucketReplication", code="ReplicationConfigurationNotFoundError")
    world.refuses("s3:GetBucketLifecycleConfiguration", code="NoSuchLifecycleConfiguration")
    return world


def owned(ownership: str) -> dict[str, Any]:
    return {"OwnershipControls": {"Rules": [{"ObjectOwnership": ownership}]}}


def of(bucket: str, action: str, reply: Any) -> Callable[[World], object]:
    """One bucket answers otherwise."""

    def about(request: Request) -> bool:
        return bool(request["Bucket"] == bucket)

    return lambda world: world.answers(action, reply, when=about)


def without(bucket: str, action: str, code: str) -> Callable[[World], object]:
    return lambda world: world.refuses(action, code=code, when=lambda r: bool(r["Bucket"] == bucket))


def replicated(to: str) -> dict[str, Any]:
    rules = [{"Status": "Enabled", "Destination": {"Bucket": f"arn:aws:s3:::{to}"}}]
    return {"ReplicationConfiguration": {"Role": "role", "Rules": rules}}


def policy_of(bucket: str, **changes: Any) -> Callable[[World], object]:
    return of(bucket, "s3:GetBucketPolicy", old_tls(bucket, **changes))


BROKEN = [
    Broken(
        "other-buckets.keep-versions",
        of(TRAIL, "s3:GetBucketVersioning", {"Status": "Suspended"}),
        f"versioning of {TRAIL} is Suspended",
    ),
    Broken("other-buckets.keep-versions", of(LOGS, "s3:GetBucketVersioning", {}), "never enabled"),
    Broken(
        "other-buckets.have-no-access-lists",
        of(TRAIL, "s3:GetBucketOwnershipControls", owned("ObjectWriter")),
        f"object ownership of {TRAIL} is ObjectWriter",
    ),
    Broken(
        "other-buckets.have-no-access-lists",
        without(LOGS, "s3:GetBucketOwnershipControls", "OwnershipControlsNotFoundError"),
        "not set",
    ),
    Broken(
        "other-buckets.log-their-accesses",
        of(DUAL, "s3:GetBucketLogging", {}),
        f"{DUAL} is logged to nowhere",
    ),
    Broken(
        "other-buckets.log-their-accesses",
        of(DUAL, "s3:GetBucketLogging", {"LoggingEnabled": {"TargetBucket": DATA}}),
        f"logged to {DATA}",
    ),
    Broken(
        "other-buckets.refuse-old-tls",
        without(DATA, "s3:GetBucketPolicy", "NoSuchBucketPolicy"),
        f"{DATA}'s policy",
    ),
    Broken("other-buckets.refuse-old-tls", policy_of(LOGS, Effect="Allow"), f"{LOGS}'s policy"),
    Broken("other-buckets.refuse-old-tls", policy_of(LOGS, Principal={"AWS": "arn:x"}), f"{LOGS}'s policy"),
    Broken(
        "other-buckets.refuse-old-tls", policy_of(LOGS, Resource=f"arn:aws:s3:::{LOGS}/*"), f"{LOGS}'s policy"
    ),
    Broken("other-buckets.refuse-old-tls", policy_of(LOGS, Action="s3:GetObject"), f"{LOGS}'s policy"),
    Broken(
        "other-buckets.refuse-old-tls",
        policy_of(LOGS, Condition={"NumericLessThan": {"s3:TlsVersion": 1.1}}),
        f"{LOGS}'s policy",
    ),
    Broken(
        "other-buckets.refuse-old-tls",
        policy_of(
            LOGS, Condition={"NumericLessThan": {"s3:TlsVersion": 1.2}, "StringEquals": {"aws:userid": "x"}}
        ),
        f"{LOGS}'s policy",
    ),
    Broken(
        "other-buckets.replicate-nowhere",
        of(DATA, "s3:GetBucketReplication", replicated("elsewhere")),
        f"{DATA} is replicated to elsewhere",
    ),
    Broken(
        "other-buckets.delete-nothing-by-themselves",
        of(TRAIL, "s3:GetBucketLifecycleConfiguration", {"Rules": [EXPIRY]}),
        f"what is in {TRAIL}: tidy",
    ),
    Broken(
        "other-buckets.delete-nothing-by-themselves",
        of(
            LOGS,
            "s3:GetBucketLifecycleConfiguration",
            {"Rules": [{"Status": "Enabled", "NoncurrentVersionExpiration": {"NoncurrentDays": 1}}]},
        ),
        f"what is in {LOGS}",
    ),
]


def test_a_rule_that_is_off_deletes_nothing() -> None:
    world = good_world()
    off = {"Rules": [{**EXPIRY, "Status": "Disabled"}]}
    of(TRAIL, "s3:GetBucketLifecycleConfiguration", off)(world)
    assert judge("other-buckets.delete-nothing-by-themselves", world).outcome is Outcome.PASS


@pytest.mark.parametrize("check", ["keep-versions", "have-no-access-lists", "delete-nothing-by-themselves"])
def test_the_data_bucket_is_left_to_its_own_checks(check: str) -> None:
    world = good_world()
    judge(f"other-buckets.{check}", world)
    asked = {request["Bucket"] for request in world.requests}
    assert asked == {LOGS, TRAIL, DUAL, OUTPUTS.sse_s3_bucket, OUTPUTS.aws_managed_bucket}
