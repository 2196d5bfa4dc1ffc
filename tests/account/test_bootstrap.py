from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from aws_cdk import DefaultStackSynthesizer

from kmslab.account import bootstrap
from kmslab.model.errors import ExitCode
from kmslab.model.finding import State
from kmslab.model.settings import LabSettings
from tests.account.conftest import NAMED
from tests.checks.fakes import ACCOUNT, REGION, FakeAccess

if TYPE_CHECKING:
    from tests.account.conftest import Account

SNAPSHOTS = Path(__file__).parents[1] / "stacks" / "__snapshots__" / "test_snapshots"


def test_none_yet_is_made_by_up(access: FakeAccess) -> None:
    found = bootstrap.look(access, NAMED)
    assert found.fine
    assert found.seen == f"none in {REGION} yet"
    assert "kmslab up --target aws" in found.remedy


@pytest.mark.parametrize("version", ["6", "33"])
def test_one_that_is_new_enough(access: FakeAccess, account: Account, version: str) -> None:
    account.bootstrapped(version=version)
    found = bootstrap.look(access, NAMED)
    assert found.fine
    assert found.seen == f"version {version}, stack CDKToolkit CREATE_COMPLETE"


@pytest.mark.parametrize(
    ("status", "version", "seen"),
    [
        ("CREATE_COMPLETE", "5", "version 5; the lab needs 6 or later"),
        ("CREATE_COMPLETE", "", f"stack CDKToolkit stands, but {bootstrap.PARAMETER} is not in"),
        ("ROLLBACK_COMPLETE", "33", "stack CDKToolkit is ROLLBACK_COMPLETE"),
    ],
)
def test_one_that_does_not_serve(
    access: FakeAccess, account: Account, status: str, version: str, seen: str
) -> None:
    account.bootstrapped(status, version)
    found = bootstrap.look(access, NAMED)
    assert (found.state, found.code) == (State.WRONG, ExitCode.DEPLOYMENT)
    assert found.seen.startswith(seen)
    assert f"`cdk bootstrap aws://{ACCOUNT}/{REGION}`" in found.remedy


def test_one_of_another_stack_serves(access: FakeAccess, account: Account) -> None:
    account.world.answers("ssm:GetParameter", {"Parameter": {"Value": "20"}})
    assert bootstrap.look(access, NAMED).seen == "version 20, by a stack of another name than CDKToolkit"


@pytest.mark.parametrize(("boundary", "fine"), [("kms-lab-boundary", True), ("", False), ("another", False)])
def test_one_under_another_boundary_than_the_settings_name(
    access: FakeAccess, account: Account, boundary: str, *, fine: bool
) -> None:
    account.bootstrapped()
    account.stacks[0]["Parameters"] = [
        {"ParameterKey": "InputPermissionsBoundary", "ParameterValue": boundary}
    ]
    found = bootstrap.look(access, LabSettings(permissions_boundary="kms-lab-boundary"))
    assert found.fine is fine
    assert fine or "but kmslab.permissions_boundary is kms-lab-boundary" in found.seen


def test_one_with_a_boundary_that_the_settings_do_not_name(access: FakeAccess, account: Account) -> None:
    account.bootstrapped()
    account.stacks[0]["Parameters"] = [
        {"ParameterKey": "InputPermissionsBoundary", "ParameterValue": "kms-lab-boundary"}
    ]
    found = bootstrap.look(access, NAMED)
    assert found.fine
    assert found.seen.endswith("its role has the boundary kms-lab-boundary")
    assert "docs/least-privilege.md" in found.remedy
    assert "-c kmslab.permissions_boundary=kms-lab-boundary" in found.remedy


@pytest.mark.parametrize("call", ["cloudformation:DescribeStacks", "ssm:GetParameter"])
def test_one_that_cannot_be_looked_at(access: FakeAccess, account: Account, call: str) -> None:
    account.world.refuses(call)
    found = bootstrap.look(access, NAMED)
    assert found.state is State.UNSEEN
    assert f"{call.partition(':')[2]}: AccessDenied" in found.seen


def test_the_qualifier_is_that_of_the_cdk() -> None:
    assert DefaultStackSynthesizer.DEFAULT_QUALIFIER == bootstrap.QUALIFIER


def test_the_templates_ask_for_the_same_version() -> None:
    for snapshot in SNAPSHOTS.glob("test_template*.json"):
        template = json.loads(snapshot.read_text(encoding="utf-8"))
        assert template["Parameters"]["BootstrapVersion"]["Default"] == bootstrap.PARAMETER
        rule = template["Rules"]["CheckBootstrapVersion"]["Assertions"][0]
        refused = rule["Assert"]["Fn::Not"][0]["Fn::Contains"][0]
        assert refused == [str(version) for version in range(1, bootstrap.NEEDED_VERSION)]
