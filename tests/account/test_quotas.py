from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

from kmslab.account import needs, quotas, rates
from kmslab.model.errors import ExitCode
from kmslab.model.finding import State
from tests.account.conftest import summary
from tests.checks.fakes import REGION

if TYPE_CHECKING:
    from kmslab.account.quotas import Quota
    from kmslab.model.finding import Finding
    from tests.account.conftest import Account
    from tests.checks.fakes import FakeAccess

USED = {
    "KMS keys": 3,  # of four keys, one is AWS's own
    "gp3 storage in GiB": 8,
    "trails": 1,
    "buckets": 2,
    "secrets": 1,
    "VPCs": 1,
}
COUNTED_BY = {
    "KMS keys": "kms:ListKeys",
    "gp3 storage in GiB": "ec2:DescribeVolumes",
    "trails": "cloudtrail:DescribeTrails",
    "buckets": "s3:ListBuckets",
    "secrets": "secretsmanager:ListSecrets",
    "VPCs": "ec2:DescribeVpcs",
}
each = pytest.mark.parametrize("quota", quotas.QUOTAS, ids=lambda quota: quota.what)
ONE_OF_EACH = Counter({quota.need: 1 for quota in quotas.QUOTAS})


def look(access: FakeAccess, quota: Quota) -> Finding:
    (found,) = quotas.look(access, quota, ONE_OF_EACH)
    return found


def limited(account: Account, quota: Quota, limit: int) -> None:
    account.world.answers("service-quotas:GetServiceQuota", {"Quota": {"Value": limit / quota.unit}})
    if not quota.service:
        trails = [{"Name": f"trail-{number}"} for number in range(quota.default - limit + USED[quota.what])]
        account.world.answers("cloudtrail:DescribeTrails", {"trailList": trails})


@each
def test_room_enough(access: FakeAccess, account: Account, quota: Quota) -> None:
    limited(account, quota, USED[quota.what] + 1)
    found = look(access, quota)
    assert found.fine
    assert found.what == f"Quota: {quota.what}"
    if quota.service:
        assert found.seen == f"{USED[quota.what]} of {USED[quota.what] + 1} used; the lab needs 1 more"


@each
def test_no_room(access: FakeAccess, account: Account, quota: Quota) -> None:
    limited(account, quota, USED[quota.what])
    found = look(access, quota)
    assert (found.state, found.code) == (State.WRONG, ExitCode.DEPLOYMENT)
    if quota.service:
        assert f"--service-code {quota.service} --quota-code {quota.code}" in found.remedy
    else:
        assert found.remedy.startswith("AWS does not raise this quota")


@each
def test_what_may_not_be_counted(access: FakeAccess, account: Account, quota: Quota) -> None:
    account.world.refuses(COUNTED_BY[quota.what])
    found = look(access, quota)
    assert found.state is State.UNSEEN
    assert found.seen.startswith("could not be counted (")
    assert COUNTED_BY[quota.what].partition(":")[0] in found.remedy


@each
def test_what_the_lab_does_not_need_is_not_looked_at(
    access: FakeAccess, account: Account, quota: Quota
) -> None:
    assert quotas.look(access, quota, Counter()) == []
    assert account.world.requests == []


@pytest.mark.parametrize("code", ["AccessDeniedException", "NoSuchResourceException"])
@each
def test_documented_defaults_stand_in(access: FakeAccess, account: Account, quota: Quota, code: str) -> None:
    account.world.refuses("service-quotas:GetServiceQuota", code=code)
    found = look(access, quota)
    assert found.fine
    assert f"of {quota.default:,}" in found.seen
    assert (f"AWS's default; GetServiceQuota: {code}" in found.seen) is bool(quota.service)


def test_storage_is_asked_for_in_tebibytes(access: FakeAccess, account: Account) -> None:
    storage = next(quota for quota in quotas.QUOTAS if quota.need == needs.VOLUME_GIB)
    account.world.answers("service-quotas:GetServiceQuota", {"Quota": {"Value": 1.0}})
    (found,) = quotas.look(access, storage, Counter({needs.VOLUME_GIB: 1017}))
    assert found.state is State.WRONG
    assert found.seen == "8 of 1,024 used; the lab needs 1,017 more"
    assert "--desired-value 2 " in found.remedy


def test_only_storage_of_the_labs_own_kind_counts(access: FakeAccess, account: Account) -> None:
    storage = next(quota for quota in quotas.QUOTAS if quota.need == needs.VOLUME_GIB)
    look(access, storage)
    asked = account.world.asked("ec2:DescribeVolumes")[0]
    assert asked["Filters"] == [{"Name": "volume-type", "Values": ["gp3"]}]


def test_the_quota_of_buckets_is_told_in_one_region(access: FakeAccess, account: Account) -> None:
    for quota in quotas.QUOTAS:
        look(access, quota)
    asked = account.world.asked("service-quotas:GetServiceQuota")
    regions = {request["ServiceCode"]: request.region for request in asked}
    assert regions.pop("s3") == "us-east-1"
    assert set(regions.values()) == {""}


IAM_NEEDS = Counter({needs.ROLE: 9, needs.USER: 1, needs.POLICY: 17})


def test_iam_tells_its_own_quotas(access: FakeAccess) -> None:
    (found,) = quotas.iam(access, IAM_NEEDS)
    assert found.fine
    assert found.seen == "roles 12 of 1,000, 9 more; users 1 of 5,000, 1 more; policies 3 of 1,500, 17 more"


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"Roles": 992}, "roles"),
        ({"Users": 5000}, "users"),
        ({"Policies": 1484, "Roles": 1000}, "roles and policies"),
    ],
)
def test_no_room_in_iam(access: FakeAccess, account: Account, changed: dict[str, int], named: str) -> None:
    account.world.answers("iam:GetAccountSummary", {"SummaryMap": summary(**changed)})
    (found,) = quotas.iam(access, IAM_NEEDS)
    assert (found.state, found.code) == (State.WRONG, ExitCode.DEPLOYMENT)
    assert found.seen.startswith(f"no room for the lab's {named}: ")


def test_iam_that_may_not_be_asked(access: FakeAccess, account: Account) -> None:
    account.world.refuses("iam:GetAccountSummary", code="AccessDenied")
    (found,) = quotas.iam(access, IAM_NEEDS)
    assert found.state is State.UNSEEN
    assert "GetAccountSummary: AccessDenied" in found.seen
    assert quotas.iam(access, Counter()) == []


def told(account: Account, create: float, symmetric: float) -> None:
    listed = [
        {"QuotaName": "CreateKey request rate", "Value": create},
        {"QuotaName": "Cryptographic operations (symmetric) request rate", "Value": symmetric},
        {"QuotaName": "Encrypt something else", "Value": 1.0},
    ]
    account.world.answers("service-quotas:ListServiceQuotas", {"Quotas": listed})


def test_rates_as_usual(access: FakeAccess, account: Account) -> None:
    told(account, 5.0, 30_000.0)
    found = rates.look(access)
    assert found.fine
    assert found.seen == "KMS answers 5 CreateKey and 30,000 symmetric operations a second"


@pytest.mark.parametrize(("create", "symmetric"), [(1.0, 20_000.0), (5.0, 19_999.0)])
def test_rates_below_the_default(
    access: FakeAccess, account: Account, create: float, symmetric: float
) -> None:
    told(account, create, symmetric)
    found = rates.look(access)
    assert (found.state, found.code) == (State.WRONG, ExitCode.DEPLOYMENT)
    assert "fewer than AWS's defaults" in found.seen


def test_rates_that_may_not_be_asked_for(access: FakeAccess, account: Account) -> None:
    account.world.refuses("service-quotas:ListServiceQuotas")
    found = rates.look(access)
    assert found.fine
    assert rates.SYMMETRIC_DEFAULTS[REGION] == 20_000
    assert (
        "20,000 symmetric operations a second (AWS's defaults; ListServiceQuotas: AccessDenied" in found.seen
    )
