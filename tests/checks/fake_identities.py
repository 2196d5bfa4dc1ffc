"""Users, groups and roles for the fake world, and IAM's simulator."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from kmslab.model.persona import ROLES, Persona
from tests.checks.fakes import (
    ACCOUNT,
    OUTPUTS,
    PREFIX,
    Request,
    Statement,
    World,
    key_arn,
    policy_document,
    role_arn,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

BOUNDARY: list[Statement] = [
    {"Effect": "Allow", "Action": "*", "Resource": "*"},
    {
        "Effect": "Deny",
        "Action": ["iam:CreatePolicyVersion", "iam:Delete*", "iam:SetDefaultPolicyVersion"],
        "Resource": [OUTPUTS.admin_boundary],
    },
    {"Effect": "Deny", "Action": "iam:DeleteUserPermissionsBoundary", "Resource": "*"},
    {
        "Effect": "Deny",
        "Action": "iam:PutUserPermissionsBoundary",
        "Resource": "*",
        "Condition": {"StringNotEquals": {"iam:PermissionsBoundary": OUTPUTS.admin_boundary}},
    },
]
NO_MFA: Statement = {
    "Effect": "Deny",
    "NotAction": [
        "iam:ChangePassword",
        "iam:CreateVirtualMFADevice",
        "iam:EnableMFADevice",
        "iam:GetAccountPasswordPolicy",
        "iam:GetMFADevice",
        "iam:GetUser",
        "iam:ListMFADevices",
        "iam:ListVirtualMFADevices",
        "iam:ResyncMFADevice",
    ],
    "Resource": "*",
    "Condition": {"BoolIfExists": {"aws:MultiFactorAuthPresent": "false"}},
}
TRUST: Statement = {
    "Effect": "Allow",
    "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
    "Action": "sts:AssumeRole",
    "Condition": {"ArnNotEquals": {"aws:PrincipalArn": [role_arn(persona) for persona in ROLES]}},
}
ADMINISTRATOR_ACCESS = "arn:aws:iam::aws:policy/AdministratorAccess"
MFA_POLICY = f"arn:aws:iam::{ACCOUNT}:policy/mfa"
PERSONA_POLICY = f"arn:aws:iam::{ACCOUNT}:policy/persona"


def policies(world: World, **documents: list[Statement]) -> World:
    """Say what managed policies hold: ``boundary``, ``mfa``, ``persona``."""
    arns = {"boundary": OUTPUTS.admin_boundary, "mfa": MFA_POLICY, "persona": PERSONA_POLICY}
    for name, statements in documents.items():
        answer = {"PolicyVersion": {"Document": policy_document(*statements), "VersionId": "v1"}}
        world.answers("iam:GetPolicyVersion", answer, when=partial(_is_policy, arns[name]))
    return world


def _is_policy(arn: str, request: Request) -> bool:
    return bool(request["PolicyArn"] == arn)


def is_outsider(request: Request) -> bool:
    """Whether a request is about the outsider's role."""
    return bool(request["RoleName"] == f"{PREFIX}-outsider")


def identities(world: World) -> None:
    user = {
        "Path": "/",
        "UserName": "kenya-one",
        "UserId": "AIDA",
        "Arn": f"arn:aws:iam::{ACCOUNT}:user/kenya-one",
        "CreateDate": "2026-11-21",
        "PermissionsBoundary": {"PermissionsBoundaryArn": OUTPUTS.admin_boundary},
    }
    world.answers("iam:GetUser", {"User": user})
    world.answers("iam:ListAccessKeys", {"AccessKeyMetadata": []})
    world.answers("iam:ListAttachedUserPolicies", {"AttachedPolicies": []})
    world.answers("iam:ListUserPolicies", {"PolicyNames": []})
    world.answers("iam:ListGroupsForUser", {"Groups": [{"GroupName": "admins"}]})
    group = [
        {"PolicyName": "AdministratorAccess", "PolicyArn": ADMINISTRATOR_ACCESS},
        {"PolicyName": "mfa", "PolicyArn": MFA_POLICY},
    ]
    world.answers("iam:ListAttachedGroupPolicies", {"AttachedPolicies": group})
    world.answers("iam:ListGroupPolicies", {"PolicyNames": []})
    world.answers("iam:GetPolicy", {"Policy": {"DefaultVersionId": "v1"}})
    everything = {"PolicyVersion": {"Document": policy_document(BOUNDARY[0])}}
    world.answers("iam:GetPolicyVersion", everything)
    decrypt = {"Effect": "Allow", "Action": "kms:Decrypt", "Resource": key_arn("app")}
    policies(world, boundary=BOUNDARY, mfa=[NO_MFA], persona=[decrypt])
    world.answers("iam:GetLoginProfile", {"LoginProfile": {"PasswordResetRequired": True}})
    world.answers("secretsmanager:DescribeSecret", {"KmsKeyId": key_arn("secrets")})
    world.answers("iam:GetGroup", {"Group": {"GroupName": "admins"}, "Users": [{"UserName": "kenya-one"}]})
    world.answers("iam:GetRole", {"Role": {"AssumeRolePolicyDocument": policy_document(TRUST)}})
    persona = [{"PolicyName": "persona", "PolicyArn": PERSONA_POLICY}]
    world.answers("iam:ListAttachedRolePolicies", {"AttachedPolicies": persona})
    world.answers("iam:ListAttachedRolePolicies", {"AttachedPolicies": []}, when=is_outsider)
    world.answers("iam:ListRolePolicies", {"PolicyNames": []})
    world.answers("iam:SimulatePrincipalPolicy", simulate)
    world.answers(
        "sts:GetCallerIdentity",
        lambda request: {"Arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/{PREFIX}-{request.persona}/kmslab"},
    )
    world.answers("sts:AssumeRole", {}).refuses("sts:AssumeRole", *ROLES, code="AccessDenied")
    for action in ("kms:ListKeys", "s3:ListBuckets", "iam:ListUsers", "secretsmanager:ListSecrets"):
        world.answers(action, {}).refuses(action, Persona.OUTSIDER)


def simulate(request: Request) -> Mapping[str, Any]:
    """IAM's simulator: all is allowed with MFA, but not to touch the boundary."""
    mfa = [entry["ContextKeyValues"] for entry in request["ContextEntries"]] == [["true"]]
    about_boundary = request["ResourceArns"] != ["*"]
    decision = "allowed" if mfa and not about_boundary else "explicitDeny"
    return {
        "EvaluationResults": [
            {"EvalActionName": action, "EvalDecision": decision} for action in request["ActionNames"]
        ]
    }
