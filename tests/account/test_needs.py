from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from botocore.loaders import create_loader

from kmslab.account import actions, needs
from kmslab.model.outputs import LabStack
from kmslab.model.settings import LabSettings
from tests.account.conftest import NAMED
from tests.checks.fakes import ACCOUNT, FakeAccess
from tests.stacks.synthesis import EVERY_OPTION

SNAPSHOTS = Path(__file__).parents[1] / "stacks" / "__snapshots__" / "test_snapshots"
PLAIN, FULL = LabSettings(), LabSettings(**EVERY_OPTION)
SAME_ACTION = {
    "iam:PassRole": "iam:CreateRole",
    "lambda:InvokeFunction": "lambda:Invoke",
    "s3:PutEncryptionConfiguration": "s3:PutBucketEncryption",
    "s3:PutBucketPublicAccessBlock": "s3:PutPublicAccessBlock",
}
"""Actions that are named after no operation, and the operation that they belong to."""


def resources(stack: LabStack, settings: LabSettings) -> list[dict[str, Any]]:
    """What a stack's template makes; with every option where the snapshots have that template."""
    full = SNAPSHOTS / f"test_template_with_every_option[{stack}].json"
    plain = SNAPSHOTS / f"test_template[{stack}].json"
    file = full if settings is FULL and full.exists() else plain
    if not file.exists():  # the network, without its option
        return []
    return [*json.loads(file.read_text(encoding="utf-8"))["Resources"].values()]


@pytest.mark.parametrize("settings", [PLAIN, FULL], ids=["plain", "every-option"])
@pytest.mark.parametrize("stack", LabStack)
def test_the_templates_need_what_is_counted(stack: LabStack, settings: LabSettings) -> None:
    counted = {
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
    found = Counter(one["Type"] for one in resources(stack, settings) if one["Type"] in counted)
    for one in resources(stack, settings):
        if one["Type"] == "AWS::EC2::Volume":
            assert one["Properties"]["VolumeType"] == "gp3"
            found[needs.VOLUME_GIB] += one["Properties"]["Size"]
    assert +needs.of_stack(stack, settings) == found


def test_what_stands_is_not_needed_again() -> None:
    assert needs.still_needed(PLAIN, ())[needs.KEY] == needs.KEYS + needs.VERIFY_KEYS
    assert needs.still_needed(PLAIN, {LabStack.KEYS})[needs.KEY] == needs.VERIFY_KEYS
    assert needs.still_needed(PLAIN, tuple(LabStack)) == Counter({needs.KEY: needs.VERIFY_KEYS})


@pytest.mark.parametrize("settings", [PLAIN, FULL], ids=["plain", "every-option"])
def test_every_type_of_the_templates_has_its_actions(settings: LabSettings) -> None:
    known = {**actions.CLOUDFORMATION, **actions.NETWORK, **actions.INSTANCE}
    types = {one["Type"] for stack in LabStack for one in resources(stack, settings)}
    assert types <= known.keys()
    if settings is FULL:
        assert types == known.keys()


def test_options_ask_for_more(access: FakeAccess) -> None:
    def asked(settings: LabSettings) -> set[str]:
        return {action for one in actions.of_cloudformation(access, settings) for action in one.actions}

    assert "kms:CreateKey" in asked(PLAIN)
    assert asked(FULL) - asked(PLAIN) >= {"ec2:CreateVpc", "ec2:RunInstances"}
    assert "ec2:RunInstances" not in asked(LabSettings(network=True))


def test_every_action_is_one_of_aws(access: FakeAccess) -> None:
    loader = create_loader()
    asked = [
        *actions.of_cloudformation(access, FULL),
        *actions.of_caller(access, NAMED, bootstrapped=False),
        *actions.of_caller(access, NAMED, bootstrapped=True),
    ]
    by_service: dict[str, set[str]] = {}
    for one in asked:
        for action in one.actions:
            service, _, operation = SAME_ACTION.get(action, action).partition(":")
            by_service.setdefault(service, set()).add(operation)
    for service, operations in by_service.items():
        assert operations <= loader.load_service_model(service, "service-2")["operations"].keys()


def test_actions_are_asked_about_things_of_this_lab(access: FakeAccess) -> None:
    found = {one.resource: one for one in actions.of_cloudformation(access, NAMED)}
    role = found[f"arn:aws:iam::{ACCOUNT}:role/kms-lab-auditor"]
    assert "iam:CreateRole" in role.actions
    assert role.worldwide
    assert not found["*"].worldwide
    assert all("{" not in resource for resource in found)
