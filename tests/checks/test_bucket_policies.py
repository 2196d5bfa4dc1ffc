from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kmslab.model.verdict import Outcome
from tests.checks.fakes import ACCOUNT, OUTPUTS, Request, World, judge, policy_document
from tests.checks.table import Broken

if TYPE_CHECKING:
    from collections.abc import Callable

DATA, LOGS = f"arn:aws:s3:::{OUTPUTS.data_bucket}", f"arn:aws:s3:::{OUTPUTS.access_log_bucket}"
ENCRYPTION, PUT = "s3:x-amz-server-side-encryption", "s3:PutObject"
KEY = f"{ENCRYPTION}-aws-kms-key-id"
EMPTIER = f"arn:aws:iam::{ACCOUNT}:role/kms-lab-storage-CustomS3AutoDeleteObjectsCustomReso1"


def deny(action: str, condition: dict[str, Any]) -> dict[str, Any]:
    statement = {"Effect": "Deny", "Principal": "*", "Action": action, "Resource": f"{DATA}/*"}
    return {**statement, **({"Condition": condition} if condition else {})}


def refusals() -> dict[str, dict[str, Any]]:
    return {
        "encryption": deny(PUT, {"StringNotEquals": {ENCRYPTION: "aws:kms"}, "Null": {ENCRYPTION: "false"}}),
        "keys": deny(PUT, {"StringNotEquals": {KEY: OUTPUTS.key_s3}, "Null": {KEY: "false"}}),
        "managed": deny(PUT, {"Null": {ENCRYPTION: "false", KEY: "true"}}),
        "customer": deny(PUT, {"Null": {f"{ENCRYPTION}-customer-algorithm": "false"}}),
        "update": deny("s3:UpdateObjectEncryption", {}),
    }


def emptier() -> dict[str, Any]:
    return {
        "Effect": "Allow",
        "Principal": {"AWS": EMPTIER},
        "Action": ["s3:DeleteObject*", "s3:GetBucket*", "s3:List*", "s3:PutBucketPolicy"],
        "Resource": [DATA, f"{DATA}/*"],
    }


def delivery() -> dict[str, Any]:
    return {
        "Effect": "Allow",
        "Principal": {"Service": "logging.s3.amazonaws.com"},
        "Action": PUT,
        "Resource": f"{LOGS}/data/*",
        "Condition": {"ArnLike": {"aws:SourceArn": DATA}},
    }


class GoodWorld(World):
    """A world in which every check of bucket policies passes; the policies are there to be changed."""

    def __init__(self) -> None:
        super().__init__()
        self.refusals = refusals()
        self.more: list[dict[str, Any]] = [emptier()]
        self.delivery = delivery()
        self.answers("s3:GetBucketPolicy", self._policy)
        logging = {"TargetBucket": OUTPUTS.access_log_bucket, "TargetPrefix": "data/"}
        self.answers("s3:GetBucketLogging", {"LoggingEnabled": logging})

    def _policy(self, request: Request) -> dict[str, str]:
        statements = {
            OUTPUTS.data_bucket: [*self.refusals.values(), *self.more],
            OUTPUTS.access_log_bucket: [self.delivery],
        }.get(request["Bucket"], [])
        return {"Policy": policy_document(*statements)}


def good(change: Callable[[GoodWorld], object]) -> Callable[[World], object]:
    def how(world: World) -> None:
        assert isinstance(world, GoodWorld)
        change(world)

    return how


def without(name: str) -> Callable[[World], object]:
    return good(lambda world: world.refusals.pop(name))


def refusal(name: str, **elements: Any) -> Callable[[World], object]:
    return good(lambda world: world.refusals[name].update(elements))


def lets_in(principal: Any, **elements: Any) -> Callable[[World], object]:
    return good(lambda world: world.more.append({**emptier(), "Principal": principal, **elements}))


def delivers(**elements: Any) -> Callable[[World], object]:
    return good(lambda world: world.delivery.update(elements))


ALL = "bucket-policies.refusals-are-for-everybody"
NOBODY = "bucket-policies.nobody-else-is-let-in"
LOGGED = "bucket-policies.access-logs-can-be-delivered"
BROKEN = [
    Broken(ALL, without("encryption"), "refuse other encryption"),
    Broken(ALL, without("keys"), "refuse other keys"),
    Broken(ALL, without("managed"), "refuse aws:kms without a key"),
    Broken(ALL, without("customer"), "refuse SSE-C"),
    Broken(ALL, without("update"), "refuse UpdateObjectEncryption"),
    Broken(ALL, refusal("keys", Effect="Allow"), "refuse other keys"),
    Broken(ALL, refusal("keys", Principal={"AWS": EMPTIER}), "refuse other keys"),
    Broken(ALL, refusal("keys", Resource=DATA), "refuse other keys"),
    Broken(ALL, refusal("keys", Resource=f"{DATA}/a/*"), "refuse other keys"),
    Broken(ALL, refusal("keys", Action="s3:GetObject"), "refuse other keys"),
    Broken(ALL, refusal("update", Condition={"Null": {"aws:userid": "false"}}), "UpdateObjectEncryption"),
    Broken(
        ALL,
        refusal("keys", Condition={"StringEquals": {KEY: OUTPUTS.key_s3}, "Null": {KEY: "false"}}),
        "refuse other keys",
    ),
    Broken(
        ALL,
        refusal("keys", Condition={"StringNotEquals": {KEY: OUTPUTS.key_app}, "Null": {KEY: "false"}}),
        "refuse other keys",
    ),
    Broken(NOBODY, lets_in("*", Action="s3:GetObject"), "lets * in (no Sid)"),
    Broken(
        NOBODY, lets_in({"AWS": "arn:aws:iam::999999999999:root"}, Sid="Open"), "999999999999:root in (Open)"
    ),
    Broken(NOBODY, lets_in({"AWS": OUTPUTS.role_outsider}), "-outsider"),
    Broken(NOBODY, lets_in({"AWS": EMPTIER.replace(ACCOUNT, "999999999999")}), "999999999999"),
    Broken(NOBODY, lets_in({"AWS": EMPTIER}, Action="s3:*"), "AutoDelete"),
    Broken(NOBODY, lets_in({"Service": "logging.s3.amazonaws.com"}), "Service:logging.s3.amazonaws.com"),
    Broken(LOGGED, delivers(Effect="Deny"), "does not let S3 write to data/"),
    Broken(LOGGED, delivers(Principal={"AWS": "*"}), "does not let S3 write to data/"),
    Broken(LOGGED, delivers(Action="s3:GetObject"), "does not let S3 write to data/"),
    Broken(LOGGED, delivers(Resource=f"{LOGS}/other/*"), "does not let S3 write to data/"),
    Broken(LOGGED, delivers(Condition={}), "does not let S3 write to data/"),
]


def test_a_bucket_without_a_policy_lets_nobody_in() -> None:
    world = GoodWorld()
    world.refuses("s3:GetBucketPolicy", code="NoSuchBucketPolicy")
    assert judge(NOBODY, world).outcome is Outcome.PASS
    assert judge(ALL, world).outcome is Outcome.FAIL
