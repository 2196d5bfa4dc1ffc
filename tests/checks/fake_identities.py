"""Users, groups and roles for the fake world, and IAM's simulator."""

from __future__ import annotations

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
    from collections.abc import Iterable, Mapping

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
MFA_POLICY = f"arn:aws:iam::{ACCOUNT}:policy/mfa"
PERSONA_POLICY = f"arn:aws:iam::{ACCOUNT}:policy/persona"


DECRYPT: Statement = {"Effect": "Allow", "Action": "kms:Decrypt", "Resource": key_arn("app")}
DOCUMENTS: dict[str, list[Statement]] = {"boundary": BOUNDARY, "mfa": [NO_MFA], "persona": [DECRYPT]}
ARNS = {"boundary": OUTPUTS.admin_boundary, "mfa": MFA_POLICY, "persona": PERSONA_POLICY}
RIGHTS = ("AdministratorAccess", "mfa")


def policies(world: World, **documents: list[Statement]) -> World:
    """Say what managed policies hold: ``boundary``, ``mfa``, ``persona``."""
    return world.answers("iam:GetAccountAuthorizationDetails", account(documents=documents))


def account(
    *,
    documents: Mapping[str, list[Statement]] | None = None,
    trust: Statement = TRUST,
    groups: Iterable[str] = ("admins",),
    rights: Iterable[str] = RIGHTS,
    group_inline: Iterable[str] = (),
    user_inline: Iterable[str] = (),
    outsider: Iterable[str] = (),
    outsider_inline: Iterable[str] = (),
) -> Mapping[str, Any]:
    """What GetAccountAuthorizationDetails tells of the good lab, or of one that is broken somewhere.

    AWS's own policies are attached and not listed, as on some targets.
    """
    user = {
        "UserName": "kenya-one",
        "GroupList": list(groups),
        "UserPolicyList": _inline(user_inline),
        "AttachedManagedPolicies": [],
    }
    group = {
        "GroupName": "admins",
        "AttachedManagedPolicies": _attached(rights),
        "GroupPolicyList": _inline(group_inline),
    }
    named = {**DOCUMENTS, **(documents or {})}
    return {
        "UserDetailList": [user],
        "GroupDetailList": [group],
        "RoleDetailList": [_role(persona, trust, outsider, outsider_inline) for persona in ROLES],
        "Policies": [
            {
                "Arn": ARNS[name],
                "PolicyName": name,
                "PolicyVersionList": [
                    {"Document": policy_document(), "VersionId": "v1", "IsDefaultVersion": False},
                    {"Document": policy_document(*held), "VersionId": "v2", "IsDefaultVersion": True},
                ],
            }
            for name, held in named.items()
        ],
    }


def _role(
    persona: Persona, trust: Statement, outsider: Iterable[str], outsider_inline: Iterable[str]
) -> dict[str, Any]:
    apart = persona is Persona.OUTSIDER
    return {
        "RoleName": f"{PREFIX}-{persona}",
        "Arn": role_arn(persona),
        "AssumeRolePolicyDocument": policy_document(trust),
        "AttachedManagedPolicies": _attached(outsider if apart else ["persona"]),
        "RolePolicyList": _inline(outsider_inline if apart else ()),
    }


def _attached(names: Iterable[str]) -> list[dict[str, str]]:
    return [
        {"PolicyName": one, "PolicyArn": ARNS.get(one, f"arn:aws:iam::aws:policy/{one}")} for one in names
    ]


def _inline(names: Iterable[str]) -> list[dict[str, str]]:
    return [{"PolicyName": one, "PolicyDocument": policy_document(DECRYPT)} for one in names]


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
    world.answers("iam:GetAccountAuthorizationDetails", account())
    world.answers("iam:GetPolicy", {"Policy": {"DefaultVersionId": "v1"}})
    everything = {"PolicyVersion": {"Document": policy_document(BOUNDARY[0])}}
    world.answers("iam:GetPolicyVersion", everything)
    world.answers("iam:GetLoginProfile", {"LoginProfile": {"PasswordResetRequired": True}})
    world.answers("secretsmanager:DescribeSecret", {"KmsKeyId": key_arn("secrets")})
    world.answers("iam:GetGroup", {"Group": {"GroupName": "admins"}, "Users": [{"UserName": "kenya-one"}]})
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
