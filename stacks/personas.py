"""What each persona's identity allows on the lab's keys, and how other stacks add what is theirs.

An identity policy here says *which keys* a persona may touch and with what; the key policy says *how*:
through which service, with which encryption context. Both must allow, so where both list a whole task
(administering, auditing) they share the list. The conditions are not repeated on this side, so that it
is the key policy alone that decides them, and a learner who changes it sees the difference.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import aws_iam as iam

from kmslab.model.naming import PREFIX_TAG, role_name
from kmslab.model.persona import Persona
from stacks.key_policies import IMPORT, ROTATE
from stacks.key_statements import ADMINISTER, AUDIT
from stacks.nag import acknowledge
from stacks.policies import allow, document

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from aws_cdk import Stack

    from kmslab.model.settings import LabSettings
    from stacks.policies import Json

PUBLIC = ("kms:DescribeKey", "kms:GetPublicKey")
ENVELOPE = (
    "kms:Encrypt",
    "kms:Decrypt",
    "kms:GenerateDataKey",
    "kms:GenerateDataKeyWithoutPlaintext",
    "kms:ReEncryptFrom",
    "kms:ReEncryptTo",
    "kms:DescribeKey",
)


def attach(
    stack: Stack,
    settings: LabSettings,
    persona: Persona,
    statements: Iterable[Json],
    accepted: Mapping[str, str] | None = None,
) -> iam.CfnManagedPolicy:
    """Attach a policy to a persona's role, from the stack that owns the things it is about.

    The role is named, not referred to: the identity stack must be deployed before.

    Args:
        stack: the owner.
        settings: the lab's.
        persona: whose role.
        statements: of the policy.
        accepted: cdk-nag's findings on the policy, each with its reason.
    """
    policy = iam.CfnManagedPolicy(
        stack,
        f"{''.join(part.capitalize() for part in persona.split('-'))}Policy",
        description=f"KMS Lab: what the {persona} may do with the things of the stack {stack.stack_name}",
        policy_document=document(statements),
        roles=[role_name(settings.prefix, persona)],
    )
    if accepted:
        acknowledge(policy, accepted)
    return policy


def on_keys(persona: Persona, keys: Mapping[str, str], prefix: str) -> list[Json]:
    """Return the statements about the lab's keys in a persona's identity policy.

    Args:
        persona: whose.
        keys: ARN of each key by its name; ``global`` may be missing.
        prefix: the lab's, which is the tag of everything it creates.
    """
    own: list[Json] = []
    match persona:
        case Persona.OUTSIDER:
            return []
        case Persona.KEY_ADMINISTRATOR:
            own = _administer(keys)
        case Persona.DATA_OWNER:
            own = _own(keys)
        case Persona.DATA_READER:
            own = [allow("ReadThroughS3", ("kms:Decrypt",), resources=keys["s3"])]
        case Persona.SIGNER:
            own = [allow("Sign", ("kms:Sign",), resources=[keys["signing"], keys["pq"]])]
        case Persona.AUDITOR:
            own = [*_audit(keys, prefix), allow("ReadLogFiles", ("kms:Decrypt",), resources=keys["trail"])]
    return [
        *own,
        allow("Verify", ("kms:Verify", *PUBLIC), resources=[keys["signing"], keys["pq"]]),
        allow("FetchPublicKeys", PUBLIC, resources=[keys["rsa"], keys["agreement"]]),
    ]


def _administer(keys: Mapping[str, str]) -> list[Json]:
    rotating = [keys[name] for name in ("s3", "ebs", "secrets", "trail", "app", "global") if name in keys]
    return [
        allow(
            "AdministerKeys",
            ADMINISTER,
            resources=list(keys.values()),
        ),
        allow("RotateKeys", ROTATE, resources=rotating),
        allow("ImportKeyMaterial", IMPORT, resources=keys["imported"]),
        allow("ListKeys", ("kms:ListKeys", "kms:ListAliases")),
    ]


def _own(keys: Mapping[str, str]) -> list[Json]:
    statements = [
        allow("UseThroughS3", ("kms:GenerateDataKey", "kms:Decrypt"), resources=keys["s3"]),
        allow("UseThroughEbs", (*ENVELOPE, "kms:CreateGrant"), resources=keys["ebs"]),
        allow(
            "UseThroughSecretsManagerAndParameterStore",
            ("kms:Encrypt", "kms:Decrypt", "kms:GenerateDataKey"),
            resources=keys["secrets"],
        ),
        allow(
            "EncryptDirectly",
            (
                *ENVELOPE,
                "kms:GenerateDataKeyPair",
                "kms:GenerateDataKeyPairWithoutPlaintext",
                "kms:CreateGrant",
                "kms:ListGrants",
                "kms:RevokeGrant",
                "kms:RetireGrant",
            ),
            resources=keys["app"],
        ),
        allow(
            "UseImportedMaterial",
            ("kms:Encrypt", "kms:Decrypt", "kms:GenerateDataKey", "kms:DescribeKey"),
            resources=keys["imported"],
        ),
        allow("OpenWhatThePublicKeyClosed", ("kms:Encrypt", "kms:Decrypt"), resources=keys["rsa"]),
        allow("AgreeOnSecrets", ("kms:DeriveSharedSecret",), resources=keys["agreement"]),
        allow(
            "MakeAndVerifyCodes",
            ("kms:GenerateMac", "kms:VerifyMac", "kms:DescribeKey"),
            resources=keys["mac"],
        ),
    ]
    if "global" in keys:
        statements.append(
            allow(
                "EncryptAcrossRegions",
                ("kms:Encrypt", "kms:Decrypt", "kms:GenerateDataKey"),
                resources=keys["global"],
            )
        )
    return statements


def _audit(keys: Mapping[str, str], prefix: str) -> list[Json]:
    return [
        allow(
            "ReadKeys",
            AUDIT,
            resources=list(keys.values()),
        ),
        allow("ListKeys", ("kms:ListKeys", "kms:ListAliases")),
        # The AWS managed keys (aws/s3, aws/ebs) cannot be named: they are made at first use.
        allow(
            "ReadManagedKeys",
            ("kms:DescribeKey",),
            when={"ForAnyValue:StringLike": {"kms:ResourceAliases": "alias/aws/*"}},
        ),
        # Those of an earlier lab of this prefix wait for their deletion. Their policies name this role too, and
        # nobody else who is left but CloudFormation and the root user.
        allow(
            "ReadKeysOfAnEarlierLab",
            ("kms:DescribeKey",),
            when={"StringEquals": {f"aws:ResourceTag/{PREFIX_TAG}": prefix}},
        ),
        allow(
            "ReadIdentities",
            (
                "iam:GetAccountSummary",
                "iam:GetGroup",
                "iam:GetGroupPolicy",
                "iam:GetLoginProfile",
                "iam:GetPolicy",
                "iam:GetPolicyVersion",
                "iam:GetRole",
                "iam:GetRolePolicy",
                "iam:GetUser",
                "iam:GetUserPolicy",
                "iam:ListAccessKeys",
                "iam:ListAttachedGroupPolicies",
                "iam:ListAttachedRolePolicies",
                "iam:ListAttachedUserPolicies",
                "iam:ListEntitiesForPolicy",
                "iam:ListGroupPolicies",
                "iam:ListGroupsForUser",
                "iam:ListMFADevices",
                "iam:ListPolicyVersions",
                "iam:ListRolePolicies",
                "iam:ListRoleTags",
                "iam:ListUserPolicies",
                "iam:ListUserTags",
                "iam:SimulatePrincipalPolicy",
            ),
        ),
        allow(
            "ReadVolumesAndSnapshots",
            (
                "ec2:DescribeSnapshots",
                "ec2:DescribeSnapshotAttribute",
                "ec2:DescribeTags",
                "ec2:DescribeVolumes",
                "ec2:DescribeInstances",
                "ec2:DescribeVpcs",
                "ec2:DescribeVpcEndpoints",
                "ec2:GetEbsDefaultKmsKeyId",
                "ec2:GetEbsEncryptionByDefault",
                "ec2:GetSnapshotBlockPublicAccessState",
            ),
        ),
        allow(
            "ReadParametersAndStacks",
            ("ssm:DescribeParameters", "cloudformation:DescribeStacks", "cloudformation:ListStacks"),
        ),
    ]
