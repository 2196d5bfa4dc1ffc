"""Whole key policies. Whoever changes one sees here what it was."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.stacks.template import ACCOUNT, CLOUDFORMATION, ROOT_USER, endpoint, role

if TYPE_CHECKING:
    from tests.stacks.template import Assembly, Json

READ = [
    "kms:DescribeKey",
    "kms:GetKeyPolicy",
    "kms:ListGrants",
    "kms:ListKeyPolicies",
    "kms:ListResourceTags",
    "kms:GetKeyRotationStatus",
    "kms:ListKeyRotations",
]
ADMINISTER = [
    *READ,
    "kms:EnableKey",
    "kms:DisableKey",
    "kms:UpdateKeyDescription",
    "kms:TagResource",
    "kms:UntagResource",
    "kms:ScheduleKeyDeletion",
    "kms:CancelKeyDeletion",
]
ROTATE = ["kms:EnableKeyRotation", "kms:DisableKeyRotation", "kms:RotateKeyOnDemand"]
IMPORT = ["kms:GetParametersForImport", "kms:ImportKeyMaterial", "kms:DeleteImportedKeyMaterial"]
FOR_THE_ADMINISTRATOR = {
    "S3": ROTATE,
    "Ebs": ROTATE,
    "Secrets": ROTATE,
    "Trail": ROTATE,
    "App": ROTATE,
    "Imported": IMPORT,
    "Signing": [],
    "Rsa": [],
    "Agreement": [],
    "Mac": [],
    "Pq": [],
    "Global": ROTATE,
}


def allow(sid: str, action: str | list[str], principal: Json = ACCOUNT, **condition: Any) -> Json:
    made: Json = {"Sid": sid, "Effect": "Allow", "Principal": principal, "Action": action, "Resource": "*"}
    return {**made, "Condition": condition} if condition else made


def through(*services: str) -> Json:
    names = [endpoint(service) for service in services]
    return {
        "kms:CallerAccount": {"Ref": "AWS::AccountId"},
        "kms:ViaService": names[0] if len(names) == 1 else names,
    }


def is_(*principals: Json) -> Json:
    return {"aws:PrincipalArn": principals[0] if len(principals) == 1 else list(principals)}


OWNER = role("data-owner")
THROUGH_EBS = [
    "kms:DescribeKey",
    "kms:Encrypt",
    "kms:Decrypt",
    "kms:GenerateDataKey",
    "kms:GenerateDataKeyWithoutPlaintext",
    "kms:ReEncryptFrom",
    "kms:ReEncryptTo",
]


def through_ebs(*principals: Json) -> list[Json]:
    return [
        allow("UseThroughEbs", THROUGH_EBS, ArnEquals=is_(*principals), StringEquals=through("ec2", "ebs")),
        allow(
            "LetEbsHoldAGrant",
            "kms:CreateGrant",
            ArnEquals=is_(*principals),
            StringEquals=through("ec2", "ebs"),
            Bool={"kms:GrantIsForAWSResource": "true"},
        ),
    ]


TRAIL = {"Fn::Sub": "arn:${AWS::Partition}:cloudtrail:${AWS::Region}:${AWS::AccountId}:trail/kms-lab"}
SIGN = [
    allow("Sign", "kms:Sign", ArnEquals=is_(role("signer"))),
    allow(
        "PublicOperationsAreForIamToDecide",
        ["kms:DescribeKey", "kms:GetPublicKey", "kms:Verify"],
    ),
]
CONTEXT = {"kms:EncryptionContext:kmslab": "training"}

USE: dict[str, list[Json]] = {
    "S3": [
        allow(
            "WriteAndReadThroughS3",
            ["kms:GenerateDataKey", "kms:Decrypt"],
            ArnEquals=is_(OWNER),
            StringEquals=through("s3"),
        ),
        allow("ReadThroughS3", "kms:Decrypt", ArnEquals=is_(role("data-reader")), StringEquals=through("s3")),
    ],
    "Ebs": through_ebs(OWNER, CLOUDFORMATION),
    "Secrets": [
        allow(
            "UseThroughSecretsManagerAndParameterStoreIsForIamToDecide",
            ["kms:DescribeKey", "kms:Encrypt", "kms:Decrypt", "kms:GenerateDataKey"],
            StringEquals=through("secretsmanager", "ssm"),
        )
    ],
    "Trail": [
        allow(
            "EncryptLogFiles",
            "kms:GenerateDataKey*",
            {"Service": "cloudtrail.amazonaws.com"},
            StringEquals={"aws:SourceArn": TRAIL},
            StringLike={
                "kms:EncryptionContext:aws:cloudtrail:arn": {
                    "Fn::Sub": "arn:${AWS::Partition}:cloudtrail:*:${AWS::AccountId}:trail/*"
                }
            },
        ),
        allow(
            "LetCloudTrailDescribeTheKey",
            "kms:DescribeKey",
            {"Service": "cloudtrail.amazonaws.com"},
            StringEquals={"aws:SourceArn": TRAIL},
        ),
        allow(
            "ReadLogFilesThroughS3",
            "kms:Decrypt",
            ArnEquals=is_(role("auditor")),
            StringEquals=through("s3"),
            Null={"kms:EncryptionContext:aws:cloudtrail:arn": "false"},
        ),
        allow(
            "LetEventBridgeAlarm",
            ["kms:GenerateDataKey*", "kms:Decrypt"],
            {"Service": "events.amazonaws.com"},
            StringEquals={
                "kms:EncryptionContext:aws:sns:topicArn": {
                    "Fn::Sub": "arn:${AWS::Partition}:sns:${AWS::Region}:${AWS::AccountId}:kms-lab-alarms"
                }
            },
        ),
    ],
    "App": [
        allow(
            "UseWithTheEncryptionContext",
            [
                "kms:Encrypt",
                "kms:Decrypt",
                "kms:GenerateDataKey",
                "kms:GenerateDataKeyWithoutPlaintext",
                "kms:GenerateDataKeyPair",
                "kms:GenerateDataKeyPairWithoutPlaintext",
                "kms:ReEncryptFrom",
                "kms:ReEncryptTo",
            ],
            ArnEquals=is_(OWNER),
            StringEquals=CONTEXT,
        ),
        allow(
            "GrantUseWithTheEncryptionContext",
            "kms:CreateGrant",
            ArnEquals=is_(OWNER),
            StringEquals={
                **CONTEXT,
                "kms:GrantConstraintType": ["EncryptionContextEquals", "EncryptionContextSubset"],
                "kms:GranteePrincipal": [role("data-reader"), role("outsider")],
            },
            **{
                "ForAllValues:StringEquals": {
                    "kms:GrantOperations": ["Decrypt", "Encrypt", "GenerateDataKey", "RetireGrant"]
                }
            },
        ),
        allow(
            "LookAtTheKeyAndEndGrants",
            ["kms:DescribeKey", "kms:ListGrants", "kms:RevokeGrant", "kms:RetireGrant"],
            ArnEquals=is_(OWNER),
        ),
        *through_ebs(OWNER),
    ],
    "Imported": [
        allow(
            "UseDirectly",
            ["kms:DescribeKey", "kms:Encrypt", "kms:Decrypt", "kms:GenerateDataKey"],
            ArnEquals=is_(OWNER),
        )
    ],
    "Signing": SIGN,
    "Pq": SIGN,
    "Rsa": [
        allow(
            "Decrypt",
            "kms:Decrypt",
            ArnEquals=is_(OWNER),
            StringEquals={"kms:EncryptionAlgorithm": "RSAES_OAEP_SHA_256"},
        ),
        allow(
            "PublicOperationsAreForIamToDecide",
            ["kms:DescribeKey", "kms:GetPublicKey", "kms:Encrypt"],
        ),
    ],
    "Agreement": [
        allow("DeriveSharedSecrets", "kms:DeriveSharedSecret", ArnEquals=is_(OWNER)),
        allow("PublicOperationsAreForIamToDecide", ["kms:DescribeKey", "kms:GetPublicKey"]),
    ],
    "Mac": [
        allow(
            "MakeAndVerifyCodes",
            ["kms:DescribeKey", "kms:GenerateMac", "kms:VerifyMac"],
            ArnEquals=is_(OWNER),
        )
    ],
    "Global": [
        allow(
            "ReplicateThroughCloudFormation",
            ["kms:ReplicateKey", "kms:UpdatePrimaryRegion"],
            ArnEquals=is_(ROOT_USER, CLOUDFORMATION),
        ),
        allow(
            "UseWithTheEncryptionContext",
            ["kms:Encrypt", "kms:Decrypt", "kms:GenerateDataKey"],
            ArnEquals=is_(OWNER),
            StringEquals=CONTEXT,
        ),
    ],
}


def _policy(lab: Assembly, key: str) -> list[Json]:
    policy = lab.properties("keys", key)["KeyPolicy"]
    assert policy["Version"] == "2012-10-17"
    statements: list[Json] = policy["Statement"]
    return statements


def test_every_key_is_asserted_here(every_option: Assembly) -> None:
    assert set(every_option.resources("AWS::KMS::Key")) == set(USE) == set(FOR_THE_ADMINISTRATOR)


@pytest.mark.parametrize("key", FOR_THE_ADMINISTRATOR)
def test_administration(every_option: Assembly, key: str) -> None:
    assert _policy(every_option, key)[:3] == [
        allow(
            "AdministerThroughCloudFormation",
            [
                *READ,
                "kms:EnableKey",
                "kms:DisableKey",
                "kms:EnableKeyRotation",
                "kms:DisableKeyRotation",
                "kms:PutKeyPolicy",
                "kms:UpdateKeyDescription",
                "kms:TagResource",
                "kms:UntagResource",
                "kms:CreateAlias",
                "kms:UpdateAlias",
                "kms:DeleteAlias",
                "kms:ScheduleKeyDeletion",
                "kms:CancelKeyDeletion",
            ],
            ArnEquals=is_(ROOT_USER, CLOUDFORMATION),
        ),
        allow(
            "AdministerTheKey",
            [*ADMINISTER, *FOR_THE_ADMINISTRATOR[key]],
            ArnEquals=is_(role("key-administrator")),
        ),
        allow("ReadTheConfiguration", [*READ, "kms:GetKeyLastUsage"], ArnEquals=is_(role("auditor"))),
    ]


@pytest.mark.parametrize("key", USE)
def test_use(every_option: Assembly, key: str) -> None:
    assert _policy(every_option, key)[3:] == USE[key]


def test_options_change_no_key_policy(lab: Assembly, every_option: Assembly) -> None:
    for key in lab.resources("AWS::KMS::Key"):
        assert _policy(lab, key) == _policy(every_option, key)
