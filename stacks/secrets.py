"""Guide 11: a secret under its own key. The SSM SecureString beside it is made by the lab's tooling."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from aws_cdk import Stack
from aws_cdk import aws_secretsmanager as secretsmanager

from kmslab.model.outputs import LabOutputs, LabStack
from kmslab.model.persona import Persona
from stacks.nag import ROTATION_RULES, acknowledge, wildcards
from stacks.names import name_of, qualifier_of
from stacks.outputs import output
from stacks.personas import attach
from stacks.policies import (
    EVERYONE,
    THE_ACCOUNT,
    allow,
    deny,
    document,
    execution_role_arn,
    only,
    role_arn,
    sub,
)

if TYPE_CHECKING:
    from constructs import Construct

    from kmslab.model.settings import LabSettings
    from stacks.policies import Json

READ_VALUE = ("secretsmanager:GetSecretValue",)


def resource_policy(settings: LabSettings, qualifier: str) -> list[Json]:
    """Statements of the secret's own policy: the data owner reads the value, nobody else in the account.

    The Deny counts: without it every administrator could read the secret by identity policy alone.
    CloudFormation is left out of it, because its resource handler reads the secret when it updates it.
    """
    owner = role_arn(settings.prefix, Persona.DATA_OWNER)
    return [
        allow("TheDataOwnerReads", READ_VALUE, principal=THE_ACCOUNT, when=only(owner)),
        deny(
            "NobodyElseReads",
            READ_VALUE,
            principal=EVERYONE,
            when={"ArnNotEquals": {"aws:PrincipalArn": [owner, execution_role_arn(qualifier)]}},
        ),
    ]


class SecretsStack(Stack):
    """Guide 11: a generated secret, readable by who may use its key and is named in its policy."""

    def __init__(self, scope: Construct, *, settings: LabSettings, key_arn: str) -> None:
        super().__init__(scope, name_of(LabStack.SECRETS, settings), description="KMS Lab: a secret")
        secret = secretsmanager.CfnSecret(
            self,
            "App",
            description="KMS Lab: what an application would keep",
            kms_key_id=key_arn,
            generate_secret_string=secretsmanager.CfnSecret.GenerateSecretStringProperty(
                secret_string_template=json.dumps({"username": "app"}),
                generate_string_key="password",
                password_length=32,
                exclude_punctuation=True,
            ),
        )
        acknowledge(
            secret, dict.fromkeys(ROTATION_RULES, "No application has it; guide 11 changes it by hand.")
        )
        secretsmanager.CfnResourcePolicy(
            self,
            "AppPolicy",
            secret_id=secret.ref,
            resource_policy=document(resource_policy(settings, qualifier_of(self))),
            block_public_policy=True,
        )
        output(self, LabOutputs.app_secret, secret.ref)
        parameters = sub(
            "arn:${AWS::Partition}:ssm:${AWS::Region}:${AWS::AccountId}:parameter/" + settings.prefix + "/*"
        )
        attach(
            self,
            settings,
            Persona.DATA_OWNER,
            [
                allow("ReadTheSecret", (*READ_VALUE, "secretsmanager:DescribeSecret"), resources=secret.ref),
                allow("ReadParameters", ("ssm:GetParameter", "ssm:GetParameters"), resources=parameters),
            ],
            wildcards(
                "The parameters of the lab, which checks and learners make and name below its prefix.",
                f"Resource::arn:<AWS::Partition>:ssm:<AWS::Region>:<AWS::AccountId>:parameter/{settings.prefix}/*",
            ),
        )
        attach(
            self,
            settings,
            Persona.AUDITOR,
            [
                allow(
                    "ReadTheConfiguration",
                    (
                        "secretsmanager:DescribeSecret",
                        "secretsmanager:GetResourcePolicy",
                        "secretsmanager:ListSecretVersionIds",
                    ),
                    resources=sub(
                        "arn:${AWS::Partition}:secretsmanager:${AWS::Region}:${AWS::AccountId}:secret:*"
                    ),
                    when={"StringEquals": {"aws:ResourceTag/kmslab:prefix": settings.prefix}},
                ),
                allow("ListSecrets", ("secretsmanager:ListSecrets",)),
            ],
            wildcards(
                "Listing has no resources; reading is bound to secrets with the lab's tag by a condition.",
                "Resource::*",
                "Resource::arn:<AWS::Partition>:secretsmanager:<AWS::Region>:<AWS::AccountId>:secret:*",
            ),
        )
