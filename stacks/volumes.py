"""Guide 05: EBS volumes under the lab's key, and if wished an instance that mounts the first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import CfnDeletionPolicy, CfnTag, Fn, Stack
from aws_cdk import aws_ec2 as ec2

from kmslab.model.outputs import LabOutputs, LabStack
from kmslab.model.persona import Persona
from stacks.outputs import name_of, output
from stacks.personas import attach
from stacks.policies import allow, sub

if TYPE_CHECKING:
    from constructs import Construct

    from kmslab.model.settings import LabSettings
    from stacks.policies import Json

VOLUMES = sub("arn:${AWS::Partition}:ec2:${AWS::Region}:${AWS::AccountId}:volume/*")
SNAPSHOTS = sub("arn:${AWS::Partition}:ec2:${AWS::Region}::snapshot/*")
"""Snapshots have no account in their ARN."""
READ_BLOCKS = ("ebs:GetSnapshotBlock", "ebs:ListChangedBlocks", "ebs:ListSnapshotBlocks")
WRITE_BLOCKS = ("ebs:CompleteSnapshot", "ebs:PutSnapshotBlock", "ebs:StartSnapshot")
DESCRIBE = allow(
    "Describe",
    ("ec2:DescribeAvailabilityZones", "ec2:DescribeSnapshots", "ec2:DescribeTags", "ec2:DescribeVolumes"),
)


def data_owner() -> list[Json]:
    """Statements of the data owner: make and remove volumes and snapshots, write and read blocks."""
    return [
        DESCRIBE,
        allow(
            "MakeAndRemoveVolumesAndSnapshots",
            (
                "ec2:CopySnapshot",
                "ec2:CreateSnapshot",
                "ec2:CreateVolume",
                "ec2:DeleteSnapshot",
                "ec2:DeleteVolume",
            ),
            resources=[VOLUMES, SNAPSHOTS],
        ),
        allow(
            "TagWhatIsBeingMade",
            ("ec2:CreateTags",),
            resources=[VOLUMES, SNAPSHOTS],
            when={
                "StringEquals": {
                    "ec2:CreateAction": ["CopySnapshot", "CreateSnapshot", "CreateVolume", "StartSnapshot"]
                }
            },
        ),
        allow("WriteAndReadBlocks", (*READ_BLOCKS, *WRITE_BLOCKS), resources=SNAPSHOTS),
    ]


def storage_operator() -> list[Json]:
    """Statements of the storage operator: everything with volumes and snapshots, and no key for any."""
    return [
        DESCRIBE,
        allow(
            "DoEverythingWithVolumesAndSnapshots",
            (
                "ec2:CopySnapshot",
                "ec2:CreateSnapshot",
                "ec2:CreateTags",
                "ec2:CreateVolume",
                "ec2:DeleteSnapshot",
                "ec2:DeleteTags",
                "ec2:DeleteVolume",
                "ec2:ModifySnapshotAttribute",
                "ec2:ModifyVolume",
                "ebs:*",
            ),
            resources=[VOLUMES, SNAPSHOTS],
        ),
    ]


class VolumesStack(Stack):
    """Guide 05: encrypted gp3 volumes in a zone that is found at deployment."""

    def __init__(self, scope: Construct, *, settings: LabSettings, key_arn: str) -> None:
        super().__init__(scope, name_of(LabStack.VOLUMES, settings), description="KMS Lab: EBS volumes")
        volumes = [
            self._volume(f"Data{number}", settings, key_arn) for number in range(1, settings.volume_count + 1)
        ]
        output(self, LabOutputs.data_volume, volumes[0].ref)
        attach(self, settings, Persona.DATA_OWNER, data_owner())
        attach(self, settings, Persona.STORAGE_OPERATOR, storage_operator())

    def _volume(self, name: str, settings: LabSettings, key_arn: str) -> ec2.CfnVolume:
        volume = ec2.CfnVolume(
            self,
            name,
            availability_zone=Fn.select(0, Fn.get_azs()),
            encrypted=True,
            kms_key_id=key_arn,
            size=settings.volume_size_gib,
            volume_type="gp3",
            tags=[CfnTag(key="Name", value=f"{settings.prefix}-{name.lower()}")],
        )
        # Without it CloudFormation would keep nothing either, but cdk-nag and readers cannot know.
        volume.cfn_options.deletion_policy = CfnDeletionPolicy.DELETE
        return volume
