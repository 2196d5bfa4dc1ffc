"""What can be changed about identities and their policies: in templates, and on the deployed lab."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from kmslab.faults.changes.identity import (
    ADMIN,
    ADMINISTRATORS,
    AWS_POLICY,
    AdminAccessKey,
    AdminBoundary,
    AdminInNoGroup,
    Attached,
    Detached,
    InlinePolicy,
    PasswordKept,
    SecondAdministrator,
    role_of,
)
from kmslab.faults.changes.policies import ManagedPolicy, RoleTrust, allow, persona_policy
from kmslab.faults.changes.statements import drop
from kmslab.model.outputs import LabOutputs
from kmslab.model.persona import Persona
from tests.faults.on_the_lab import breaks_and_puts_back, open_workshop

if TYPE_CHECKING:
    from kmslab.faults.change import Change
    from kmslab.faults.templates import Templates
    from kmslab.faults.workshop import Workshop
    from tests.conftest import DeployedLab

SIGNER = Persona.SIGNER
CHANGES: dict[str, Change] = {
    "trust": RoleTrust(SIGNER, drop("BecomeThisPersona")),
    "managed policy": persona_policy(SIGNER, drop("Sign")),
    "boundary edited": ManagedPolicy("AdminBoundaryPolicy", drop("NoCredentialsOfOthers")),
    "inline policy of a role": InlinePolicy(role_of(SIGNER), allow("All", "s3:*")),
    "inline policy of the user": InlinePolicy(ADMIN, allow("All", "s3:*")),
    "policy attached to a role": Attached(role_of(SIGNER), f"{AWS_POLICY}PowerUserAccess"),
    "policy attached to the user": Attached(ADMIN, f"{AWS_POLICY}PowerUserAccess"),
    "policy detached from the group": Detached(ADMINISTRATORS, "RequireMfa"),
    "no boundary": AdminBoundary(),
    "another boundary": AdminBoundary(f"{AWS_POLICY}AdministratorAccess"),
    "no group": AdminInNoGroup(),
    "password kept": PasswordKept(),
    "access key": AdminAccessKey(),
    "second administrator": SecondAdministrator(),
}


@pytest.fixture(scope="module")
def workshop(deployed_lab: DeployedLab) -> Workshop:
    return open_workshop(deployed_lab)


def _attached(holder: Any) -> list[str]:
    return sorted(policy["PolicyArn"] for policy in holder["AttachedManagedPolicies"])


def look(workshop: Workshop) -> Any:
    """Everything of the account's users, groups, roles and their policies, but ids of versions and dates."""
    iam = workshop.client("iam")
    found: dict[str, Any] = {}
    for page in iam.get_paginator("get_account_authorization_details").paginate(
        Filter=["User", "Group", "Role", "LocalManagedPolicy"]
    ):
        for user in page["UserDetailList"]:
            keys = iam.list_access_keys(UserName=user["UserName"])["AccessKeyMetadata"]
            found[user["Arn"]] = (
                user.get("GroupList"),
                user.get("UserPolicyList", []),
                _attached(user),
                user.get("PermissionsBoundary"),
                sorted(key["AccessKeyId"] for key in keys),
            )
        for group in page["GroupDetailList"]:
            found[group["Arn"]] = (group.get("GroupPolicyList", []), _attached(group))
        for role in page["RoleDetailList"]:
            found[role["Arn"]] = (
                role["AssumeRolePolicyDocument"],
                role.get("RolePolicyList", []),
                _attached(role),
            )
        for policy in page["Policies"]:
            versions = policy["PolicyVersionList"]
            found[policy["Arn"]] = (
                [one["Document"] for one in versions if one["VersionId"] == policy["DefaultVersionId"]],
                len(versions),
            )
    profile = iam.get_login_profile(UserName=workshop.outputs.admin_user)["LoginProfile"]
    return found, profile["PasswordResetRequired"]


@pytest.mark.parametrize("what", CHANGES)
def test_it_breaks_and_is_put_back(workshop: Workshop, what: str) -> None:
    breaks_and_puts_back(workshop, CHANGES[what], look)


def test_the_admin_user_in_a_template(templates: Templates) -> None:
    user = templates.resource(LabOutputs.admin_user).properties
    assert AdminBoundary(f"{AWS_POLICY}AdministratorAccess").in_template(templates)
    assert user["PermissionsBoundary"] == {
        "Fn::Sub": "arn:${AWS::Partition}:iam::aws:policy/AdministratorAccess"
    }
    assert AdminBoundary().in_template(templates)
    assert AdminInNoGroup().in_template(templates)
    assert PasswordKept().in_template(templates)
    assert not user.keys() & {"PermissionsBoundary", "Groups"}
    assert user["LoginProfile"]["PasswordResetRequired"] is False


def test_new_things_in_a_template(templates: Templates) -> None:
    assert AdminAccessKey().in_template(templates)
    assert SecondAdministrator().in_template(templates)
    (key,) = templates.of_type("AWS::IAM::AccessKey")
    assert key.properties == {"UserName": {"Ref": "User"}}
    users = {one.logical_id: one.properties["Groups"] for one in templates.of_type("AWS::IAM::User")}
    assert users == {"User": [{"Ref": "Administrators"}], "Contractor": [{"Ref": "Administrators"}]}


def test_policies_of_their_own_in_a_template(templates: Templates) -> None:
    for holder in (ADMIN, role_of(SIGNER)):
        assert InlinePolicy(holder, allow("All", "s3:*")).in_template(templates)
        assert Attached(holder, f"{AWS_POLICY}PowerUserAccess").in_template(templates)
        properties = holder.resource(templates).properties
        (inline,) = properties["Policies"]
        assert [one["Sid"] for one in inline["PolicyDocument"]["Statement"]] == ["All"]
        assert properties["ManagedPolicyArns"] == [
            {"Fn::Sub": "arn:${AWS::Partition}:iam::aws:policy/PowerUserAccess"}
        ]
    group = ADMINISTRATORS.resource(templates).properties
    assert {"Ref": "RequireMfa"} in group["ManagedPolicyArns"]
    assert Detached(ADMINISTRATORS, "RequireMfa").in_template(templates)
    assert {"Ref": "RequireMfa"} not in group["ManagedPolicyArns"]
