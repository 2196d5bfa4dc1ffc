"""What is counted and asked about is what the templates make, with every option."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from botocore.loaders import create_loader

from kmslab.account import actions, needs
from kmslab.model.outputs import LabStack
from kmslab.model.settings import LabSettings
from tests.bootstrap.handlers import permissions
from tests.bootstrap.policies import Policies
from tests.checks.fakes import ACCOUNT, PREFIX
from tests.stacks.synthesis import BOUNDARY, EVERY_OPTION

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from kmslab.account.actions import Asked
    from tests.checks.fakes import FakeAccess

PLAIN = LabSettings()
SETTINGS = {
    "default": PLAIN,
    "every-option": LabSettings(**EVERY_OPTION),
    "bounded": LabSettings(permissions_boundary=BOUNDARY, ttl_hours=8, **EVERY_OPTION),
    "mortal": LabSettings(ttl_hours=8),
}
FULL = SETTINGS["bounded"]
COUNTED = {
    needs.KEY,
    needs.TRAIL,
    needs.BUCKET,
    needs.ROLE,
    needs.USER,
    needs.GROUP,
    needs.POLICY,
    needs.SECRET,
    needs.VPC,
}
CUSTOM = {"Custom::S3AutoDeleteObjects": {"lambda:InvokeFunction"}}
"""A type that no schema describes: CloudFormation calls its function."""
every_assembly = pytest.mark.parametrize("name", SETTINGS)


def resources(assemblies: Path, name: str, stack: LabStack) -> list[dict[str, Any]]:
    """What a stack's template makes."""
    file = assemblies / name / f"{PREFIX}-{stack}.template.json"
    if not file.exists():  # the network, without its option
        return []
    return [*json.loads(file.read_text(encoding="utf-8"))["Resources"].values()]


@every_assembly
def test_the_templates_need_what_is_counted(assemblies: Path, name: str) -> None:
    for stack in LabStack:
        made = resources(assemblies, name, stack)
        found = Counter(one["Type"] for one in made if one["Type"] in COUNTED)
        for one in made:
            if one["Type"] == "AWS::EC2::Volume":
                assert one["Properties"]["VolumeType"] == "gp3"
                found[needs.VOLUME_GIB] += one["Properties"]["Size"]
        assert +needs.of_stack(stack, SETTINGS[name]) == found, stack


def test_what_stands_is_not_needed_again() -> None:
    assert needs.still_needed(PLAIN, ())[needs.KEY] == needs.KEYS + needs.verify_keys()
    assert needs.still_needed(PLAIN, {LabStack.KEYS})[needs.KEY] == needs.verify_keys()
    assert needs.still_needed(PLAIN, tuple(LabStack)) == Counter({needs.KEY: needs.verify_keys()})


@every_assembly
def test_every_type_of_the_templates_is_asked_about_and_no_other(assemblies: Path, name: str) -> None:
    types = {one["Type"] for stack in LabStack for one in resources(assemblies, name, stack)}
    assert types == actions.types(SETTINGS[name]).keys()


def test_every_action_is_one_that_the_schemas_name() -> None:
    for kind, several in actions.types(FULL).items():
        known = CUSTOM.get(kind) or {one for handler in permissions(kind).values() for one in handler}
        assert {action for one in several for action in one.actions} <= known, kind


def test_every_action_of_the_caller_is_an_operation(access: FakeAccess) -> None:
    loader = create_loader()
    for action in called(actions.of_caller(access, PLAIN, bootstrapped=False)):
        service, _, operation = action.partition(":")
        assert operation in loader.load_service_model(service, "service-2")["operations"]


def called(asked: list[Asked]) -> Iterator[str]:
    return (action for one in asked for action in one.actions)


def test_options_ask_for_more(access: FakeAccess) -> None:
    plain = {*called(actions.of_cloudformation(access, PLAIN))}
    full = {*called(actions.of_cloudformation(access, FULL))}
    network = {*called(actions.of_cloudformation(access, LabSettings(network=True)))}
    assert {"ec2:CreateVpc", "ec2:RunInstances", "scheduler:CreateSchedule"} <= full - plain
    assert network - plain == {*called([one for several in actions.NETWORK.values() for one in several])}


def test_actions_are_asked_about_things_of_this_lab(access: FakeAccess) -> None:
    found = actions.of_cloudformation(access, PLAIN)
    role = next(one for one in found if "iam:CreateRole" in one.actions)
    assert role.resource == f"arn:aws:iam::{ACCOUNT}:role/kms-lab-auditor"
    assert role.worldwide
    assert "iam:PermissionsBoundary" not in role.keys
    asked = [*found, *actions.of_caller(access, PLAIN, bootstrapped=True)]
    assert not any("{" in text for one in asked for text in (one.resource, *one.keys.values()))


def test_our_own_least_privilege_allows_it_all(access: FakeAccess) -> None:
    policies = Policies.read()
    refused = [
        (action, one.resource)
        for one in actions.of_cloudformation(access, FULL)
        for action in one.actions
        if not policies.decides(action, one.resource, one.keys)
    ]
    assert refused == []


@pytest.mark.parametrize("action", ["kms:CreateKey", "iam:CreateRole", "ec2:CreateVolume"])
def test_the_least_privilege_of_another_lab_is_seen_to_refuse(access: FakeAccess, action: str) -> None:
    other = type(access)(access.world)
    other.prefix = "another"
    (found,) = [one for one in actions.of_cloudformation(other, FULL) if action in one.actions]
    assert not Policies.read().decides(action, found.resource, found.keys)
