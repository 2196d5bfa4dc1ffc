"""The lab deployed, changed and deleted on the engine by the least-privilege role, and what that role may not do.

The engine asks KMS about every call of CloudFormation's role: identity policies, boundary and key policies decide
together. Of other services it asks KMS on the role's behalf. Whether their own permissions suffice, the evaluator
of test_policies.py says.
"""

from __future__ import annotations

import copy
import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from kmslab.model.naming import stack_name
from kmslab.model.outputs import LabStack
from kmslab.toolchain import cdk_script
from tests.bootstrap.policies import FILE, PREFIX, template
from tests.engine.stacks import (
    CAPABILITIES,
    ORDER,
    attribute,
    create,
    delete,
    deployed_lab,
    outputs,
    publish_functions,
    reasons,
    ref,
    resource,
    status,
    update,
)
from tests.engine.stacks import template as template_of
from tests.stacks.conftest import PROJECT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.engine.conftest import Engine
    from tests.stacks.template import Assembly

KEY_POLICIES = "kms-lab-execution-keys"
TAGS = [{"Key": "kmslab:prefix", "Value": PREFIX}]


@pytest.fixture(scope="module")
def role(engine: Engine, bounded: Assembly) -> str:
    """CloudFormation's role of the CDK's own bootstrap template, with our policies and boundary."""
    create_from_text(engine, "least-privilege", FILE.read_text(encoding="utf-8"))
    made = outputs(engine, "least-privilege")
    file = cdk_script(PROJECT).parents[1] / "lib" / "api" / "bootstrap" / "bootstrap-template.yaml"
    create_from_text(
        engine,
        "CDKToolkit",
        file.read_text(encoding="utf-8"),
        FileAssetsBucketKmsKeyId="AWS_MANAGED_KEY",
        CloudFormationExecutionPolicies=made["ExecutionPolicies"],
        InputPermissionsBoundary=made["BoundaryName"],
    )
    publish_functions(engine, bounded.folder, outputs(engine, "CDKToolkit")["BucketName"])
    return f"arn:aws:iam::{engine.account}:role/cdk-hnb659fds-cfn-exec-role-{engine.account}-{engine.region}"


def create_from_text(engine: Engine, name: str, text: str, **parameters: str) -> None:
    """Create a stack of a template in YAML, and expect that it succeeds."""
    engine.client("cloudformation").create_stack(
        StackName=name,
        TemplateBody=text,
        Capabilities=CAPABILITIES,
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
    )
    assert status(engine, name) == "CREATE_COMPLETE", reasons(engine, name)


@pytest.fixture(scope="module")
def lab(engine: Engine, role: str, bounded: Assembly) -> Iterator[dict[LabStack, str]]:
    """Every stack, deployed by the role; deleted by it at the end."""
    templates = {stack: bounded.template(stack) for stack in ORDER}
    with deployed_lab(engine, templates, prefix=PREFIX, role=role, Tags=TAGS) as names:
        yield names


def changed(body: dict[str, Any]) -> dict[str, Any]:
    """The template with another description, key policy, trust policy or size in every resource that has one."""
    body = copy.deepcopy(body)
    for one in body["Resources"].values():
        properties = one["Properties"]
        if "Description" in properties and one["Type"] != "AWS::IAM::ManagedPolicy":  # there it replaces
            properties["Description"] = "changed"
        if "KeyPolicy" in properties:
            properties["KeyPolicy"]["Statement"].pop()
        if "AssumeRolePolicyDocument" in properties:
            properties["AssumeRolePolicyDocument"]["Statement"][0]["Sid"] = "Changed"
        if one["Type"] == "AWS::EC2::Volume":
            properties["Size"] += 1
        if one["Type"] == "AWS::EC2::VPC":
            properties["Tags"].append({"Key": "Changed", "Value": "yes"})
    return body


def test_the_role_has_our_policies_and_boundary(engine: Engine, role: str) -> None:
    iam, name = engine.client("iam"), role.rsplit("/", 1)[-1]
    attached = iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]
    named = template()["Resources"].values()
    wanted = {one["Properties"]["ManagedPolicyName"]["Fn::Sub"].replace("${Name}", PREFIX) for one in named}
    assert {one["PolicyName"] for one in attached} == wanted - {"kms-lab-boundary"}
    bounds = iam.get_role(RoleName=name)["Role"]["PermissionsBoundary"]["PermissionsBoundaryArn"]
    assert bounds == f"arn:aws:iam::{engine.account}:policy/kms-lab-boundary"


def test_everybody_whom_the_lab_makes_has_the_boundary(engine: Engine, lab: dict[LabStack, str]) -> None:
    details = engine.client("iam").get_account_authorization_details(Filter=["User", "Role"])
    made = [
        one
        for one in [*details["UserDetailList"], *details["RoleDetailList"]]
        if one.get("UserName") == "kenya-one" or one.get("RoleName", "").startswith(f"{PREFIX}-")
    ]
    boundary = f"arn:aws:iam::{engine.account}:policy/kms-lab-boundary"
    assert len(made) == 1 + 7 + 2 + 1  # the admin user, the personas, CDK's functions, the schedules
    assert {one["PermissionsBoundary"]["PermissionsBoundaryArn"] for one in made} == {boundary}
    assert outputs(engine, lab[LabStack.IDENTITY])["AdminBoundary"] == boundary


@pytest.mark.parametrize("stack", ORDER)
def test_the_role_updates_every_stack(
    engine: Engine, lab: dict[LabStack, str], bounded: Assembly, stack: LabStack
) -> None:
    """The fixture asserts that it creates and deletes them."""
    assert update(engine, lab[stack], changed(bounded.template(stack))) == "UPDATE_COMPLETE", reasons(
        engine, lab[stack]
    )
    assert update(engine, lab[stack], bounded.template(stack)) == "UPDATE_COMPLETE", reasons(
        engine, lab[stack]
    )


@contextmanager
def lacking(engine: Engine, action: str) -> Iterator[None]:
    """Take one action out of the role's policies for keys."""
    iam, arn = engine.client("iam"), f"arn:aws:iam::{engine.account}:policy/{KEY_POLICIES}"
    before = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
    document = iam.get_policy_version(PolicyArn=arn, VersionId=before)["PolicyVersion"]["Document"]
    document = copy.deepcopy(json.loads(document) if isinstance(document, str) else document)
    taken = 0
    for statement in document["Statement"]:
        if statement["Effect"] == "Deny":
            continue
        listed = [statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"]
        statement["Action"] = [one for one in listed if one != action]
        taken += len(listed) - len(statement["Action"])
    assert taken, f"{action} is not in the policy"
    document["Statement"] = [one for one in document["Statement"] if one["Action"]]
    version = iam.create_policy_version(
        PolicyArn=arn, PolicyDocument=json.dumps(document), SetAsDefault=True
    )["PolicyVersion"]["VersionId"]
    try:
        yield
    finally:
        iam.set_default_policy_version(PolicyArn=arn, VersionId=before)
        iam.delete_policy_version(PolicyArn=arn, VersionId=version)


@pytest.mark.parametrize(
    ("action", "stack"),
    [
        ("kms:CreateKey", LabStack.KEYS),
        ("kms:TagResource", LabStack.KEYS),
        ("kms:EnableKeyRotation", LabStack.KEYS),
        ("kms:CreateAlias", LabStack.KEYS),
        ("kms:GenerateDataKeyWithoutPlaintext", LabStack.VOLUMES),
        ("kms:CreateGrant", LabStack.VOLUMES),
        ("kms:GenerateDataKey", LabStack.SECRETS),
    ],
)
def test_without_a_needed_action_the_deployment_fails(
    engine: Engine, role: str, lab: dict[LabStack, str], bounded: Assembly, action: str, stack: LabStack
) -> None:
    """Of each stack the resources that the action is for, beside the lab, whose keys they are under."""
    named = {LabStack.KEYS: "App", LabStack.VOLUMES: "Data1", LabStack.SECRETS: "App"}[stack]
    wanted = {named: bounded.template(stack)["Resources"][named]}
    if stack is LabStack.KEYS:
        alias = {"AliasName": f"alias/{PREFIX}/beside-the-lab", "TargetKeyId": ref(named)}
        wanted["Alias"] = resource("AWS::KMS::Alias", **alias)
    with lacking(engine, action):
        name = create(engine, template_of(**wanted), role=role, Tags=TAGS)
        assert status(engine, name) == "ROLLBACK_COMPLETE"
        said = " ".join(reasons(engine, name).values())
    # Secrets Manager hides why KMS said no.
    assert action in said or "Access to KMS is not allowed" in said
    assert delete(engine, name) == "DELETE_COMPLETE"
    name = create(engine, template_of(**wanted), role=role, Tags=TAGS)
    assert status(engine, name) == "CREATE_COMPLETE", reasons(engine, name)
    assert delete(engine, name) == "DELETE_COMPLETE"


def test_without_put_key_policy_the_update_fails(
    engine: Engine, lab: dict[LabStack, str], bounded: Assembly
) -> None:
    with lacking(engine, "kms:PutKeyPolicy"):
        after = update(engine, lab[LabStack.KEYS], changed(bounded.template(LabStack.KEYS)))
        # Rolling back puts nothing either: the first refusal stops the update before a policy has changed.
        assert after.startswith("UPDATE_ROLLBACK")
    assert "kms:PutKeyPolicy" in " ".join(reasons(engine, lab[LabStack.KEYS]).values())


def test_without_schedule_key_deletion_the_deletion_fails(engine: Engine, role: str) -> None:
    policy = {
        "Version": "2012-10-17",
        "Statement": [{**engine.account_statement(), "Sid": "DelegatesToIam"}],
    }
    body = template_of({"Key": attribute("Key")}, Key=resource("AWS::KMS::Key", KeyPolicy=policy, Tags=TAGS))
    name = create(engine, body, role=role)
    assert status(engine, name) == "CREATE_COMPLETE", reasons(engine, name)
    with lacking(engine, "kms:ScheduleKeyDeletion"):
        assert delete(engine, name) == "DELETE_FAILED"
    assert delete(engine, name) == "DELETE_COMPLETE"


def test_a_key_without_the_labs_tag_is_refused(engine: Engine, role: str) -> None:
    policy = {"Version": "2012-10-17", "Statement": [engine.account_statement()]}
    name = create(engine, template_of(Key=resource("AWS::KMS::Key", KeyPolicy=policy)), role=role)
    assert status(engine, name) == "ROLLBACK_COMPLETE"
    assert "kms:CreateKey" in reasons(engine, name)["Key"]
    delete(engine, name)


def test_nothing_is_put_under_the_key_of_another(engine: Engine, role: str) -> None:
    """Its policy names who may use it: that the role's own policies allow EBS's calls does not count."""
    theirs = engine.key(engine.own_statement())
    zone = {"Fn::Select": [0, {"Fn::GetAZs": ""}]}
    volume = resource(
        "AWS::EC2::Volume", AvailabilityZone=zone, Size=1, Encrypted=True, KmsKeyId=theirs, Tags=TAGS
    )
    name = create(engine, template_of(Volume=volume), role=role)
    assert status(engine, name) == "ROLLBACK_COMPLETE"
    assert "because no resource-based policy allows" in reasons(engine, name)["Volume"]
    delete(engine, name)


def test_an_alias_that_is_not_the_labs_is_refused(engine: Engine, role: str) -> None:
    key = engine.key(engine.account_statement())
    body = template_of(Alias=resource("AWS::KMS::Alias", AliasName="alias/others/app", TargetKeyId=key))
    name = create(engine, body, role=role)
    assert status(engine, name) == "ROLLBACK_COMPLETE"
    assert "kms:CreateAlias" in reasons(engine, name)["Alias"]
    delete(engine, name)


SECOND = f"{PREFIX}-b"


def of_the_second(body: dict[str, Any]) -> dict[str, Any]:
    """The templates of a lab with another prefix and admin user, under the same boundary."""
    kept = json.dumps(body).replace(f"{PREFIX}-boundary", "<boundary>")
    named = kept.replace(PREFIX, SECOND).replace("kenya-one", "kenya-two")
    read: dict[str, Any] = json.loads(named.replace("<boundary>", f"{PREFIX}-boundary"))
    return read


@contextmanager
def served(engine: Engine, **parameters: str) -> Iterator[None]:
    """Update the policies, as the account's administrator; put them back."""

    def update_to(given: dict[str, str]) -> None:
        engine.client("cloudformation").update_stack(
            StackName="least-privilege",
            TemplateBody=FILE.read_text(encoding="utf-8"),
            Capabilities=CAPABILITIES,
            Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in given.items()],
        )
        assert status(engine, "least-privilege") == "UPDATE_COMPLETE", reasons(engine, "least-privilege")

    update_to(parameters)
    try:
        yield
    finally:
        update_to({})


def test_a_second_lab_is_deployed_beside_the_first_where_it_is_served(
    engine: Engine, role: str, lab: dict[LabStack, str], bounded: Assembly
) -> None:
    before = {one: status(engine, one) for one in lab.values()}
    tags = [{"Key": "kmslab:prefix", "Value": SECOND}]
    keys = of_the_second(bounded.template(LabStack.KEYS))
    name = create(engine, keys, name=stack_name(SECOND, LabStack.KEYS), role=role, Tags=tags)
    assert status(engine, name) == "ROLLBACK_COMPLETE", "one prefix is served unless more are asked for"
    assert delete(engine, name) == "DELETE_COMPLETE"
    templates = {stack: of_the_second(bounded.template(stack)) for stack in ORDER}
    with (
        served(engine, Prefix=f"{PREFIX}*", AdminUser="kenya-*"),
        deployed_lab(engine, templates, prefix=SECOND, role=role, Tags=tags),
    ):
        assert {one: status(engine, one) for one in lab.values()} == before
        stranger = json.loads(json.dumps(keys).replace(SECOND, "team-c"))
        name = create(
            engine,
            stranger,
            name="team-c-keys",
            role=role,
            Tags=[{"Key": "kmslab:prefix", "Value": "team-c"}],
        )
        assert status(engine, name) == "ROLLBACK_COMPLETE", "another beginning is another's"
        assert delete(engine, name) == "DELETE_COMPLETE"
