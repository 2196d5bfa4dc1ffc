"""The time to live: what the template holds and what its role may do. That it fires, only AWS can show."""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from botocore.loaders import create_loader
from botocore.model import ServiceModel
from botocore.validate import validate_parameters

from kmslab.authorization.decide import decide
from kmslab.authorization.model import Policy, Principal, PrincipalKind, Request
from kmslab.model.naming import stack_name
from kmslab.model.outputs import LabStack
from tests.stacks.synthesis import NOW
from tests.stacks.template import Assembly, Json

if TYPE_CHECKING:
    from pathlib import Path

ACCOUNT = "111122223333"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/kms-lab-keys-TimeToLiveRole"
STACK = f"arn:aws:cloudformation:eu-central-1:{ACCOUNT}:stack"
PSEUDO = {"AWS::Partition": "aws", "AWS::Region": "eu-central-1", "AWS::AccountId": ACCOUNT}


@pytest.fixture(scope="session")
def mortal(assemblies: Path) -> Assembly:
    """The lab with ``ttl_hours=8``."""
    return Assembly(assemblies / "mortal")


def schedules(lab: Assembly) -> dict[str, Json]:
    """The properties of each schedule by the name of the stack that it deletes."""
    found = (one["Properties"] for one in lab.resources("AWS::Scheduler::Schedule").values())
    return {json.loads(one["Target"]["Input"])["StackName"]: one for one in found}


def when(schedule: Json) -> datetime:
    """When a schedule fires."""
    return datetime.strptime(f"{schedule['ScheduleExpression']}Z", "at(%Y-%m-%dT%H:%M:%S)%z")


def filled(value: Any) -> Any:
    """A part of a template as CloudFormation deploys it."""
    if isinstance(value, dict):
        if "Fn::Sub" in value:
            return re.sub(r"\$\{(.*?)\}", lambda name: PSEUDO[name[1]], value["Fn::Sub"])
        return {key: filled(inner) for key, inner in value.items()}
    return [filled(one) for one in value] if isinstance(value, list) else value


def test_nothing_lives_for_a_time_unless_asked_for(lab: Assembly, every_option: Assembly) -> None:
    for one in (lab, every_option):
        assert one.resources("AWS::Scheduler::Schedule") == {}


def test_every_stack_is_deleted_once(mortal: Assembly) -> None:
    assert sorted(schedules(mortal)) == [stack_name("kms-lab", stack) for stack in mortal.stacks()]
    for schedule in schedules(mortal).values():
        assert schedule["FlexibleTimeWindow"] == {"Mode": "OFF"}
        assert schedule["ScheduleExpressionTimezone"] == "UTC"
        assert filled(schedule["Target"]["Arn"]) == "arn:aws:scheduler:::aws-sdk:cloudformation:deleteStack"
        assert schedule["Target"]["RoleArn"] == {"Fn::GetAtt": ["TimeToLiveRole", "Arn"]}


def test_it_begins_after_the_time_to_live(mortal: Assembly) -> None:
    first = min(when(schedule) for schedule in schedules(mortal).values())
    assert first - NOW == timedelta(hours=8)


def test_a_stack_goes_before_those_whose_exports_it_imports(mortal: Assembly) -> None:
    times = {name: when(schedule) for name, schedule in schedules(mortal).items()}
    pairs = {
        (stack_name("kms-lab", stack), export.partition(":")[0])
        for stack in mortal.stacks()
        for export in re.findall(r'"Fn::ImportValue": "([^"]+)"', json.dumps(mortal.template(stack)))
    }
    assert pairs
    for importing, exporting in pairs:
        assert times[importing] + timedelta(minutes=15) <= times[exporting], (importing, exporting)


def test_the_schedules_go_with_the_stack_that_goes_last(mortal: Assembly) -> None:
    times = {name: when(schedule) for name, schedule in schedules(mortal).items()}
    assert max(times, key=lambda name: times[name]) == "kms-lab-keys"
    assert len(mortal.resources("AWS::Scheduler::Schedule", "keys")) == len(times)


def test_the_input_is_what_delete_stack_takes(mortal: Assembly) -> None:
    model = ServiceModel(create_loader().load_service_model("cloudformation", "service-2"), "cloudformation")
    shape = model.operation_model("DeleteStack").input_shape
    assert shape is not None
    for schedule in schedules(mortal).values():
        validate_parameters(json.loads(schedule["Target"]["Input"]), shape)


def test_who_may_use_the_role(mortal: Assembly) -> None:
    role = mortal.template("keys")["Resources"]["TimeToLiveRole"]["Properties"]
    assert filled(role["AssumeRolePolicyDocument"]["Statement"]) == [
        {
            "Sid": "LetSchedulesOfThisAccountUseTheRole",
            "Effect": "Allow",
            "Principal": {"Service": "scheduler.amazonaws.com"},
            "Action": "sts:AssumeRole",
            "Condition": {
                "StringEquals": {
                    "aws:SourceAccount": {"Ref": "AWS::AccountId"},
                    "aws:SourceArn": f"arn:aws:scheduler:eu-central-1:{ACCOUNT}:schedule-group/default",
                }
            },
        }
    ]


def test_what_the_role_may_do(mortal: Assembly) -> None:
    policy = mortal.properties("keys", "TimeToLivePolicy")
    assert policy["Roles"] == [{"Ref": "TimeToLiveRole"}]
    assert filled(policy["PolicyDocument"]["Statement"]) == [
        {
            "Sid": "DeleteTheStacksOfTheLab",
            "Effect": "Allow",
            "Action": "cloudformation:DeleteStack",
            "Resource": [f"{STACK}/kms-lab-{stack}/*" for stack in LabStack],
        }
    ]
    # Nothing else is attached: no other policy names the role, and it has none of its own.
    role = mortal.template("keys")["Resources"]["TimeToLiveRole"]["Properties"]
    assert role.keys() & {"Policies", "ManagedPolicyArns"} == set()


def allowed(mortal: Assembly, action: str, resource: str) -> bool:
    """What an evaluator of policies says that the role may do."""
    document = filled(mortal.properties("keys", "TimeToLivePolicy")["PolicyDocument"])
    policies = (Policy.parse("managed policy", document),)
    who = Principal(ROLE, ACCOUNT, PrincipalKind.ROLE, policies)
    return decide(who, Request(action, resource)).allowed


@pytest.mark.parametrize("stack", LabStack)
def test_the_role_may_delete_each_stack_of_the_lab(mortal: Assembly, stack: LabStack) -> None:
    assert allowed(mortal, "cloudformation:DeleteStack", f"{STACK}/kms-lab-{stack}/1f2e")


@pytest.mark.parametrize(
    ("action", "resource"),
    [
        ("cloudformation:DeleteStack", f"{STACK}/CDKToolkit/1f2e"),
        ("cloudformation:DeleteStack", f"{STACK}/kms-lab-2-keys/1f2e"),
        ("cloudformation:DeleteStack", f"{STACK}/kms-lab-keys-of-another/1f2e"),
        ("cloudformation:DeleteStack", f"arn:aws:cloudformation:us-east-1:{ACCOUNT}:stack/kms-lab-keys/1f2e"),
        ("cloudformation:UpdateStack", f"{STACK}/kms-lab-keys/1f2e"),
        ("iam:PassRole", f"arn:aws:iam::{ACCOUNT}:role/cdk-hnb659fds-cfn-exec-role-{ACCOUNT}-eu-central-1"),
        ("kms:ScheduleKeyDeletion", f"arn:aws:kms:eu-central-1:{ACCOUNT}:key/1234abcd"),
        ("s3:DeleteObject", "arn:aws:s3:::data/a"),
    ],
)
def test_the_role_may_do_nothing_else(mortal: Assembly, action: str, resource: str) -> None:
    assert not allowed(mortal, action, resource)
