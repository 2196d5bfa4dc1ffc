"""What the key policies share: who can appear in them, administration, EBS, public operations.

Every key policy rests on the same two statements:

* ``AdministerThroughCloudFormation``: the role as which CloudFormation deploys, and the account's root
  user as the way back in. Both are named with ``aws:PrincipalArn``. The plain account principal that
  most templates put here would delegate the key to IAM: anyone whose identity policy allows
  ``kms:*`` could then rewrite the key policy.
* ``AdministerTheKey``: the key administrator, with the actions of the task and no more. PutKeyPolicy,
  CreateGrant, ReplicateKey and the alias operations are missing on purpose: with each of them an
  administrator could make themselves a user of the key.

So **no key delegates its administration to IAM**. A principal named in a condition needs its identity
policy's permission too, since the principal of each statement is the account.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

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
ADMINISTER = (
    *READ,
    *READ_ROTATION,
    "kms:EnableKey",
    "kms:DisableKey",
    "kms:UpdateKeyDescription",
    "kms:TagResource",
    "kms:UntagResource",
    "kms:ScheduleKeyDeletion",
    "kms:CancelKeyDeletion",
)
"""The key administrator's task on every key."""
AUDIT = (*READ, *READ_ROTATION, "kms:GetKeyLastUsage")
"""What the auditor reads of every key."""


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


def administration(who: Principals, *, more: Iterable[str] = ()) -> list[Json]:
    """Return who may change and read the key.

    Args:
        who: the lab's principals.
        more: actions that the kind of key adds for its administrator.
    """
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
            (*ADMINISTER, *more),
            principal=THE_ACCOUNT,
            when=only(who.persona(Persona.KEY_ADMINISTRATOR)),
        ),
        allow(
            "ReadTheConfiguration",
            AUDIT,
            principal=THE_ACCOUNT,
            when=only(who.persona(Persona.AUDITOR)),
        ),
    ]


def through_ebs(*principals: Json) -> list[Json]:
    """Return what EBS does for a caller who creates, copies, attaches or restores a volume or snapshot.

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


def public_operations(*actions: str) -> Json:
    """Return operations that anyone who holds the public key could do without KMS.

    This statement **delegates to IAM**: its principal is the account and no condition narrows it, so
    identity policies alone decide. Nothing secret is given away by it.
    """
    return allow(
        "PublicOperationsAreForIamToDecide",
        ("kms:DescribeKey", "kms:GetPublicKey", *actions),
        principal=THE_ACCOUNT,
    )
