"""Guide 01: the admin user who is not root, and the personas' roles."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from aws_cdk import Fn, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_secretsmanager as secretsmanager

from kmslab.model.naming import role_name
from kmslab.model.outputs import LabOutputs, LabStack
from kmslab.model.persona import ROLES, Persona
from stacks.nag import ROTATION_RULES, acknowledge, wildcards
from stacks.names import name_of
from stacks.outputs import output
from stacks.personas import attach, on_keys
from stacks.policies import THE_ACCOUNT, allow, deny, document, role_arn, sub, user_arn

if TYPE_CHECKING:
    from collections.abc import Mapping

    from constructs import Construct

    from kmslab.model.settings import LabSettings
    from stacks.policies import Json

SESSION_SECONDS = 3600
PASSWORD_LENGTH = 24
"""Of all four character classes, so that a strict account password policy takes it too."""
NOT_IN_PASSWORDS = '"\\{}:,./;<>?`~'
"""JSON and dynamic references read the first five in their own way.

A password policy that requires symbols does not count the others, nor three of the five: IAM counts
``! @ # $ % ^ & * ( ) _ + - = [ ] { } | '`` (its UpdateAccountPasswordPolicy), Secrets Manager's
generator knows all of ASCII's.
"""
SELF_SERVICE = (
    "iam:ChangePassword",
    "iam:CreateVirtualMFADevice",
    "iam:EnableMFADevice",
    "iam:GetMFADevice",
    "iam:GetUser",
    "iam:ListMFADevices",
    "iam:ResyncMFADevice",
)
"""What a user needs to change the first password and to enrol a device; removing one is not in it."""
LISTING = (Persona.KEY_ADMINISTRATOR, Persona.AUDITOR)
"""Personas with list actions, which have no resources."""
WITHOUT_MFA = {"BoolIfExists": {"aws:MultiFactorAuthPresent": "false"}}
"""True also where the key is missing, as with long-term access keys."""


def boundary(settings: LabSettings) -> list[Json]:
    """Statements of the admin user's permissions boundary.

    The user may do everything in the sandbox, deploying and tearing down the lab included, but can neither
    change the boundary, nor take it off, nor make or equip another user or role without it. What the boundary
    does not reach is CloudFormation's execution role: who may run ``cdk deploy`` acts through a role
    that has administrator access. ``bootstrap/least-privilege.yaml`` bounds that one too, by a boundary with these
    statements that belongs to no lab.
    """
    itself = boundary_arn(settings)
    return [
        allow("EverythingElseInTheSandbox", ("*",)),
        deny(
            "LeaveTheBoundaryAsItIs",
            (
                "iam:CreatePolicyVersion",
                "iam:DeletePolicy",
                "iam:DeletePolicyVersion",
                "iam:SetDefaultPolicyVersion",
            ),
            resources=itself,
        ),
        deny(
            "NeverTakeTheBoundaryOff",
            ("iam:DeleteRolePermissionsBoundary", "iam:DeleteUserPermissionsBoundary"),
        ),
        deny(
            "NobodyWithoutTheBoundary",
            (
                "iam:AttachRolePolicy",
                "iam:AttachUserPolicy",
                "iam:CreateRole",
                "iam:CreateUser",
                "iam:PutRolePermissionsBoundary",
                "iam:PutRolePolicy",
                "iam:PutUserPermissionsBoundary",
                "iam:PutUserPolicy",
            ),
            when={"StringNotEquals": {"iam:PermissionsBoundary": itself}},
        ),
        deny(
            "NoCredentialsOfOthers",
            (
                "iam:CreateAccessKey",
                "iam:CreateLoginProfile",
                "iam:UpdateAssumeRolePolicy",
                "iam:UpdateLoginProfile",
            ),
            all_resources_but=user_arn(settings.admin_user),
        ),
    ]


def boundary_name(settings: LabSettings) -> str:
    """Name of the boundary policy: the one that was made beforehand, or the lab's own, which names itself."""
    return settings.permissions_boundary or f"{settings.prefix}-admin-boundary"


def boundary_arn(settings: LabSettings) -> Json:
    """ARN of the boundary policy."""
    return sub(f"arn:${{AWS::Partition}}:iam::${{AWS::AccountId}}:policy/{boundary_name(settings)}")


def mfa(settings: LabSettings) -> list[Json]:
    """Statements that leave a session without MFA only what it takes to set MFA up, for itself.

    Changing the password is left too: the first sign-in demands it, before a device can be enrolled.
    GetSessionToken is how a session with MFA begins on the command line.
    """
    return [
        deny(
            "WithoutMfaOnlySetItUp",
            all_actions_but=(
                *SELF_SERVICE,
                "iam:GetAccountPasswordPolicy",
                "iam:ListVirtualMFADevices",
                "sts:GetSessionToken",
            ),
            when=WITHOUT_MFA,
        ),
        deny(
            "WithoutMfaOnlyForYourself",
            SELF_SERVICE,
            all_resources_but=[
                user_arn(settings.admin_user),
                sub("arn:${AWS::Partition}:iam::${AWS::AccountId}:mfa/*"),
            ],
            when=WITHOUT_MFA,
        ),
    ]


def trust(settings: LabSettings) -> list[Json]:
    """Statements of a persona's trust policy: who may become it.

    The principal is the account, so the caller's identity policy must allow ``sts:AssumeRole`` as well.
    The lab's own personas are kept out: nobody climbs from one to another. With operators named in
    the settings only they and the admin user come in.
    """
    condition: Json = {
        "ArnNotEquals": {"aws:PrincipalArn": [role_arn(settings.prefix, persona) for persona in ROLES]}
    }
    if settings.operators:
        condition["ArnLike"] = {"aws:PrincipalArn": [user_arn(settings.admin_user), *settings.operators]}
    return [
        allow("BecomeThisPersona", ("sts:AssumeRole",), principal=THE_ACCOUNT, resources=None, when=condition)
    ]


class IdentityStack(Stack):
    """Guide 01: the admin user, bounded and with MFA, and a role for every persona."""

    def __init__(self, scope: Construct, *, settings: LabSettings, keys: Mapping[str, str]) -> None:
        super().__init__(
            scope, name_of(LabStack.IDENTITY, settings), description="KMS Lab: admin user and personas"
        )
        self._admin_user(settings, keys["secrets"])
        for persona in ROLES:
            self._role(persona, settings, keys)

    def _boundary(self, settings: LabSettings) -> str:
        """Return the ARN of the admin user's boundary, which the lab makes unless it was made beforehand."""
        if settings.permissions_boundary:
            return Fn.sub(boundary_arn(settings)["Fn::Sub"])
        bounds = iam.CfnManagedPolicy(
            self,
            "AdminBoundaryPolicy",
            managed_policy_name=boundary_name(settings),
            description="KMS Lab: what the admin user can at most do",
            policy_document=document(boundary(settings)),
        )
        acknowledge(
            bounds,
            wildcards(
                "A boundary grants nothing: it allows all and denies what must never be.",
                "Action::*",
                "Resource::*",
            ),
        )
        return bounds.ref

    def _admin_user(self, settings: LabSettings, secrets_key: str) -> None:
        bounds = self._boundary(settings)
        rules = iam.CfnManagedPolicy(
            self,
            "RequireMfa",
            description="KMS Lab: without MFA, nothing but setting up MFA",
            policy_document=document(mfa(settings)),
        )
        group = iam.CfnGroup(
            self,
            "Administrators",
            managed_policy_arns=[
                Fn.sub("arn:${AWS::Partition}:iam::aws:policy/AdministratorAccess"),
                rules.ref,
            ],
        )
        acknowledge(
            group,
            {
                "AwsSolutions-IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/AdministratorAccess]": "The lab's "
                "subject is an administrator who is not root; the boundary and the MFA policy hold this one."
            },
        )
        password = secretsmanager.CfnSecret(
            self,
            "AdminPassword",
            description=f"KMS Lab: first console password of {settings.admin_user}; to be changed at first use",
            kms_key_id=secrets_key,
            generate_secret_string=secretsmanager.CfnSecret.GenerateSecretStringProperty(
                secret_string_template=json.dumps({"username": settings.admin_user}),
                generate_string_key="password",
                password_length=PASSWORD_LENGTH,
                require_each_included_type=True,
                exclude_characters=NOT_IN_PASSWORDS,
            ),
        )
        acknowledge(
            password, dict.fromkeys(ROTATION_RULES, "It is good for one sign-in, which asks for another.")
        )
        user = iam.CfnUser(
            self,
            "User",
            user_name=settings.admin_user,
            groups=[group.ref],
            permissions_boundary=bounds,
            login_profile=iam.CfnUser.LoginProfileProperty(
                password=Fn.join("", ["{{resolve:secretsmanager:", password.ref, ":SecretString:password}}"]),
                password_reset_required=True,
            ),
        )
        output(self, LabOutputs.admin_user, user.ref)
        output(self, LabOutputs.admin_password_secret, password.ref)
        output(self, LabOutputs.admin_boundary, bounds)

    def _role(self, persona: Persona, settings: LabSettings, keys: Mapping[str, str]) -> None:
        name = "".join(part.capitalize() for part in persona.split("-"))
        role = iam.CfnRole(
            self,
            name,
            role_name=role_name(settings.prefix, persona),
            description=f"KMS Lab: the {persona.replace('-', ' ')}",
            assume_role_policy_document=document(trust(settings)),
            max_session_duration=SESSION_SECONDS,
        )
        output(self, getattr(LabOutputs, f"role_{persona.replace('-', '_')}"), role.attr_arn)
        if statements := on_keys(persona, keys, settings.prefix):
            accepted = {}
            if persona in LISTING:
                accepted = wildcards(
                    "Listing and IAM's read actions cannot name what is not known yet.", "Resource::*"
                )
            attach(self, settings, persona, statements, accepted).add_resource_dependency(role)
