"""What can be changed about keys and their policies: in templates, and on the deployed lab."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from kmslab.faults.changes.keys import (
    Alias,
    Description,
    Disabled,
    Doomed,
    Replaced,
    Rotation,
    StandingGrant,
)
from kmslab.faults.changes.policies import KeyPolicy
from kmslab.faults.changes.statements import drop
from kmslab.model.naming import alias_name
from kmslab.model.outputs import LabOutputs
from kmslab.model.persona import Persona
from tests.faults.on_the_lab import breaks_and_puts_back, open_workshop

if TYPE_CHECKING:
    from kmslab.faults.change import Change
    from kmslab.faults.templates import Templates
    from kmslab.faults.workshop import Workshop
    from tests.conftest import DeployedLab

S3, MAC, SIGNING = LabOutputs.key_s3, LabOutputs.key_mac, LabOutputs.key_signing
CHANGES: dict[str, Change] = {
    "key policy": KeyPolicy(MAC, drop("MakeAndVerifyCodes")),
    "rotation off": Rotation(S3, None),
    "rotation rare": Rotation(S3, 2560),
    "disabled": Disabled(SIGNING),
    "doomed": Doomed(MAC),
    "alias turned": Alias(S3, LabOutputs.key_app),
    "alias gone": Alias(SIGNING, None),
    "key replaced": Replaced(SIGNING, KeySpec="ECC_NIST_P384", KeyUsage="SIGN_VERIFY"),
    "grant left": StandingGrant(S3, Persona.OUTSIDER, "Decrypt"),
    "description": Description(MAC, ""),
}


@pytest.fixture(scope="module")
def workshop(deployed_lab: DeployedLab) -> Workshop:
    return open_workshop(deployed_lab)


def look(workshop: Workshop) -> Any:
    """State, rotation, policy, grants and alias of the keys that are broken here."""
    kms, seen = workshop.owner("kms"), []
    for output in (S3, MAC, SIGNING):
        key = workshop.outputs.value_of(output)
        alias = alias_name(workshop.prefix, output.name.removeprefix("key_"))
        aliases = kms.get_paginator("list_aliases").paginate().search("Aliases[]")
        seen.append(
            (
                kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"],
                kms.describe_key(KeyId=key)["KeyMetadata"]["Description"],
                kms.get_key_policy(KeyId=key, PolicyName="default")["Policy"],
                [one["TargetKeyId"] for one in aliases if one["AliasName"] == alias],
                [grant["Name"] for grant in kms.list_grants(KeyId=key)["Grants"]],
            )
        )
    status = kms.get_key_rotation_status(KeyId=workshop.outputs.key_s3)
    return seen, status["KeyRotationEnabled"], status.get("RotationPeriodInDays")


@pytest.mark.parametrize("what", CHANGES)
def test_it_breaks_and_is_put_back(workshop: Workshop, what: str) -> None:
    breaks_and_puts_back(workshop, CHANGES[what], look)


def test_the_key_that_replaced_another_goes_with_the_repair(workshop: Workshop) -> None:
    change = Replaced(SIGNING, KeySpec="ECC_NIST_P384", KeyUsage="SIGN_VERIFY")
    kms, alias = workshop.client("kms"), alias_name(workshop.prefix, "signing")
    saved = change.save(workshop)
    try:
        change.apply(workshop, saved)
        made = workshop.owner("kms").describe_key(KeyId=alias)["KeyMetadata"]
        assert (made["KeySpec"], made["KeyState"]) == ("ECC_NIST_P384", "Enabled")
    finally:
        change.restore(workshop, saved)
    assert kms.describe_key(KeyId=made["Arn"])["KeyMetadata"]["KeyState"] == "PendingDeletion"


def test_a_left_grant_is_for_whom_it_says_and_the_policy_is_what_it_was(workshop: Workshop) -> None:
    change = StandingGrant(S3, Persona.OUTSIDER, "Decrypt")
    kms, key = workshop.owner("kms"), workshop.outputs.key_s3
    policy = kms.get_key_policy(KeyId=key, PolicyName="default")["Policy"]
    saved = change.save(workshop)
    try:
        change.apply(workshop, saved)
        (grant,) = [one for one in kms.list_grants(KeyId=key)["Grants"] if one["Name"] == "temporary-access"]
        assert (grant["GranteePrincipal"], grant["Operations"]) == (
            workshop.role_arn(Persona.OUTSIDER),
            ["Decrypt"],
        )
        assert kms.get_key_policy(KeyId=key, PolicyName="default")["Policy"] == policy
    finally:
        change.restore(workshop, saved)


def test_rotation_in_a_template(templates: Templates) -> None:
    properties = templates.resource(S3).properties
    assert Rotation(S3, 2560).in_template(templates)
    assert (properties["EnableKeyRotation"], properties["RotationPeriodInDays"]) == (True, 2560)
    assert Rotation(S3, None).in_template(templates)
    assert not properties.keys() & {"EnableKeyRotation", "RotationPeriodInDays"}


def test_state_and_description_in_a_template(templates: Templates) -> None:
    assert Disabled(MAC).in_template(templates)
    assert Description(MAC, "").in_template(templates)
    properties = templates.resource(MAC).properties
    assert (properties["Enabled"], properties["Description"]) == (False, "")


def test_aliases_in_a_template(templates: Templates) -> None:
    assert Alias(S3, LabOutputs.key_app).in_template(templates)
    assert Alias(SIGNING, None).in_template(templates)
    targets = {one.logical_id: one.properties["TargetKeyId"] for one in templates.of_type("AWS::KMS::Alias")}
    assert targets["S3Alias"] == {"Ref": "App"}
    assert "SigningAlias" not in targets


def test_a_new_key_in_a_template_leaves_it_to_iam(templates: Templates) -> None:
    assert Replaced(SIGNING, KeySpec="ECC_NIST_P384").in_template(templates)
    made = templates.resource("NewKey")
    (statement,) = made.properties["KeyPolicy"]["Statement"]
    account = {"AWS": {"Fn::Sub": "arn:${AWS::Partition}:iam::${AWS::AccountId}:root"}}
    assert (statement["Action"], statement["Principal"]) == (["kms:*"], account)
    assert made.properties["KeySpec"] == "ECC_NIST_P384"
    assert templates.resource("SigningAlias").properties["TargetKeyId"] == {"Ref": "NewKey"}


@pytest.mark.parametrize("change", [Doomed(MAC), StandingGrant(S3, Persona.OUTSIDER, "Decrypt")])
def test_what_templates_do_not_hold(templates: Templates, change: Change) -> None:
    before = templates.copy().by_stack
    assert not change.in_template(templates)
    assert templates.by_stack == before
