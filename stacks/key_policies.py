"""The key policies, one function a key: who uses it, how, and through which service.

The statements of administration, equal for every key, are in ``stacks.key_statements``. Whether the
use of a key is delegated to IAM is said at each function, because both are shown.

Sources: KMS Developer Guide, "Key policies in AWS KMS", "Permissions for AWS services in key policies",
"Condition keys for AWS KMS"; EBS, Secrets Manager, CloudTrail and SNS guides for their services' needs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kmslab.model.naming import ENCRYPTION_CONTEXT
from kmslab.model.persona import Persona
from stacks.key_statements import administration, public_operations, through_ebs
from stacks.policies import ROOT_USER, THE_ACCOUNT, allow, both, only, sub, through

if TYPE_CHECKING:
    from stacks.key_statements import Principals
    from stacks.policies import Json

ROTATE = ("kms:EnableKeyRotation", "kms:DisableKeyRotation", "kms:RotateKeyOnDemand")
IMPORT = ("kms:GetParametersForImport", "kms:ImportKeyMaterial", "kms:DeleteImportedKeyMaterial")
CONTEXT = {f"kms:EncryptionContext:{key}": value for key, value in ENCRYPTION_CONTEXT.items()}
"""As a condition: the request carries the lab's encryption context."""


def s3(who: Principals) -> list[Json]:
    """S3 objects: the owner writes and reads, the reader reads, and only through S3.

    Does not delegate to IAM. Neither can call KMS with this key directly.
    """
    return [
        *administration(who, more=ROTATE),
        allow(
            "WriteAndReadThroughS3",
            ("kms:GenerateDataKey", "kms:Decrypt"),
            principal=THE_ACCOUNT,
            when=both(only(who.persona(Persona.DATA_OWNER)), through("s3")),
        ),
        allow(
            "ReadThroughS3",
            ("kms:Decrypt",),
            principal=THE_ACCOUNT,
            when=both(only(who.persona(Persona.DATA_READER)), through("s3")),
        ),
    ]


def ebs(who: Principals) -> list[Json]:
    """EBS volumes and snapshots: the data owner, and CloudFormation that creates the lab's volumes.

    Does not delegate to IAM.
    """
    return [
        *administration(who, more=ROTATE),
        *through_ebs(who.persona(Persona.DATA_OWNER), who.cloudformation),
    ]


def secrets(who: Principals) -> list[Json]:
    """Secrets Manager and SSM SecureString.

    Use **is delegated to IAM**, but only through the two services: any principal of the account whose
    identity policy allows ``kms:Decrypt`` on this key can read secrets that it may get. That is the
    pattern of the AWS managed keys, shown here beside the stricter ones; it also serves CloudFormation,
    which generates the secrets, and the operator, who writes the SecureString.
    """
    return [
        *administration(who, more=ROTATE),
        allow(
            "UseThroughSecretsManagerAndParameterStoreIsForIamToDecide",
            ("kms:DescribeKey", "kms:Encrypt", "kms:Decrypt", "kms:GenerateDataKey"),
            principal=THE_ACCOUNT,
            when=through("secretsmanager", "ssm"),
        ),
    ]


def trail(who: Principals) -> list[Json]:
    """CloudTrail's log files and the alarm topic: service principals, bound to this trail and topic.

    Does not delegate to IAM. The auditor reads log files through S3, and nothing else: a log file is what
    carries CloudTrail's encryption context.
    """
    of_this_trail = {"StringEquals": {"aws:SourceArn": who.trail}}
    cloudtrail = {"Service": "cloudtrail.amazonaws.com"}
    return [
        *administration(who, more=ROTATE),
        allow(
            "EncryptLogFiles",
            ("kms:GenerateDataKey*",),
            principal=cloudtrail,
            when={
                **of_this_trail,
                "StringLike": {
                    "kms:EncryptionContext:aws:cloudtrail:arn": sub(
                        "arn:${AWS::Partition}:cloudtrail:*:${AWS::AccountId}:trail/*"
                    )
                },
            },
        ),
        allow("LetCloudTrailDescribeTheKey", ("kms:DescribeKey",), principal=cloudtrail, when=of_this_trail),
        allow(
            "ReadLogFilesThroughS3",
            ("kms:Decrypt",),
            principal=THE_ACCOUNT,
            when=both(
                only(who.persona(Persona.AUDITOR)),
                through("s3"),
                {"Null": {"kms:EncryptionContext:aws:cloudtrail:arn": "false"}},
            ),
        ),
        # EventBridge passes no SourceArn to an encrypted topic; SNS names the topic as encryption context.
        allow(
            "LetEventBridgeAlarm",
            ("kms:GenerateDataKey*", "kms:Decrypt"),
            principal={"Service": "events.amazonaws.com"},
            when={"StringEquals": {"kms:EncryptionContext:aws:sns:topicArn": who.alarm_topic}},
        ),
    ]


def app(who: Principals) -> list[Json]:
    """Direct and envelope encryption by the data owner, always with the lab's encryption context.

    Does not delegate to IAM. The data owner may pass a part of their right on with a grant: to the data
    reader or the outsider, for no more than using data they are given, and only with a constraint
    to the same encryption context. Without these conditions CreateGrant would let its holder make
    anyone a user of the key. The EBS statements let a snapshot be copied under a second key.
    """
    owner = who.persona(Persona.DATA_OWNER)
    return [
        *administration(who, more=ROTATE),
        allow(
            "UseWithTheEncryptionContext",
            (
                "kms:Encrypt",
                "kms:Decrypt",
                "kms:GenerateDataKey",
                "kms:GenerateDataKeyWithoutPlaintext",
                "kms:GenerateDataKeyPair",
                "kms:GenerateDataKeyPairWithoutPlaintext",
                "kms:ReEncryptFrom",
                "kms:ReEncryptTo",
            ),
            principal=THE_ACCOUNT,
            when=both(only(owner), {"StringEquals": CONTEXT}),
        ),
        allow(
            "GrantUseWithTheEncryptionContext",
            ("kms:CreateGrant",),
            principal=THE_ACCOUNT,
            when=both(
                only(owner),
                {
                    "StringEquals": {
                        **CONTEXT,
                        "kms:GrantConstraintType": ["EncryptionContextEquals", "EncryptionContextSubset"],
                        "kms:GranteePrincipal": [
                            who.persona(Persona.DATA_READER),
                            who.persona(Persona.OUTSIDER),
                        ],
                    },
                    "ForAllValues:StringEquals": {
                        "kms:GrantOperations": ["Decrypt", "Encrypt", "GenerateDataKey", "RetireGrant"]
                    },
                },
            ),
        ),
        allow(
            "LookAtTheKeyAndEndGrants",
            ("kms:DescribeKey", "kms:ListGrants", "kms:RevokeGrant", "kms:RetireGrant"),
            principal=THE_ACCOUNT,
            when=only(owner),
        ),
        *through_ebs(owner),
    ]


def imported(who: Principals) -> list[Json]:
    """Bring your own key: the key administrator imports the material, the data owner uses it.

    Does not delegate to IAM. Whoever imports key material knows it, and could decrypt without KMS: who
    may import is therefore named as carefully as who may decrypt.
    """
    return [
        *administration(who, more=IMPORT),
        allow(
            "UseDirectly",
            ("kms:DescribeKey", "kms:Encrypt", "kms:Decrypt", "kms:GenerateDataKey"),
            principal=THE_ACCOUNT,
            when=only(who.persona(Persona.DATA_OWNER)),
        ),
    ]


def signing(who: Principals) -> list[Json]:
    """Sign: the signer alone. Verifying is delegated to IAM (see the statement)."""
    return [
        *administration(who),
        allow("Sign", ("kms:Sign",), principal=THE_ACCOUNT, when=only(who.persona(Persona.SIGNER))),
        public_operations("kms:Verify"),
    ]


def rsa(who: Principals) -> list[Json]:
    """Anyone with the public key encrypts; the data owner alone decrypts, with OAEP and SHA-256 only.

    Decryption is not delegated to IAM, encryption is.
    """
    return [
        *administration(who),
        allow(
            "Decrypt",
            ("kms:Decrypt",),
            principal=THE_ACCOUNT,
            when=both(
                only(who.persona(Persona.DATA_OWNER)),
                {"StringEquals": {"kms:EncryptionAlgorithm": "RSAES_OAEP_SHA_256"}},
            ),
        ),
        public_operations("kms:Encrypt"),
    ]


def agreement(who: Principals) -> list[Json]:
    """The data owner alone derives shared secrets. Only the public key is delegated to IAM."""
    return [
        *administration(who),
        allow(
            "DeriveSharedSecrets",
            ("kms:DeriveSharedSecret",),
            principal=THE_ACCOUNT,
            when=only(who.persona(Persona.DATA_OWNER)),
        ),
        public_operations(),
    ]


def mac(who: Principals) -> list[Json]:
    """The data owner makes and verifies codes. Does not delegate to IAM: who verifies could also make."""
    return [
        *administration(who),
        allow(
            "MakeAndVerifyCodes",
            ("kms:DescribeKey", "kms:GenerateMac", "kms:VerifyMac"),
            principal=THE_ACCOUNT,
            when=only(who.persona(Persona.DATA_OWNER)),
        ),
    ]


def multi_region(who: Principals) -> list[Json]:
    """The multi-Region primary: used like the app key.

    Does not delegate to IAM. Replicas are made by CloudFormation or the root user, not by the key
    administrator: a replica has a key policy of its own, which whoever makes it writes.
    """
    return [
        *administration(who, more=ROTATE),
        allow(
            "ReplicateThroughCloudFormation",
            ("kms:ReplicateKey", "kms:UpdatePrimaryRegion"),
            principal=THE_ACCOUNT,
            when=only(ROOT_USER, who.cloudformation),
        ),
        allow(
            "UseWithTheEncryptionContext",
            ("kms:Encrypt", "kms:Decrypt", "kms:GenerateDataKey"),
            principal=THE_ACCOUNT,
            when=both(only(who.persona(Persona.DATA_OWNER)), {"StringEquals": CONTEXT}),
        ),
    ]
