from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import ClientError

from kmslab.account import caller
from kmslab.account.partitions import home
from kmslab.model.errors import ExitCode
from kmslab.model.finding import State
from tests.checks.fakes import ACCOUNT, REGION, FakeAccess

if TYPE_CHECKING:
    from tests.account.conftest import Account


def test_the_caller_is_named(access: FakeAccess) -> None:
    found = caller.who(access)
    assert found.fine
    assert found.seen == f"arn:aws:sts::{ACCOUNT}:assumed-role/deployer/session, account {ACCOUNT}"


def test_a_region_that_is_on(access: FakeAccess) -> None:
    assert caller.region(access).fine


def test_a_region_that_is_off(access: FakeAccess, account: Account) -> None:
    account.world.answers(
        "ec2:DescribeRegions", {"Regions": [{"RegionName": REGION, "OptInStatus": "not-opted-in"}]}
    )
    found = caller.region(access)
    assert (found.state, found.code) == (State.WRONG, ExitCode.TARGET)
    assert f"--region-name {REGION}" in found.remedy


def test_a_region_that_cannot_be_looked_at(access: FakeAccess, account: Account) -> None:
    account.world.refuses("ec2:DescribeRegions", code="UnauthorizedOperation")
    found = caller.region(access)
    assert found.state is State.UNSEEN
    assert "DescribeRegions: UnauthorizedOperation" in found.seen


def not_accepted(code: str = "InvalidClientTokenId") -> ClientError:
    """What AWS answers to the first call."""
    return ClientError({"Error": {"Code": code, "Message": "so it says"}}, "GetCallerIdentity")


def accepted_elsewhere(account: Account) -> None:
    account.world.answers(
        "sts:GetCallerIdentity", {"Account": ACCOUNT}, when=lambda request: request.region == "us-east-1"
    )


def test_credentials_that_only_another_region_accepts_are_a_region_that_is_off(
    access: FakeAccess, account: Account
) -> None:
    accepted_elsewhere(account)
    found = caller.region_off(access, not_accepted())
    assert found is not None
    assert (found.message, found.exit_code) == (
        f"{REGION} is not switched on for this account.",
        ExitCode.TARGET,
    )
    assert f"--region-name {REGION}" in found.hint


def test_credentials_that_nobody_accepts_are_not(access: FakeAccess, account: Account) -> None:
    account.world.refuses("sts:GetCallerIdentity", code="InvalidClientTokenId")
    assert caller.region_off(access, not_accepted()) is None


@pytest.mark.parametrize("code", ["ExpiredToken", "AccessDenied"])
def test_what_says_nothing_of_the_region_asks_nobody(access: FakeAccess, account: Account, code: str) -> None:
    accepted_elsewhere(account)
    assert caller.region_off(access, not_accepted(code)) is None
    assert account.world.requests == []


@pytest.mark.parametrize(
    ("region", "at_home"),
    [("eu-central-1", "us-east-1"), ("cn-northwest-1", "cn-north-1"), ("us-gov-east-1", "us-gov-west-1")],
)
def test_each_partition_has_a_home(region: str, at_home: str) -> None:
    assert home(region) == at_home
