"""An account without anything of a lab in it: what every service answers then."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.checks.fakes import World

EMPTY = {
    "resourcegroupstaggingapi:GetResources": "ResourceTagMappingList",
    "ec2:DescribeVolumes": "Volumes",
    "ec2:DescribeSnapshots": "Snapshots",
    "secretsmanager:ListSecrets": "SecretList",
    "kms:ListResourceTags": "Tags",
    "kms:ListGrants": "Grants",
    "s3:ListObjectVersions": "Versions",
    "s3:ListMultipartUploads": "Uploads",
    "ssm:GetParametersByPath": "Parameters",
}
"""What a sweep asks, and the list that it gets back empty."""
AWS_EBS = "alias/aws/ebs"


def nothing_to_sweep(world: World) -> World:
    """Nothing was left by checks or faults, and the account's settings for EBS are AWS's own."""
    for action, member in EMPTY.items():
        world.answers(action, {member: []})
    world.answers("ec2:GetEbsEncryptionByDefault", {"EbsEncryptionByDefault": False})
    world.answers("ec2:GetEbsDefaultKmsKeyId", {"KmsKeyId": AWS_EBS})
    world.answers("ec2:GetSnapshotBlockPublicAccessState", {"State": "unblocked"})
    return world
