from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from kmslab.account import labs
from kmslab.faults.ledger import Entry, Ledger
from kmslab.model.errors import ExitCode
from kmslab.model.finding import State
from kmslab.model.outputs import LabStack
from tests.account.conftest import CREATED, Account, creation
from tests.checks.fakes import REGION, FakeAccess, World

if TYPE_CHECKING:
    from datetime import tzinfo

    from kmslab.model.finding import Finding

ALICE = "arn:aws:sts::111122223333:assumed-role/cdk-hnb659fds-deploy-role/aws-cdk-alice"


@pytest.fixture(autouse=True)
def today(monkeypatch: pytest.MonkeyPatch) -> None:
    class Clock(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Clock:
            return cls(2026, 11, 22, 9, 0, tzinfo=tz)

    monkeypatch.setattr(labs, "datetime", Clock)


def findings(access: FakeAccess) -> dict[str, Finding]:
    return {finding.what: finding for finding in labs.look(access)}


def test_no_lab_yet(access: FakeAccess) -> None:
    found = findings(access)
    assert list(found) == ["Lab"]
    assert found["Lab"].fine
    assert found["Lab"].seen == f"none with the prefix kms-lab in {REGION}"


def test_a_lab_that_stands_says_since_when_and_by_whom(access: FakeAccess, account: Account) -> None:
    account.deployed()
    account.events = [
        creation("kms-lab-keys", "nobody", errorCode="AlreadyExistsException"),
        creation("another", "bob"),
        creation("kms-lab-keys", ALICE),
    ]
    found = findings(access)
    assert all(finding.fine for finding in found.values())
    assert found["Lab"].seen == f"kms-lab stands in {REGION}: 6 stacks, since 2026-11-20 08:12 UTC"
    assert found["Deployed by"].seen == f"{ALICE}, 2026-11-20 08:12 UTC"
    assert found["Faults"].seen == "none in place"
    asked = account.world.asked("cloudtrail:LookupEvents")[0]
    assert asked["LookupAttributes"] == [{"AttributeKey": "EventName", "AttributeValue": "CreateStack"}]
    assert asked["StartTime"] < CREATED < asked["EndTime"]
    assert asked["EndTime"] - asked["StartTime"] < timedelta(hours=1)


@pytest.mark.parametrize(
    ("status", "seen"),
    [
        ("CREATE_FAILED", "stack kms-lab-identity is CREATE_FAILED: no room"),
        ("DELETE_FAILED", "stack kms-lab-identity is DELETE_FAILED: no room"),
        ("UPDATE_IN_PROGRESS", "stack kms-lab-identity is UPDATE_IN_PROGRESS: somebody works on it"),
    ],
)
def test_a_half_deployed_lab(access: FakeAccess, account: Account, status: str, seen: str) -> None:
    account.deployed()
    account.stacks[1].update(StackStatus=status, StackStatusReason="no\nroom")
    found = findings(access)["Lab"]
    assert (found.state, found.code) == (State.WRONG, ExitCode.DEPLOYMENT)
    assert found.seen == seen
    assert found.remedy


def test_a_lab_with_a_stack_missing(access: FakeAccess, account: Account) -> None:
    account.deployed(without=(LabStack.NETWORK, LabStack.AUDIT))
    found = findings(access)["Lab"]
    assert found.state is State.WRONG
    assert found.seen == "half deployed: kms-lab-audit missing"
    assert "kmslab down --target aws" in found.remedy


def test_a_stack_of_our_name_that_is_not_ours(access: FakeAccess, account: Account) -> None:
    account.deployed()
    account.stacks[0]["Tags"] = []
    found = findings(access)["Lab"]
    assert (found.state, found.code) == (State.WRONG, ExitCode.TARGET)
    assert "is not this lab's" in found.seen


def test_labs_of_other_prefixes_are_told_and_left_alone(access: FakeAccess, account: Account) -> None:
    account.deployed(prefix="class-7")
    account.deployed(prefix="mine", without=tuple(LabStack)[1:])
    found = findings(access)
    assert found["Other labs"].seen == "class-7 (6 stacks), mine (1 stack)"
    assert found["Lab"].fine


def test_stacks_that_cannot_be_listed(access: FakeAccess, account: Account) -> None:
    account.world.refuses("cloudformation:DescribeStacks")
    assert findings(access)["Lab"].state is State.UNSEEN


@pytest.mark.parametrize("late", [False, True])
def test_a_creation_that_the_history_does_not_show(
    access: FakeAccess, account: Account, *, late: bool
) -> None:
    account.deployed()
    if late:
        for stack in account.stacks:
            stack["CreationTime"] = datetime(2026, 11, 22, tzinfo=UTC) - timedelta(days=100)
    found = findings(access)["Deployed by"]
    assert found.state is State.UNSEEN
    assert ("90 days" if late else "does not show who made kms-lab-keys") in found.seen
    assert bool(account.world.asked("cloudtrail:LookupEvents")) is not late


def test_a_history_that_may_not_be_read(access: FakeAccess, account: Account) -> None:
    account.deployed()
    account.world.refuses("cloudtrail:LookupEvents")
    found = findings(access)
    assert found["Lab"].fine
    assert found["Deployed by"].state is State.UNSEEN
    assert "AccessDeniedException" in found["Deployed by"].seen


def test_faults_in_place_are_counted_and_not_named(access: FakeAccess, account: Account) -> None:
    account.deployed()
    entry = Entry(1, "s3.no-encryption", "arn", "2026-11-21T10:00:00Z", mystery=True, hints=0, saved={})
    kept = World().answers("ssm:PutParameter", {"Version": 1})
    Ledger(FakeAccess(kept)).write(entry)
    written = kept.asked("ssm:PutParameter")[0]
    account.world.answers(
        "ssm:GetParametersByPath", {"Parameters": [{"Name": written["Name"], "Value": written["Value"]}]}
    )
    found = findings(access)["Faults"]
    assert (found.state, found.code) == (State.WRONG, ExitCode.NOT_PROVEN)
    assert found.seen == "1 fault in place, the oldest since 2026-11-21T10:00:00Z"
    assert "kmslab repair --target aws" in found.remedy
    assert "s3" not in found.seen + found.remedy


@pytest.mark.parametrize(("code", "state"), [("AccessDeniedException", State.UNSEEN), ("", State.WRONG)])
def test_a_ledger_that_cannot_be_read(access: FakeAccess, account: Account, code: str, state: State) -> None:
    account.deployed()
    if code:
        account.world.refuses("ssm:GetParametersByPath", code=code)
    else:
        account.world.answers("ssm:GetParametersByPath", {"Parameters": [{"Name": "x", "Value": "?"}]})
    assert findings(access)["Faults"].state is state


def test_a_bootstrap_is_no_lab(access: FakeAccess, account: Account) -> None:
    account.bootstrapped()
    assert labs.listed(access) == []
