from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from kmslab.faults.cloudformation import KeyPolicies, OwnerNeededError
from kmslab.faults.workshop import Workshop
from kmslab.model.errors import LabError
from tests.checks.fakes import ACCOUNT, OUTPUTS, PREFIX, REGION, FakeAccess, World

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.checks.fakes import Request

KEY = OUTPUTS.key_app
ROLE = f"arn:aws:iam::{ACCOUNT}:role/cdk-hnb659fds-cfn-exec-role-{ACCOUNT}-{REGION}"
WRITTEN = {"Statement": [{"Principal": {"AWS": {"Fn::Sub": "arn:${AWS::Partition}:iam::root"}}}]}


def policy(*actions: str, role: str = ROLE) -> dict[str, Any]:
    """A key policy that lets CloudFormation administer, and somebody do more."""
    own = {"Effect": "Allow", "Principal": {"AWS": role}, "Action": "kms:PutKeyPolicy", "Resource": "*"}
    more = {"Effect": "Allow", "Principal": "*", "Action": list(actions), "Resource": "*"}
    return {"Version": "2012-10-17", "Statement": [own, *([more] if actions else [])]}


class Stack:
    """The stack of the keys, with one key, and a CloudFormation that updates it."""

    def __init__(self) -> None:
        self.policy = policy()
        self.template: dict[str, Any] = {
            "Parameters": {"BootstrapVersion": {}},
            "Resources": {
                "App": {"Type": "AWS::KMS::Key", "Properties": {"KeyPolicy": WRITTEN}},
                "Other": {"Type": "AWS::KMS::Key", "Properties": {"KeyPolicy": {}}},
            },
        }
        self.status = "UPDATE_COMPLETE"
        self.world = World()
        self.world.answers("kms:GetKeyPolicy", lambda _: {"Policy": json.dumps(self.policy)})
        self.world.answers(
            "cloudformation:GetTemplate", lambda _: {"TemplateBody": json.dumps(self.template)}
        )
        self.world.answers("cloudformation:DescribeStacks", lambda _: {"Stacks": [self._described()]})
        self.world.answers(
            "cloudformation:DescribeStackResources", {"StackResources": list(self._resources())}
        )
        self.world.answers("cloudformation:UpdateStack", self._update)
        self.policies = KeyPolicies(FakeAccess(self.world))

    def put(self, wanted: dict[str, Any]) -> None:
        self.policies.put_key_policy(KeyId=KEY, PolicyName="default", Policy=json.dumps(wanted))

    @property
    def app(self) -> Any:
        return self.template["Resources"]["App"]

    def _described(self) -> dict[str, Any]:
        when = "2026-11-22"
        name = f"{PREFIX}-keys"
        return {"StackName": name, "CreationTime": when, "StackStatus": self.status, "RoleARN": ROLE}

    def _resources(self) -> Any:
        ids = {"Other": "another", "App": KEY.rpartition("/")[2]}
        for logical_id, physical_id in ids.items():
            yield {
                "LogicalResourceId": logical_id,
                "PhysicalResourceId": physical_id,
                "ResourceType": "AWS::KMS::Key",
                "Timestamp": "2026-11-22",
                "ResourceStatus": "CREATE_COMPLETE",
            }

    def _update(self, request: Request) -> Mapping[str, Any]:
        assert request["StackName"] == f"{PREFIX}-keys"
        assert request["Parameters"] == [{"ParameterKey": "BootstrapVersion", "UsePreviousValue": True}]
        self.template = json.loads(request["TemplateBody"])
        wanted = self.app["Properties"]["KeyPolicy"]
        self.policy = policy() if wanted == WRITTEN else wanted
        return {"StackId": "arn"}


def test_a_policy_is_changed_in_the_template_of_its_key_only() -> None:
    stack = Stack()
    stack.put(policy("kms:Decrypt"))
    assert stack.policy == policy("kms:Decrypt")
    assert stack.app["Properties"]["KeyPolicy"] == policy("kms:Decrypt")
    assert stack.template["Resources"]["Other"]["Properties"]["KeyPolicy"] == {}


def test_the_first_policy_comes_back_as_it_was_written() -> None:
    """Otherwise the stack would differ from the app for ever, though nothing is broken."""
    stack = Stack()
    before = json.dumps(stack.template)
    for changed in (policy("kms:Decrypt"), policy("kms:Decrypt", "kms:Encrypt"), policy()):
        stack.put(changed)
        assert stack.policy == changed
    assert json.dumps(stack.template) == before


def test_the_present_policy_is_no_update() -> None:
    stack = Stack()
    stack.put(policy())
    assert stack.world.asked("cloudformation:UpdateStack") == []


def test_what_cloudformation_could_not_put_back_is_refused() -> None:
    stack = Stack()
    with pytest.raises(OwnerNeededError, match="a policy that locks CloudFormation out"):
        stack.put(policy("kms:Decrypt", role=f"arn:aws:iam::{ACCOUNT}:role/somebody"))
    assert stack.world.asked("cloudformation:UpdateStack") == []


def test_an_update_that_does_not_succeed_is_told() -> None:
    stack = Stack()
    stack.status = "UPDATE_ROLLBACK_COMPLETE"
    with pytest.raises(LabError) as caught:
        stack.put(policy("kms:Decrypt"))
    assert caught.value.message == f"CloudFormation did not change the policy of {KEY}."
    assert f"{PREFIX}-keys" in caught.value.hint


def test_without_the_root_user_key_policies_are_all_that_can_be_changed() -> None:
    owner = Workshop(FakeAccess(Stack().world), OUTPUTS).owner("kms")
    assert isinstance(owner, KeyPolicies)
    with pytest.raises(OwnerNeededError, match=r"only the root user may change the lab so \(update_alias\)"):
        owner.update_alias(AliasName="alias/a", TargetKeyId="b")
