from __future__ import annotations

from typing import TYPE_CHECKING

from tests.stacks.template import ACCOUNT, CLOUDFORMATION, role

if TYPE_CHECKING:
    from tests.stacks.template import Assembly


def test_the_secret_is_generated_under_its_key(lab: Assembly) -> None:
    secret = lab.only("AWS::SecretsManager::Secret", "secrets")
    assert secret["KmsKeyId"]["Fn::ImportValue"].startswith("kms-lab-keys:ExportsOutputFnGetAttSecretsArn")
    assert "SecretString" not in secret
    assert secret["GenerateSecretString"]["PasswordLength"] == 32


def test_resource_policy(lab: Assembly) -> None:
    owner = {"aws:PrincipalArn": role("data-owner")}
    assert lab.only("AWS::SecretsManager::ResourcePolicy", "secrets") == {
        "SecretId": {"Ref": "App"},
        "BlockPublicPolicy": True,
        "ResourcePolicy": {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Sid": "TheDataOwnerReads",
                    "Effect": "Allow",
                    "Principal": ACCOUNT,
                    "Action": "secretsmanager:GetSecretValue",
                    "Resource": "*",
                    "Condition": {"ArnEquals": owner},
                },
                {
                    "Sid": "NobodyElseReads",
                    "Effect": "Deny",
                    "Principal": "*",
                    "Action": "secretsmanager:GetSecretValue",
                    "Resource": "*",
                    "Condition": {"ArnNotEquals": {"aws:PrincipalArn": [role("data-owner"), CLOUDFORMATION]}},
                },
            ],
        },
    }
