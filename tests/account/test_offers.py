from __future__ import annotations

from typing import TYPE_CHECKING

from kmslab.account import actions, offers
from kmslab.model.errors import ExitCode
from kmslab.model.finding import State
from kmslab.model.settings import LabSettings
from stacks.volumes import INSTANCE_TYPE
from tests.checks.fakes import REGION, FakeAccess, Refusal, Request

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from tests.account.conftest import Account

SETTINGS = LabSettings()
WITH_INSTANCE = LabSettings(network=True, instance=True)


def lacking(account: Account, missing: str) -> None:
    """Have CloudFormation not know a type."""

    def answer(request: Request) -> Mapping[str, Any]:
        if request["TypeName"] == missing:
            raise Refusal("TypeNotFoundException", "The specified type doesn't exist", 404)
        return {"TypeName": request["TypeName"]}

    account.world.answers("cloudformation:DescribeType", answer)


def test_a_region_with_everything(access: FakeAccess, account: Account) -> None:
    found = offers.look(access, SETTINGS)
    assert found.fine
    asked = {request["TypeName"] for request in account.world.asked("cloudformation:DescribeType")}
    assert asked == {name for name in actions.CLOUDFORMATION if name.startswith("AWS::")}
    assert found.seen.endswith(f"all {len(asked)} types of the lab's resources in {REGION}")
    assert account.world.asked("ec2:DescribeInstanceTypeOfferings") == []


def test_a_region_without_a_service(access: FakeAccess, account: Account) -> None:
    lacking(account, "AWS::CloudTrail::Trail")
    found = offers.look(access, SETTINGS)
    assert (found.state, found.code) == (State.WRONG, ExitCode.DEPLOYMENT)
    assert found.seen == f"{REGION} lacks AWS::CloudTrail::Trail"
    assert "AWS_REGION" in found.remedy


def test_only_what_the_settings_make_is_asked_for(access: FakeAccess, account: Account) -> None:
    lacking(account, "AWS::Scheduler::Schedule")
    assert offers.look(access, SETTINGS).fine
    assert offers.look(access, LabSettings(ttl_hours=8)).state is State.WRONG


def test_a_region_without_the_instances_type(access: FakeAccess, account: Account) -> None:
    assert offers.look(access, WITH_INSTANCE).fine
    account.world.answers("ec2:DescribeInstanceTypeOfferings", {"InstanceTypeOfferings": []})
    assert offers.look(access, WITH_INSTANCE).seen == f"{REGION} lacks EC2's t3.nano"
    assert offers.INSTANCE_TYPE == INSTANCE_TYPE


def test_who_may_not_ask_does_not_know(access: FakeAccess, account: Account) -> None:
    account.world.refuses("cloudformation:DescribeType", code="AccessDenied")
    found = offers.look(access, SETTINGS)
    assert found.state is State.UNSEEN
    assert found.remedy.startswith("Allow cloudformation:DescribeType")


def test_a_permission_is_no_remedy_for_a_service_that_does_not_answer(
    access: FakeAccess, account: Account
) -> None:
    account.world.unreachable("cloudformation:DescribeType")
    found = offers.look(access, SETTINGS)
    assert found.state is State.UNSEEN
    assert "Allow" not in found.remedy
