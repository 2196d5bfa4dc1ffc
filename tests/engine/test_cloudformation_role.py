"""CloudFormation acts as its execution role: what AWS would refuse that role fails the deployment here."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

import pytest

from tests.engine.conftest import Engine, allow, policy, principal_allow, refused
from tests.engine.stacks import (
    CAPABILITIES,
    attribute,
    create,
    delete,
    deployed,
    execution_role,
    outputs,
    reasons,
    ref,
    resource,
    status,
    template,
    update,
)

if TYPE_CHECKING:
    from collections.abc import Callable

ZONE = {"Fn::Select": [0, {"Fn::GetAZs": ""}]}
ADMINISTER = (
    *(
        "kms:Create*",
        "kms:Describe*",
        "kms:Enable*",
        "kms:Disable*",
        "kms:Put*",
        "kms:Update*",
        "kms:TagResource",
    ),
    *("kms:UntagResource", "kms:ScheduleKeyDeletion", "kms:GetKeyPolicy"),
)


@pytest.fixture
def role(engine: Engine) -> str:
    return execution_role(engine)


def document(*statements: dict[str, Any]) -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads(policy(*statements))
    return parsed


def key(*statements: dict[str, Any], **properties: Any) -> dict[str, Any]:
    return resource("AWS::KMS::Key", KeyPolicy=document(*statements), PendingWindowInDays=7, **properties)


def user_of_the_key(engine: Engine, role: str, *actions: str) -> dict[str, Any]:
    """Administration for a role through the account principal, as the lab's key policies have it."""
    return engine.account_statement(*ADMINISTER, *actions, ArnEquals={"aws:PrincipalArn": role})


def test_the_role_owns_what_it_makes_in_the_trail(engine: Engine, role: str) -> None:
    with deployed(
        engine, template({"Key": attribute("Key")}, Key=key(engine.account_statement())), role=role
    ) as name:
        arn = outputs(engine, name)["Key"]
        wanted = [{"AttributeKey": "ResourceName", "AttributeValue": arn}]
        found = engine.client("cloudtrail").lookup_events(LookupAttributes=wanted)["Events"]
        event = next(json.loads(e["CloudTrailEvent"]) for e in found if e["EventName"] == "CreateKey")
        assert event["userIdentity"]["sessionContext"]["sessionIssuer"]["arn"] == role
        assert event["userIdentity"]["invokedBy"] == "cloudformation.amazonaws.com"


def test_a_key_policy_for_the_role_alone_is_accepted(engine: Engine, role: str) -> None:
    with (
        deployed(
            engine, template({"Key": ref("Key")}, Key=key(user_of_the_key(engine, role))), role=role
        ) as name,
        refused("AccessDeniedException", "no resource-based policy"),
    ):
        engine.client("kms").describe_key(KeyId=outputs(engine, name)["Key"])


def test_a_key_policy_that_locks_the_role_out_fails_the_deployment(engine: Engine, role: str) -> None:
    other = user_of_the_key(engine, f"arn:aws:iam::{engine.account}:role/somebody-else")
    name = create(engine, template(Key=key(other)), role=role)
    assert status(engine, name) == "ROLLBACK_COMPLETE"
    assert "MalformedPolicyDocumentException" in reasons(engine, name)["Key"]
    assert (
        "lockout" in reasons(engine, name)["Key"].lower()
        or "update the key policy" in reasons(engine, name)["Key"]
    )
    delete(engine, name)


def test_an_update_to_a_policy_that_locks_out_is_rolled_back(engine: Engine, role: str) -> None:
    good = user_of_the_key(engine, role)
    with deployed(engine, template({"Key": ref("Key")}, Key=key(good, Description="one")), role=role) as name:
        bad = principal_allow(f"arn:aws:iam::{engine.account}:root", "kms:Describe*")
        assert (
            update(engine, name, template({"Key": ref("Key")}, Key=key(bad, Description="two")))
            == "UPDATE_ROLLBACK_COMPLETE"
        )
        assert "MalformedPolicyDocumentException" in reasons(engine, name)["Key"]


def test_a_role_without_kms_makes_no_key(engine: Engine) -> None:
    limited = execution_role(engine, allow("s3:*", "iam:*"))
    name = create(engine, template(Key=key(engine.account_statement())), role=limited)
    assert status(engine, name) == "ROLLBACK_COMPLETE"
    assert "kms:CreateKey" in reasons(engine, name)["Key"]
    assert limited.rsplit("/", 1)[-1] in reasons(engine, name)["Key"]
    delete(engine, name)


def volume(key_id: Any) -> dict[str, Any]:
    return resource("AWS::EC2::Volume", AvailabilityZone=ZONE, Size=1, Encrypted=True, KmsKeyId=key_id)


def secret(key_id: Any) -> dict[str, Any]:
    return resource("AWS::SecretsManager::Secret", KmsKeyId=key_id, GenerateSecretString={})


@pytest.mark.parametrize(
    ("make", "needed", "lacking"),
    [
        (
            volume,
            ("kms:GenerateDataKeyWithoutPlaintext", "kms:CreateGrant"),
            "kms:GenerateDataKeyWithoutPlaintext",
        ),
        (secret, ("kms:GenerateDataKey", "kms:Decrypt"), "Access to KMS is not allowed"),
    ],
)
def test_what_a_service_does_at_creation_it_does_as_the_role(
    engine: Engine, role: str, make: Callable[[Any], dict[str, Any]], needed: tuple[str, ...], lacking: str
) -> None:
    enough = template(Key=key(user_of_the_key(engine, role, *needed)), Thing=make(attribute("Key")))
    with deployed(engine, enough, role=role):
        pass
    name = create(
        engine, template(Key=key(user_of_the_key(engine, role)), Thing=make(attribute("Key"))), role=role
    )
    assert status(engine, name) == "ROLLBACK_COMPLETE"
    assert lacking in reasons(engine, name)["Thing"]
    delete(engine, name)


def test_a_dynamic_reference_is_decrypted_as_the_role(engine: Engine, role: str) -> None:
    made = engine.client("secretsmanager").create_secret(
        Name=uuid.uuid4().hex, SecretString="Long enough, 1", KmsKeyId=engine.key(engine.account_statement())
    )
    profile = {"Password": f"{{{{resolve:secretsmanager:{made['ARN']}}}}}"}
    body = template(User=resource("AWS::IAM::User", LoginProfile=profile))
    with deployed(engine, body, role=role):
        pass
    blind = execution_role(engine, allow("*"), {"Effect": "Deny", "Action": "kms:Decrypt", "Resource": "*"})
    name = create(engine, body, role=blind)
    assert status(engine, name) == "ROLLBACK_COMPLETE"
    assert "Access to KMS is not allowed" in reasons(engine, name)["User"]
    delete(engine, name)


def test_a_rolled_back_key_is_scheduled_for_deletion(engine: Engine, role: str) -> None:
    body = template(
        Key=key(engine.account_statement()),
        Alias=resource("AWS::KMS::Alias", AliasName="alias/aws/reserved", TargetKeyId=ref("Key")),
    )
    name = create(engine, body, role=role)
    assert status(engine, name) == "ROLLBACK_COMPLETE"
    events = engine.client("cloudformation").describe_stack_events(StackName=name)["StackEvents"]
    made = {
        e["PhysicalResourceId"] for e in events if e["LogicalResourceId"] == "Key" and e["PhysicalResourceId"]
    }
    shown = engine.client("kms").describe_key(KeyId=made.pop())["KeyMetadata"]
    assert shown["KeyState"] == "PendingDeletion"
    delete(engine, name)


def test_the_stack_keeps_its_role(engine: Engine, role: str) -> None:
    body = template({"Key": ref("Key")}, Key=key(user_of_the_key(engine, role)))
    name = create(engine, body, role=role)
    assert engine.client("cloudformation").describe_stacks(StackName=name)["Stacks"][0]["RoleARN"] == role
    body["Resources"]["Key"]["Properties"]["Description"] = "changed"
    assert update(engine, name, body) == "UPDATE_COMPLETE"
    assert delete(engine, name) == "DELETE_COMPLETE"


def test_a_change_set_is_executed_as_its_role(engine: Engine, role: str) -> None:
    cloudformation, name = engine.client("cloudformation"), f"stack-{uuid.uuid4().hex[:10]}"
    given = {"StackName": name, "ChangeSetName": "first"}
    cloudformation.create_change_set(
        **given,
        ChangeSetType="CREATE",
        RoleARN=role,
        TemplateBody=json.dumps(template(Key=key(user_of_the_key(engine, role)))),
        Capabilities=CAPABILITIES,
    )
    cloudformation.execute_change_set(**given)
    assert status(engine, name) == "CREATE_COMPLETE", reasons(engine, name)
    assert delete(engine, name) == "DELETE_COMPLETE"


def test_without_a_role_the_caller_is_who_acts(engine: Engine) -> None:
    caller = engine.role(allow("cloudformation:*"))
    name = f"stack-{uuid.uuid4().hex[:10]}"
    body = template(Key=key(engine.account_statement()))
    engine.client("cloudformation", caller).create_stack(StackName=name, TemplateBody=json.dumps(body))
    assert status(engine, name) == "ROLLBACK_COMPLETE"
    assert (
        f"assumed-role/{caller.name}/test is not authorized to perform: kms:CreateKey"
        in reasons(engine, name)["Key"]
    )
    delete(engine, name)


def test_only_who_may_pass_the_role_can_use_it(engine: Engine, role: str) -> None:
    body = json.dumps(template(Key=key(engine.account_statement())))
    given = {"StackName": f"stack-{uuid.uuid4().hex[:10]}", "TemplateBody": body, "RoleARN": role}
    caller = engine.role(allow("cloudformation:*"))
    with refused("AccessDenied", "iam:PassRole", role):
        engine.client("cloudformation", caller).create_stack(**given)
    to_cloudformation = {"StringEquals": {"iam:PassedToService": "cloudformation.amazonaws.com"}}
    passing = engine.role(allow("cloudformation:*"), allow("iam:PassRole", Condition=to_cloudformation))
    engine.client("cloudformation", passing).create_stack(**given)
    assert status(engine, given["StackName"]) == "CREATE_COMPLETE"
    delete(engine, given["StackName"])


@pytest.mark.parametrize("which", ["missing", "distrustful"])
def test_a_role_that_cloudformation_cannot_assume_is_refused(engine: Engine, which: str) -> None:
    arn = f"arn:aws:iam::{engine.account}:role/missing" if which == "missing" else engine.role(allow("*")).arn
    with refused("ValidationError", "cannot be assumed"):
        create(engine, template(Key=key(engine.account_statement())), role=arn)
