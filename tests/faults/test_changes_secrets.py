"""What can be changed about secrets and the SecureString: in templates, and on the deployed lab."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from kmslab.faults.changes.secrets import SecretDeletion, SecretKey, SecretPolicy, SecureString
from kmslab.faults.changes.statements import drop
from kmslab.model.naming import secure_string_name
from kmslab.model.outputs import LabOutputs
from tests.faults.on_the_lab import breaks_and_puts_back, open_workshop

if TYPE_CHECKING:
    from kmslab.faults.change import Change
    from kmslab.faults.templates import Templates
    from kmslab.faults.workshop import Workshop
    from tests.conftest import DeployedLab

APP, POLICY = LabOutputs.app_secret, "AWS::SecretsManager::ResourcePolicy"


def test_a_secret_names_no_key_in_a_template(templates: Templates) -> None:
    assert SecretKey(APP).in_template(templates)
    assert "KmsKeyId" not in templates.resource(APP).properties


def test_the_policy_in_a_template(templates: Templates) -> None:
    assert SecretPolicy(drop("NobodyElseReads")).in_template(templates)
    policy = templates.about(APP, POLICY, "SecretId").properties["ResourcePolicy"]
    assert [one["Sid"] for one in policy["Statement"]] == ["TheDataOwnerReads"]


def test_no_policy_in_a_template(templates: Templates) -> None:
    assert SecretPolicy().in_template(templates)
    assert templates.of_type(POLICY) == []


@pytest.mark.parametrize("change", [SecretKey(APP, "foreign"), SecretDeletion(APP), SecureString("String")])
def test_what_templates_do_not_hold(templates: Templates, change: Change) -> None:
    before = templates.copy().by_stack
    assert not change.in_template(templates)
    assert templates.by_stack == before


@pytest.fixture(scope="module")
def workshop(deployed_lab: DeployedLab) -> Workshop:
    return open_workshop(deployed_lab)


def look(workshop: Workshop) -> Any:
    """Keys, states and policy of the secret, and what the SecureString is; no value is read."""
    manager, secret = workshop.client("secretsmanager"), workshop.outputs.app_secret
    described = manager.describe_secret(SecretId=secret)
    policy = manager.get_resource_policy(SecretId=secret).get("ResourcePolicy")
    wanted = [{"Key": "Name", "Option": "Equals", "Values": [secure_string_name(workshop.prefix)]}]
    (found,) = workshop.client("ssm").describe_parameters(ParameterFilters=wanted)["Parameters"]
    return (
        described["KmsKeyId"],
        "DeletedDate" in described,
        policy and json.loads(policy),
        (found["Type"], found.get("KeyId"), found["Description"]),
    )


CHANGES: dict[str, Change] = {
    "managed key": SecretKey(APP),
    "foreign key": SecretKey(APP, "foreign"),
    "policy": SecretPolicy(drop("NobodyElseReads")),
    "no policy": SecretPolicy(),
    "deletion": SecretDeletion(APP),
    "string": SecureString("String"),
    "managed SecureString": SecureString("SecureString", managed_key=True),
}


@pytest.mark.parametrize("what", CHANGES)
def test_it_breaks_and_is_put_back(workshop: Workshop, what: str) -> None:
    breaks_and_puts_back(workshop, CHANGES[what], look)


def test_nothing_secret_is_saved(workshop: Workshop) -> None:
    name = secure_string_name(workshop.prefix)
    value = workshop.client("ssm").get_parameter(Name=name)["Parameter"]["Value"]
    saved = SecureString("String").save(workshop)
    assert saved.keys() == {"Description", "KeyId", "Type"}
    assert value not in json.dumps(saved)
