from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from kmslab.account import bootstrap, permissions
from kmslab.model.errors import ExitCode
from kmslab.model.finding import State
from tests.account.conftest import NAMED, role, simulated
from tests.checks.fakes import ACCOUNT, REGION

if TYPE_CHECKING:
    from collections.abc import Callable

    from kmslab.model.finding import Finding
    from tests.account.conftest import Account
    from tests.checks.fakes import FakeAccess

DENIED = {"EvalDecision": "implicitDeny"}
BY_ORGANIZATION = {
    "EvalDecision": "explicitDeny",
    "OrganizationsDecisionDetail": {"AllowedByOrganizations": False},
}
BY_BOUNDARY = {
    "EvalDecision": "implicitDeny",
    "PermissionsBoundaryDecisionDetail": {"AllowedByPermissionsBoundary": False},
}
UNDECIDED = {"EvalDecision": "implicitDeny", "MissingContextValues": ["aws:PrincipalTag/team"]}

you, cloudformation = permissions.look_at_caller, permissions.look_at_cloudformation
both = pytest.mark.parametrize(("look", "action"), [(you, "PutParameter"), (cloudformation, "CreateKey")])


def spoil(account: Account, **refused: dict[str, Any]) -> None:
    account.world.answers("iam:SimulatePrincipalPolicy", simulated(**refused))


def principals(account: Account) -> set[str]:
    return {request["PolicySourceArn"] for request in account.world.asked("iam:SimulatePrincipalPolicy")}


@both
def test_all_allowed(access: FakeAccess, account: Account, look: Callable[..., Finding], action: str) -> None:
    account.bootstrapped()
    found = look(access, NAMED)
    assert found.fine
    assert found.seen.endswith("actions simulated, all allowed")
    asked = account.world.asked("iam:SimulatePrincipalPolicy")
    assert any(action in name for request in asked for name in request["ActionNames"])


@pytest.mark.parametrize(
    ("answer", "by"),
    [
        (DENIED, ""),
        (BY_ORGANIZATION, " (a service control policy)"),
        (BY_BOUNDARY, " (a permissions boundary)"),
    ],
)
@both
def test_what_would_be_refused_and_by_what(
    access: FakeAccess,
    account: Account,
    look: Callable[..., Finding],
    action: str,
    answer: dict[str, Any],
    by: str,
) -> None:
    account.bootstrapped()
    spoil(account, **{action: answer})
    found = look(access, NAMED)
    assert (found.state, found.code) == (State.WRONG, ExitCode.DEPLOYMENT)
    service = "ssm" if look is you else "kms"
    assert found.seen == f"{service}:{action}{by} would be refused"
    assert found.remedy


@both
def test_what_depends_on_what_the_simulator_does_not_know(
    access: FakeAccess, account: Account, look: Callable[..., Finding], action: str
) -> None:
    account.bootstrapped()
    spoil(account, **{action: UNDECIDED})
    found = look(access, NAMED)
    assert found.state is State.UNSEEN
    assert found.seen.endswith("depends on aws:PrincipalTag/team")


def test_a_boundary_that_the_role_asks_for_is_to_be_named(access: FakeAccess, account: Account) -> None:
    account.bootstrapped()
    undecided = {"EvalDecision": "implicitDeny", "ResourceSpecificResults": [of_resource()]}
    spoil(account, CreateRole=undecided)
    found = cloudformation(access, NAMED)
    assert found.state is State.UNSEEN
    assert found.seen == "iam:CreateRole: depends on iam:PermissionsBoundary"
    assert "-c kmslab.permissions_boundary=" in found.remedy


def of_resource() -> dict[str, Any]:
    return {
        "EvalResourceName": "arn:aws:iam::111122223333:role/kms-lab-auditor",
        "EvalResourceDecision": "implicitDeny",
        "MissingContextValues": ["iam:PermissionsBoundary"],
    }


@both
def test_a_simulator_that_may_not_be_asked(
    access: FakeAccess, account: Account, look: Callable[..., Finding], action: str
) -> None:
    account.bootstrapped()
    account.world.refuses("iam:SimulatePrincipalPolicy", code="AccessDenied")
    found = look(access, NAMED)
    assert found.state is State.UNSEEN
    assert "SimulatePrincipalPolicy: AccessDenied" in found.seen


@both
def test_a_role_that_may_not_be_looked_up(
    access: FakeAccess, account: Account, look: Callable[..., Finding], action: str
) -> None:
    account.world.refuses("iam:GetRole", code="AccessDenied")
    assert look(access, NAMED).state is State.UNSEEN


def test_a_session_is_simulated_as_its_role_with_its_path(access: FakeAccess, account: Account) -> None:
    you(access, NAMED)
    assert principals(account) == {role("deployer")}


@pytest.mark.parametrize(
    ("arn", "fine"),
    [
        (f"arn:aws:iam::{ACCOUNT}:user/team/alice", True),
        (f"arn:aws:sts::{ACCOUNT}:federated-user/bob", False),
    ],
)
@both
def test_who_is_no_role(
    access: FakeAccess,
    account: Account,
    monkeypatch: pytest.MonkeyPatch,
    look: Callable[..., Finding],
    action: str,
    arn: str,
    *,
    fine: bool,
) -> None:
    monkeypatch.setattr(type(access), "caller", property(lambda _: {"Account": ACCOUNT, "Arn": arn}))
    found = look(access, NAMED)
    assert found.fine is fine
    assert principals(account) == ({arn} if fine else set())
    assert fine or found.state is State.UNSEEN


def test_cloudformation_is_simulated_as_its_execution_role(access: FakeAccess, account: Account) -> None:
    account.bootstrapped()
    cloudformation(access, NAMED)
    assert principals(account) == {
        f"arn:aws:iam::{ACCOUNT}:role/cdk-{bootstrap.QUALIFIER}-cfn-exec-role-{ACCOUNT}-{REGION}"
    }


def test_before_the_bootstrap_only_service_control_policies_count(
    access: FakeAccess, account: Account
) -> None:
    spoil(account, CreateKey=DENIED)
    assert cloudformation(access, NAMED).fine
    spoil(account, CreateKey=BY_ORGANIZATION)
    found = cloudformation(access, NAMED)
    assert found.state is State.WRONG
    assert found.seen == "kms:CreateKey (a service control policy) would be refused"
    assert principals(account) == {role("deployer")}


def test_before_the_bootstrap_the_caller_must_be_able_to_make_it(
    access: FakeAccess, account: Account
) -> None:
    spoil(account, CreateRepository=DENIED)
    assert you(access, NAMED).seen == "ecr:CreateRepository would be refused"
    account.bootstrapped()
    assert you(anew(access), NAMED).fine


def anew(access: FakeAccess) -> FakeAccess:
    """The same account, looked at anew."""
    return type(access)(access.world, kind=access.target.kind)


def test_the_simulator_is_told_the_region_and_who_asks(access: FakeAccess, account: Account) -> None:
    account.bootstrapped()
    cloudformation(access, NAMED)
    regions = {}
    for request in account.world.asked("iam:SimulatePrincipalPolicy"):
        told = {entry["ContextKeyName"]: entry["ContextKeyValues"] for entry in request["ContextEntries"]}
        assert told["aws:PrincipalArn"] == [request["PolicySourceArn"]]
        regions[request["ActionNames"][0].partition(":")[0]] = told["aws:RequestedRegion"]
    assert regions["kms"] == [REGION]
    assert regions["iam"] == ["us-east-1"]


def test_many_refusals_are_counted(access: FakeAccess, account: Account) -> None:
    account.bootstrapped()
    names = ("CreateKey", "DescribeKey", "PutKeyPolicy", "EnableKeyRotation", "CreateAlias", "DeleteAlias")
    spoil(account, **dict.fromkeys(names, DENIED))
    assert cloudformation(access, NAMED).seen == (
        "kms:CreateKey, kms:DescribeKey, kms:PutKeyPolicy, kms:EnableKeyRotation and 2 more would be refused"
    )
