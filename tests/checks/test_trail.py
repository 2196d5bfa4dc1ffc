from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kmslab.model.verdict import Outcome
from tests.checks.fakes import ACCOUNT, OUTPUTS, World, policy_document
from tests.checks.table import Broken

if TYPE_CHECKING:
    from collections.abc import Callable

BUCKET = f"arn:aws:s3:::{OUTPUTS.trail_bucket}"
SELECTOR = {"ReadWriteType": "All", "IncludeManagementEvents": True, "ExcludeManagementEventSources": []}
ITS_TRAIL = {"StringEquals": {"aws:SourceArn": OUTPUTS.trail}}


def lent(sid: str, action: str, resource: str, **changes: Any) -> dict[str, Any]:
    return {
        "Sid": sid,
        "Effect": "Allow",
        "Principal": {"Service": "cloudtrail.amazonaws.com"},
        "Action": action,
        "Resource": resource,
        "Condition": ITS_TRAIL,
        **changes,
    }


LOOK = lent("Look", "s3:GetBucketAcl", BUCKET)
WRITE = lent("Write", "s3:PutObject", f"{BUCKET}/AWSLogs/{ACCOUNT}/*")
SEAL = lent("Seal", "kms:GenerateDataKey*", "*")
TOO_WIDE: tuple[dict[str, Any], ...] = (
    {"Condition": {}},
    {"Condition": {"ArnEquals": {"aws:PrincipalArn": [OUTPUTS.role_auditor, OUTPUTS.role_outsider]}}},
    {"Condition": {"ArnLike": {"aws:PrincipalArn": "*"}}},
    {"Action": "kms:*", "Condition": {}},
)
OPEN = {
    "Sid": "Open",
    "Effect": "Allow",
    "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
    "Action": "kms:Decrypt",
    "Resource": "*",
    "Condition": {"ArnEquals": {"aws:PrincipalArn": OUTPUTS.role_auditor}},
}


def selects(*selectors: dict[str, Any]) -> Callable[[World], object]:
    return lambda world: world.answers("cloudtrail:GetEventSelectors", {"EventSelectors": [*selectors]})


def bucket_policy(*statements: dict[str, Any]) -> Callable[[World], object]:
    return lambda world: world.answers("s3:GetBucketPolicy", {"Policy": policy_document(*statements)})


def key_policy(*statements: dict[str, Any]) -> Callable[[World], object]:
    return lambda world: world.answers("kms:GetKeyPolicy", {"Policy": policy_document(*statements)})


def bucket_key(*, on: bool) -> Callable[[World], object]:
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}, "BucketKeyEnabled": on}
    answer = {"ServerSideEncryptionConfiguration": {"Rules": [rule]}}
    return lambda world: world.answers("s3:GetBucketEncryption", answer)


def good_world() -> World:
    world = World()
    for how in (selects(SELECTOR), bucket_policy(LOOK, WRITE), key_policy(SEAL, OPEN), bucket_key(on=False)):
        how(world)
    return world


RECORDED = "trail.every-use-of-a-key-is-recorded"
OPENED = "trail.only-the-auditor-opens-log-files"
DELIVERED = "trail.log-files-can-be-delivered"
BROKEN = [
    Broken(RECORDED, selects({**SELECTOR, "IncludeManagementEvents": False}), "no management events"),
    Broken(RECORDED, selects({**SELECTOR, "ReadWriteType": "WriteOnly"}), "records WriteOnly"),
    Broken(
        RECORDED,
        selects({**SELECTOR, "ExcludeManagementEventSources": ["kms.amazonaws.com"]}),
        "leaves KMS out",
    ),
    Broken(
        RECORDED,
        lambda world: world.answers("cloudtrail:GetEventSelectors", {"AdvancedEventSelectors": [{}]}),
        "advanced event selectors",
        Outcome.ERROR,
    ),
    Broken(DELIVERED, bucket_policy(WRITE), "let CloudTrail call s3:GetBucketAcl"),
    Broken(DELIVERED, bucket_policy(LOOK), "let CloudTrail call s3:PutObject"),
    Broken(DELIVERED, bucket_policy(LOOK, {**WRITE, "Effect": "Deny"}), "let CloudTrail call s3:PutObject"),
    Broken(DELIVERED, bucket_policy(LOOK, {**WRITE, "Resource": f"{BUCKET}/other/*"}), "let CloudTrail call"),
    Broken(DELIVERED, bucket_policy(LOOK, {**WRITE, "Condition": {}}), "for any trail (Write)"),
    Broken(
        DELIVERED,
        bucket_policy(LOOK, {**WRITE, "Condition": {"StringLike": {"aws:SourceArn": "*"}}}),
        "for any trail (Write)",
    ),
    Broken(
        DELIVERED, key_policy({**SEAL, "Action": "kms:DescribeKey"}), "key's policy does not let CloudTrail"
    ),
    Broken(DELIVERED, key_policy({**SEAL, "Principal": {"AWS": ACCOUNT}}), "key's policy does not let"),
    *(
        Broken(OPENED, key_policy(SEAL, {**OPEN, **changes}), "lets others than the auditor decrypt (Open)")
        for changes in TOO_WIDE
    ),
    Broken("trail.the-trails-bucket-has-no-bucket-key", bucket_key(on=True), "uses a Bucket Key"),
]
