from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from kmslab.account import sandbox
from kmslab.model.errors import ExitCode, LabError
from kmslab.model.settings import LabSettings
from kmslab.model.target import TargetKind
from tests.account.conftest import MANAGEMENT, NAMED, Account
from tests.checks.fakes import ACCOUNT, FakeAccess, World

if TYPE_CHECKING:
    from collections.abc import Mapping

NOBODY = LabSettings()
COMMAND = "kmslab up --target aws"


def refusal(access: FakeAccess, settings: LabSettings) -> LabError | None:
    return sandbox.refusal(sandbox.look(access, settings), COMMAND)


def the_refusal(access: FakeAccess, settings: LabSettings) -> LabError:
    error = refusal(access, settings)
    assert error is not None
    assert error.exit_code is ExitCode.TARGET
    return error


def test_an_account_that_the_settings_name_is_a_sandbox(access: FakeAccess, account: Account) -> None:
    assert refusal(access, NAMED) is None
    assert not account.world.asked("organizations:ListTagsForResource")
    assert sandbox.look(access, NAMED).named_by == "kmslab.sandbox_accounts"


def test_an_account_that_nobody_names_is_refused_with_the_way_to_name_it(access: FakeAccess) -> None:
    error = the_refusal(access, LabSettings(sandbox_accounts=("444455556666",)))
    assert error.message == f"Account {ACCOUNT} is not named as a sandbox, so the lab leaves it alone."
    assert f"`{COMMAND} -c kmslab.sandbox_accounts={ACCOUNT}`" in error.hint


def test_the_organizations_tag_names_an_account(access: FakeAccess, account: Account) -> None:
    account.tags = {"kmslab:sandbox": "true"}
    assert refusal(access, NOBODY) is None
    assert sandbox.look(access, NOBODY).named_by == "its organization's tag kmslab:sandbox=true"


@pytest.mark.parametrize(
    "tags",
    [
        {},
        {"kmslab:sandbox": "false"},
        {"kmslab:sandbox": ""},
        {"kmslab:sandbox": "True"},
        {"sandbox": "true"},
        {"KMSLab:Sandbox": "true"},
    ],
)
def test_no_other_tag_does(access: FakeAccess, account: Account, tags: Mapping[str, str]) -> None:
    account.tags = {**tags}
    assert "is not named" in the_refusal(access, NOBODY).message


@pytest.mark.parametrize("settings", [NAMED, NOBODY])
def test_the_management_account_is_refused_however_it_is_named(
    access: FakeAccess, account: Account, settings: LabSettings
) -> None:
    account.management = ACCOUNT
    account.tags = {"kmslab:sandbox": "true"}
    error = the_refusal(access, settings)
    assert (
        error.message
        == f"Account {ACCOUNT} is the management account of its organization, so the lab leaves it alone."
    )


def test_the_root_user_is_refused_and_asks_nothing(
    access: FakeAccess, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = {"Account": ACCOUNT, "Arn": f"arn:aws:iam::{ACCOUNT}:root", "UserId": ACCOUNT}
    monkeypatch.setattr(type(access), "caller", property(lambda _: root))
    assert "the root user's" in the_refusal(access, NAMED).message
    assert account.world.requests == []


def test_an_account_of_no_organization_is_named_by_the_settings_alone(
    access: FakeAccess, account: Account
) -> None:
    account.world.refuses("organizations:DescribeOrganization", code="AWSOrganizationsNotInUseException")
    account.tags = {"kmslab:sandbox": "true"}
    assert refusal(access, NAMED) is None
    assert sandbox.doubt(sandbox.look(access, NAMED)) == ""
    assert "is not named" in the_refusal(access, NOBODY).message
    assert not account.world.asked("organizations:ListTagsForResource")


def test_who_may_not_ask_for_the_organization_is_told_so(access: FakeAccess, account: Account) -> None:
    account.world.refuses("organizations:DescribeOrganization")
    account.tags = {"kmslab:sandbox": "true"}
    assert refusal(access, NAMED) is None
    assert sandbox.doubt(sandbox.look(access, NAMED)) == (
        f"Whether account {ACCOUNT} is its organization's management account could not be looked at "
        "(DescribeOrganization: AccessDeniedException)."
    )
    # The tag alone does not do: the management account could carry it.
    assert "is not named" in the_refusal(access, NOBODY).message


def test_a_refusal_by_a_service_control_policy_shows_that_it_is_a_member(
    access: FakeAccess, account: Account
) -> None:
    account.world.refuses(
        "organizations:DescribeOrganization",
        message="User: x is not authorized to perform: organizations:DescribeOrganization "
        "with an explicit deny in a service control policy",
    )
    assert refusal(access, NAMED) is None
    assert sandbox.doubt(sandbox.look(access, NAMED)) == ""


def test_who_may_not_read_the_tag_must_be_named_by_the_settings(access: FakeAccess, account: Account) -> None:
    account.world.refuses("organizations:ListTagsForResource")
    found = sandbox.look(access, NOBODY)
    assert (found.tagged, found.unseen) == (None, "ListTagsForResource: AccessDeniedException")
    assert "is not named" in the_refusal(access, NOBODY).message
    assert refusal(access, NAMED) is None


def trainer(account: Account) -> FakeAccess:
    """Access to a delegated administrator's account, of the same organization."""
    return FakeAccess(account.world, kind=TargetKind.AWS)


def test_a_delegated_administrator_reads_the_tag_of_a_seat(access: FakeAccess, account: Account) -> None:
    seat = World().answers(
        "organizations:DescribeOrganization", {"Organization": {"MasterAccountId": MANAGEMENT}}
    )
    seat.refuses("organizations:ListTagsForResource")
    account.tags = {"kmslab:sandbox": "true"}
    found = sandbox.look(FakeAccess(seat, kind=TargetKind.AWS), NOBODY, trainer(account))
    assert sandbox.refusal(found, COMMAND) is None
    # The seat itself says who manages its organization: the reader may be of another one.
    assert seat.asked("organizations:DescribeOrganization")
    assert not account.world.asked("organizations:DescribeOrganization")


def test_a_reader_of_another_organization_names_nobody(access: FakeAccess, account: Account) -> None:
    elsewhere = World().refuses("organizations:ListTagsForResource", code="TargetNotFoundException")
    found = sandbox.look(access, NOBODY, FakeAccess(elsewhere, kind=TargetKind.AWS))
    assert found.tagged is False
    assert sandbox.refusal(found, COMMAND) is not None


@pytest.mark.parametrize("call", ["DescribeOrganization", "ListTagsForResource"])
def test_when_aws_does_not_answer_nothing_is_a_sandbox(
    access: FakeAccess, account: Account, call: str
) -> None:
    settings: Any = NAMED if call == "DescribeOrganization" else NOBODY
    account.world.refuses(f"organizations:{call}", code="ServiceException")
    with pytest.raises(ClientError):
        sandbox.look(access, settings)
    account.world.unreachable(f"organizations:{call}")
    with pytest.raises(EndpointConnectionError):
        sandbox.look(access, settings)


def test_a_member_of_an_organization_is_no_management_account(access: FakeAccess) -> None:
    assert sandbox.look(access, NAMED).management == MANAGEMENT
