from __future__ import annotations

import json
import string
from typing import TYPE_CHECKING

import pytest

from kmslab.model.persona import ROLES
from tests.stacks.template import ACCOUNT, role

if TYPE_CHECKING:
    from tests.stacks.template import Assembly

BOUNDARY = {"Fn::Sub": "arn:${AWS::Partition}:iam::${AWS::AccountId}:policy/kms-lab-admin-boundary"}
USER = {"Fn::Sub": "arn:${AWS::Partition}:iam::${AWS::AccountId}:user/kenya-one"}
SELF_SERVICE = [
    "iam:ChangePassword",
    "iam:CreateVirtualMFADevice",
    "iam:EnableMFADevice",
    "iam:GetMFADevice",
    "iam:GetUser",
    "iam:ListMFADevices",
    "iam:ResyncMFADevice",
]
WITHOUT_MFA = {"BoolIfExists": {"aws:MultiFactorAuthPresent": "false"}}


def test_boundary(lab: Assembly) -> None:
    assert lab.properties("identity", "AdminBoundaryPolicy")["PolicyDocument"] == {
        "Version": "2012-10-17",
        "Statement": [
            {"Sid": "EverythingElseInTheSandbox", "Effect": "Allow", "Action": "*", "Resource": "*"},
            {
                "Sid": "LeaveTheBoundaryAsItIs",
                "Effect": "Deny",
                "Action": [
                    "iam:CreatePolicyVersion",
                    "iam:DeletePolicy",
                    "iam:DeletePolicyVersion",
                    "iam:SetDefaultPolicyVersion",
                ],
                "Resource": BOUNDARY,
            },
            {
                "Sid": "NeverTakeTheBoundaryOff",
                "Effect": "Deny",
                "Action": ["iam:DeleteRolePermissionsBoundary", "iam:DeleteUserPermissionsBoundary"],
                "Resource": "*",
            },
            {
                "Sid": "NobodyWithoutTheBoundary",
                "Effect": "Deny",
                "Action": [
                    "iam:AttachRolePolicy",
                    "iam:AttachUserPolicy",
                    "iam:CreateRole",
                    "iam:CreateUser",
                    "iam:PutRolePermissionsBoundary",
                    "iam:PutRolePolicy",
                    "iam:PutUserPermissionsBoundary",
                    "iam:PutUserPolicy",
                ],
                "Resource": "*",
                "Condition": {"StringNotEquals": {"iam:PermissionsBoundary": BOUNDARY}},
            },
            {
                "Sid": "NoCredentialsOfOthers",
                "Effect": "Deny",
                "Action": [
                    "iam:CreateAccessKey",
                    "iam:CreateLoginProfile",
                    "iam:UpdateAssumeRolePolicy",
                    "iam:UpdateLoginProfile",
                ],
                "NotResource": USER,
            },
        ],
    }


def test_mfa(lab: Assembly) -> None:
    assert lab.properties("identity", "RequireMfa")["PolicyDocument"] == {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "WithoutMfaOnlySetItUp",
                "Effect": "Deny",
                "NotAction": [
                    *SELF_SERVICE,
                    "iam:GetAccountPasswordPolicy",
                    "iam:ListVirtualMFADevices",
                    "sts:GetSessionToken",
                ],
                "Resource": "*",
                "Condition": WITHOUT_MFA,
            },
            {
                "Sid": "WithoutMfaOnlyForYourself",
                "Effect": "Deny",
                "Action": SELF_SERVICE,
                "NotResource": [
                    USER,
                    {"Fn::Sub": "arn:${AWS::Partition}:iam::${AWS::AccountId}:mfa/*"},
                ],
                "Condition": WITHOUT_MFA,
            },
        ],
    }


def test_admin_user(lab: Assembly) -> None:
    """In the group, inside the boundary, with a password that nobody has seen and that is good once."""
    user = lab.only("AWS::IAM::User", "identity")
    user.pop("Tags")
    assert user == {
        "UserName": "kenya-one",
        "Groups": [{"Ref": "Administrators"}],
        "PermissionsBoundary": {"Ref": "AdminBoundaryPolicy"},
        "LoginProfile": {
            "Password": {
                "Fn::Join": [
                    "",
                    ["{{resolve:secretsmanager:", {"Ref": "AdminPassword"}, ":SecretString:password}}"],
                ]
            },
            "PasswordResetRequired": True,
        },
    }


def test_admin_group(lab: Assembly) -> None:
    assert lab.only("AWS::IAM::Group", "identity") == {
        "ManagedPolicyArns": [
            {"Fn::Sub": "arn:${AWS::Partition}:iam::aws:policy/AdministratorAccess"},
            {"Ref": "RequireMfa"},
        ]
    }


def test_password_is_generated_under_the_labs_key(lab: Assembly) -> None:
    secret = lab.only("AWS::SecretsManager::Secret", "identity")
    assert secret["KmsKeyId"]["Fn::ImportValue"].startswith("kms-lab-keys:ExportsOutputFnGetAttSecretsArn")
    assert "SecretString" not in secret
    generated = secret["GenerateSecretString"]
    assert json.loads(generated["SecretStringTemplate"]) == {"username": "kenya-one"}
    assert generated["GenerateStringKey"] == "password"
    assert generated["PasswordLength"] == 24
    assert generated["RequireEachIncludedType"] is True


def test_a_strict_password_policy_takes_the_password(lab: Assembly) -> None:
    """Every symbol left is one that IAM counts (its UpdateAccountPasswordPolicy, RequireSymbols)."""
    counted = set("!@#$%^&*()_+-=[]{}|'")
    generated = lab.only("AWS::SecretsManager::Secret", "identity")["GenerateSecretString"]
    left = set(string.punctuation) - set(generated["ExcludeCharacters"])
    assert left == counted - set("{}"), "braces end a dynamic reference"
    assert "ExcludePunctuation" not in generated


def test_nobody_gets_an_access_key(every_option: Assembly) -> None:
    assert every_option.resources("AWS::IAM::AccessKey") == {}


def _trust(lab: Assembly, name: str) -> object:
    return lab.properties("identity", name)["AssumeRolePolicyDocument"]


@pytest.mark.parametrize("persona", ROLES)
def test_trust(lab: Assembly, every_option: Assembly, persona: str) -> None:
    """The account decides by IAM, except for the lab's own personas, who must not climb."""
    name = "".join(part.capitalize() for part in persona.split("-"))
    personas = {"ArnNotEquals": {"aws:PrincipalArn": [role(one) for one in ROLES]}}
    statement = {
        "Sid": "BecomeThisPersona",
        "Effect": "Allow",
        "Principal": ACCOUNT,
        "Action": "sts:AssumeRole",
    }
    assert lab.properties("identity", name)["RoleName"] == f"kms-lab-{persona}"
    assert _trust(lab, name) == {
        "Version": "2012-10-17",
        "Statement": [{**statement, "Condition": personas}],
    }
    named = {"ArnLike": {"aws:PrincipalArn": [USER, "arn:aws:iam::111122223333:role/class-*"]}}
    assert _trust(every_option, name) == {
        "Version": "2012-10-17",
        "Statement": [{**statement, "Condition": {**personas, **named}}],
    }


def test_policies_are_attached_after_their_role_exists(lab: Assembly) -> None:
    for name, policy in lab.resources("AWS::IAM::ManagedPolicy", "identity").items():
        if roles := policy["Properties"].get("Roles"):
            assert roles == [f"kms-lab-{_kebab(name.removesuffix('Policy'))}"]
            assert policy["DependsOn"] == [name.removesuffix("Policy")]


def test_managed_policies_stay_below_the_limit(every_option: Assembly) -> None:
    """6144 characters without white space, once references have become ARNs of at most 100."""
    for stack in every_option.stacks():
        for name, policy in every_option.resources("AWS::IAM::ManagedPolicy", stack).items():
            text = json.dumps(policy["Properties"]["PolicyDocument"], separators=(",", ":"))
            assert len(text) < 6144, f"{stack}/{name}"


def _kebab(name: str) -> str:
    return "".join(f"-{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("-")
