"""Calls of StackSets, held against botocore's model of CloudFormation. Unproven on AWS."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.stub import Stubber

from kmslab.classroom.assembly import Template
from kmslab.classroom.seats import Seat
from kmslab.classroom.stacksets import PREFERENCES, StackSets
from kmslab.model.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Iterator

KEYS = Template("kms-lab-keys", '{"Resources": {}}', tags={"kmslab:prefix": "kms-lab"})
SEATS = (Seat("a", "111111111111"), Seat("b", "222222222222"))
TAGS = [{"Key": "kmslab:prefix", "Value": "kms-lab"}]
NAMED = {"StackSetName": KEYS.name}
DEFINITION = {**NAMED, "TemplateBody": KEYS.body, "Capabilities": ["CAPABILITY_NAMED_IAM"], "Tags": TAGS}
OPERATION = {**NAMED, "OperationId": "op-1"}
SELF = {"PermissionModel": "SELF_MANAGED"}
STARTED = {"OperationId": "op-1"}


class Hub:
    """Access with one stubbed client."""

    prefix = "kms-lab"

    def __init__(self, client: Any) -> None:
        self._client = client
        self.stopping = threading.Event()
        self.target = type("Target", (), {"region": "eu-central-1"})

    def client(self, _persona: Any, service: str) -> Any:
        assert service == "cloudformation"
        return self._client


class Cloud:
    """What the stubbed CloudFormation is to be asked, in this order, and what it answers."""

    def __init__(self, stubber: Stubber) -> None:
        self.add = stubber.add_response
        self._refuse = stubber.add_client_error

    def missing(self) -> None:
        self._refuse("describe_stack_set", "StackSetNotFoundException", expected_params=NAMED)

    def stands(self, body: str = KEYS.body, tags: Any = TAGS) -> None:
        stack_set = {"StackSetName": KEYS.name, "TemplateBody": body, "Tags": tags}
        self.add("describe_stack_set", {"StackSet": stack_set}, NAMED)

    def operations(self, *statuses: str) -> None:
        summaries = [{"OperationId": "op-0", "Status": status} for status in statuses]
        self.add("list_stack_set_operations", {"Summaries": summaries}, NAMED)

    def instances(self, *given: tuple[str, str]) -> None:
        summaries = [
            {"Account": account, "Region": "eu-central-1", "Status": status} for account, status in given
        ]
        self.add("list_stack_instances", {"Summaries": summaries}, NAMED)

    def ends(self, status: str, operation: str = "op-1") -> None:
        asked = {**NAMED, "OperationId": operation}
        answer = {"StackSetOperation": {"OperationId": operation, "Status": status}}
        self.add("describe_stack_set_operation", answer, asked)

    def results(self, *given: tuple[str, str, str]) -> None:
        summaries = [
            {"Account": account, "Region": "eu-central-1", "Status": status, "StatusReason": reason}
            for account, status, reason in given
        ]
        self.add("list_stack_set_operation_results", {"Summaries": summaries}, OPERATION)


@pytest.fixture
def hub() -> Iterator[tuple[Any, Cloud]]:
    client = boto3.client(
        "cloudformation", region_name="eu-central-1", aws_access_key_id="x", aws_secret_access_key="x"
    )
    with Stubber(client) as stubber:
        yield Hub(client), Cloud(stubber)
        stubber.assert_no_pending_responses()


def _work_on(*accounts: str, **more: Any) -> dict[str, Any]:
    return {
        **NAMED,
        "Accounts": list(accounts),
        "Regions": ["eu-central-1"],
        "OperationPreferences": PREFERENCES,
        **more,
    }


def test_a_new_stack_set_is_made_for_every_seat(hub: tuple[Any, Cloud]) -> None:
    access, cloud = hub
    cloud.missing()
    cloud.add("create_stack_set", {}, {**DEFINITION, **SELF, "ManagedExecution": {"Active": True}})
    cloud.instances()
    cloud.add("create_stack_instances", STARTED, _work_on(SEATS[0].account, SEATS[1].account))
    cloud.ends("SUCCEEDED")
    assert StackSets(access).deploy(KEYS, SEATS) == {}


def test_in_an_organization_the_unit_is_named_and_no_new_account_joins_by_itself(
    hub: tuple[Any, Cloud],
) -> None:
    access, cloud = hub
    cloud.missing()
    managed = {
        "PermissionModel": "SERVICE_MANAGED",
        "ManagedExecution": {"Active": True},
        "AutoDeployment": {"Enabled": False},
    }
    cloud.add("create_stack_set", {}, {**DEFINITION, **managed})
    cloud.instances()
    targets = {
        "OrganizationalUnitIds": ["ou-ab12-34cd56ef"],
        "Accounts": [SEATS[0].account],
        "AccountFilterType": "INTERSECTION",
    }
    asked = _work_on(DeploymentTargets=targets)
    del asked["Accounts"]
    cloud.add("create_stack_instances", STARTED, asked)
    cloud.ends("SUCCEEDED")
    assert StackSets(access, "ou-ab12-34cd56ef").deploy(KEYS, SEATS[:1]) == {}


def test_what_is_current_is_left_alone_and_what_failed_is_tried_again(hub: tuple[Any, Cloud]) -> None:
    access, cloud = hub
    cloud.stands()
    cloud.operations("SUCCEEDED")
    cloud.instances((SEATS[0].account, "CURRENT"), (SEATS[1].account, "OUTDATED"))
    again = {
        "Capabilities": DEFINITION["Capabilities"],
        "Tags": TAGS,
        "UsePreviousTemplate": True,
        **SELF,
    }
    cloud.add("update_stack_set", STARTED, _work_on(SEATS[1].account, **again))
    cloud.ends("FAILED")
    cloud.results((SEATS[1].account, "FAILED", "no\n room"))
    assert StackSets(access).deploy(KEYS, SEATS) == {"b": "stack set kms-lab-keys: FAILED: no room"}


def test_a_seat_that_fails_does_not_fail_the_others(hub: tuple[Any, Cloud]) -> None:
    access, cloud = hub
    cloud.missing()
    cloud.add("create_stack_set", {}, None)
    cloud.instances()
    cloud.add("create_stack_instances", STARTED, None)
    cloud.ends("FAILED")
    cloud.results((SEATS[0].account, "SUCCEEDED", ""))
    assert StackSets(access).deploy(KEYS, SEATS) == {
        "b": "stack set kms-lab-keys: FAILED: StackSets did not come to it"
    }
    assert PREFERENCES["FailureTolerancePercentage"] == 100


def test_a_run_goes_on_where_an_interrupted_one_stopped(hub: tuple[Any, Cloud]) -> None:
    access, cloud = hub
    cloud.stands()
    cloud.operations("RUNNING")
    cloud.ends("SUCCEEDED", "op-0")
    cloud.instances(*((seat.account, "CURRENT") for seat in SEATS))
    assert StackSets(access).deploy(KEYS, SEATS) == {}


def test_other_templates_update_the_stack_set(hub: tuple[Any, Cloud]) -> None:
    access, cloud = hub
    cloud.stands(body='{"Resources": {"Old": {}}}')
    cloud.operations()
    cloud.add("update_stack_set", STARTED, {**DEFINITION, **SELF, "OperationPreferences": PREFERENCES})
    cloud.ends("SUCCEEDED")
    cloud.instances(*((seat.account, "CURRENT") for seat in SEATS))
    assert StackSets(access).deploy(KEYS, SEATS) == {}


def test_a_foreign_stack_set_is_left_alone(hub: tuple[Any, Cloud]) -> None:
    access, cloud = hub
    cloud.stands(tags=[{"Key": "kmslab:prefix", "Value": "another"}])
    with pytest.raises(LabError, match="not this lab's"):
        StackSets(access).deploy(KEYS, SEATS)
    cloud.stands(tags=[])
    with pytest.raises(LabError, match="not this lab's"):
        StackSets(access).remove(KEYS.name, SEATS)


def test_the_last_seat_takes_the_stack_set_with_it(hub: tuple[Any, Cloud]) -> None:
    access, cloud = hub
    cloud.stands()
    cloud.operations()
    cloud.instances((SEATS[0].account, "CURRENT"), ("333333333333", "CURRENT"))
    cloud.add("delete_stack_instances", STARTED, _work_on(SEATS[0].account, RetainStacks=False))
    cloud.ends("SUCCEEDED")
    cloud.instances(("333333333333", "CURRENT"))
    assert StackSets(access).remove(KEYS.name, SEATS) == {}

    cloud.stands()
    cloud.operations()
    cloud.instances()
    cloud.instances()
    cloud.add("delete_stack_set", {}, NAMED)
    assert StackSets(access).remove(KEYS.name, SEATS) == {}

    cloud.missing()
    assert StackSets(access).remove(KEYS.name, SEATS) == {}


def test_the_role_that_makes_the_stacks_follows_from_the_permissions(hub: tuple[Any, Cloud]) -> None:
    access, _ = hub
    assert StackSets(access).execution_role == "AWSCloudFormationStackSetExecutionRole"
    assert StackSets(access, "ou-ab12-34cd56ef").execution_role == "stacksets-exec-*"
