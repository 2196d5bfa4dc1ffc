"""The key policies, one function a key: who administers it, who uses it, and through which service.

Every policy here rests on the same two statements:

* ``AdministerThroughCloudFormation``: the role as which CloudFormation deploys, and the account's root
  user as the way back in. Both are named with ``aws:PrincipalArn``. The plain account principal that
  most templates put here would delegate the key to IAM: anyone whose identity policy allows
  ``kms:*`` could then rewrite the key policy.
* ``AdministerTheKey``: the key administrator, with the actions of the task and no more. PutKeyPolicy,
  CreateGrant, ReplicateKey and the alias operations are missing on purpose: with each of them an
  administrator could make themselves a user of the key.

So **no key delegates its administration to IAM**. Whether the use of a key is delegated is said
at each function. A principal named in a condition needs its identity policy's permission too, since
the principal of each statement is the account.

Sources: KMS Developer Guide, "Key policies in AWS KMS", "Permissions for AWS services in key policies",
"Condition keys for AWS KMS"; EBS, Secrets Manager, CloudTrail and SNS guides for their services' needs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kmslab.model.naming import ENCRYPTION_CONTEXT
from kmslab.model.persona import Persona
from stacks.policies import (
    ROOT_USER,
    THE_ACCOUNT,
    Json,
    allow,
    both,
    execution_role_arn,
    only,
    role_arn,
    sub,
    through,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

READ = (
    "kms:DescribeKey",
    "kms:GetKeyPolicy",
    "kms:ListGrants",
    "kms:ListKeyPolicies",
    "kms:ListResourceTags",
)
READ_ROTATION = ("kms:GetKeyRotationStatus", "kms:ListKeyRotations")
ROTATE = ("kms:EnableKeyRotation", "kms:DisableKeyRotation", "kms:RotateKeyOnDemand")
IMPORT = ("kms:GetParametersForImport", "kms:ImportKeyMaterial", "kms:DeleteImportedKeyMaterial")
CONTEXT = {f"kms:EncryptionContext:{key}": value for key, value in ENCRYPTION_CONTEXT.items()}
"""As a condition: the request carries the lab's encryption context."""


@dataclass(frozen=True, slots=True)
class Principals:
    """Who can appear in a key policy of one lab.

    Attributes:
        prefix: the lab's, from which role names follow.
        qualifier: of the CDK bootstrap, from which the execution role's name follows.
    """

    prefix: str
    qualifier: str

    def persona(self, persona: Persona) -> Json:
        """ARN of a persona's role."""
        return role_arn(self.prefix, persona)

    @property
    def cloudformation(self) -> Json:
        """ARN of CloudFormation's execution role."""
        return execution_role_arn(self.qualifier)

    @property
    def trail(self) -> Json:
        """ARN of the lab's CloudTrail trail."""
        return sub(
            f"arn:${{AWS::Partition}}:cloudtrail:${{AWS::Region}}:${{AWS::AccountId}}:trail/{self.prefix}"
        )

    @property
    def alarm_topic(self) -> Json:
        """ARN of the lab's alarm topic."""
        return sub(f"arn:${{AWS::Partition}}:sns:${{AWS::Region}}:${{AWS::AccountId}}:{self.prefix}-alarms")


def _administration(who: Principals, *, more: Iterable[str] = ()) -> list[Json]:
    """Who may change and read the key; ``more`` is what the kind of key adds for its administrator."""
    return [
        allow(
            "AdministerThroughCloudFormation",
            (
                *READ,
                *READ_ROTATION,
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
            ),
            principal=THE_ACCOUNT,
            when=only(ROOT_USER, who.cloudformation),
        ),
        allow(
            "AdministerTheKey",
            (
                *READ,
                *READ_ROTATION,
                "kms:EnableKey",
                "kms:DisableKey",
                "kms:UpdateKeyDescription",
                "kms:TagResource",
                "kms:UntagResource",
                "kms:ScheduleKeyDeletion",
                "kms:CancelKeyDeletion",
                *more,
            ),
            principal=THE_ACCOUNT,
            when=only(who.persona(Persona.KEY_ADMINISTRATOR)),
        ),
        allow(
            "ReadTheConfiguration",
            (*READ, *READ_ROTATION, "kms:GetKeyLastUsage"),
            principal=THE_ACCOUNT,
            when=only(who.persona(Persona.AUDITOR)),
        ),
    ]


def _through_ebs(*principals: Json) -> list[Json]:
    """What EBS does for a caller who creates, copies, attaches or restores a volume or snapshot.

    EBS asks with the caller's permissions: a data key when the volume is made, and a grant under which
    the EC2 host decrypts that data key at every attachment. The grant is only allowed when an AWS service
    asks for it. The EBS direct APIs (blocks of snapshots) belong to the service ``ebs``.
    """
    return [
        allow(
            "UseThroughEbs",
            (
                "kms:DescribeKey",
                "kms:Encrypt",
                "kms:Decrypt",
                "kms:GenerateDataKey",
                "kms:GenerateDataKeyWithoutPlaintext",
                "kms:ReEncryptFrom",
                "kms:ReEncryptTo",
            ),
            principal=THE_ACCOUNT,
            when=both(only(*principals), through("ec2", "ebs")),
        ),
        allow(
            "LetEbsHoldAGrant",
            ("kms:CreateGrant",),
            principal=THE_ACCOUNT,
            when=both(
                only(*principals), through("ec2", "ebs"), {"Bool": {"kms:GrantIsForAWSResource": "true"}}
            ),
        ),
    ]


def _public_operations(*actions: str) -> Json:
    """Operations that anyone who holds the public key could do without KMS.

    This statement **delegates to IAM**: its principal is the account and no condition narrows it, so
    identity policies alone decide. Nothing secret is given away by it.
    """
    return allow(
        "PublicOperationsAreForIamToDecide",
        ("kms:DescribeKey", "kms:GetPublicKey", *actions),
        principal=THE_ACCOUNT,
    )


def s3(who: Principals) -> list[Json]:
    """S3 objects: the owner writes and reads, the reader reads, and only through S3.

    Does not delegate to IAM. Neither can call KMS with this key directly.
    """
    return [
        *_administration(who, more=ROTATE),
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
        *_administration(who, more=ROTATE),
        *_through_ebs(who.persona(Persona.DATA_OWNER), who.cloudformation),
    ]


def secrets(who: Principals) -> list[Json]:
    """Secrets Manager and SSM SecureString.

    Use **is delegated to IAM**, but only through the two services: any principal of the account whose
    identity policy allows ``kms:Decrypt`` on this key can read secrets that it may get. That is the
    pattern of the AWS managed keys, shown here beside the stricter ones; it also serves CloudFormation,
    which generates the secrets, and the operator, who writes the SecureString.
    """
    return [
        *_administration(who, more=ROTATE),
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
        *_administration(who, more=ROTATE),
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
        *_administration(who, more=ROTATE),
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
        *_through_ebs(owner),
    ]


def imported(who: Principals) -> list[Json]:
    """Bring your own key: the key administrator imports the material, the data owner uses it.

    Does not delegate to IAM. Whoever imports key material knows it, and could decrypt without KMS: who
    may import is therefore named as carefully as who may decrypt.
    """
    return [
        *_administration(who, more=IMPORT),
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
        *_administration(who),
        allow("Sign", ("kms:Sign",), principal=THE_ACCOUNT, when=only(who.persona(Persona.SIGNER))),
        _public_operations("kms:Verify"),
    ]


def rsa(who: Principals) -> list[Json]:
    """Anyone with the public key encrypts; the data owner alone decrypts, with OAEP and SHA-256 only.

    Decryption is not delegated to IAM, encryption is.
    """
    return [
        *_administration(who),
        allow(
            "Decrypt",
            ("kms:Decrypt",),
            principal=THE_ACCOUNT,
            when=both(
                only(who.persona(Persona.DATA_OWNER)),
                {"StringEquals": {"kms:EncryptionAlgorithm": "RSAES_OAEP_SHA_256"}},
            ),
        ),
        _public_operations("kms:Encrypt"),
    ]


def agreement(who: Principals) -> list[Json]:
    """The data owner alone derives shared secrets. Only the public key is delegated to IAM."""
    return [
        *_administration(who),
        allow(
            "DeriveSharedSecrets",
            ("kms:DeriveSharedSecret",),
            principal=THE_ACCOUNT,
            when=only(who.persona(Persona.DATA_OWNER)),
        ),
        _public_operations(),
    ]


def mac(who: Principals) -> list[Json]:
    """The data owner makes and verifies codes. Does not delegate to IAM: who verifies could also make."""
    return [
        *_administration(who),
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
        *_administration(who, more=ROTATE),
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
