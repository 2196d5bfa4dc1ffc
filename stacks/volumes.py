"""Guide 06: EBS volumes under the lab's key, and if wished an instance that mounts the first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import CfnDeletionPolicy, CfnParameter, CfnTag, Fn, Stack
from aws_cdk import aws_ec2 as ec2

from kmslab.model.naming import PREFIX_TAG
from kmslab.model.outputs import LabOutputs, LabStack
from kmslab.model.persona import Persona
from stacks.nag import acknowledge, in_packs, wildcards
from stacks.names import name_of
from stacks.outputs import output
from stacks.personas import attach
from stacks.policies import allow, sub

if TYPE_CHECKING:
    from constructs import Construct

    from kmslab.model.settings import LabSettings
    from stacks.network import NetworkStack
    from stacks.policies import Json

VOLUMES = sub("arn:${AWS::Partition}:ec2:${AWS::Region}:${AWS::AccountId}:volume/*")
SNAPSHOTS = sub("arn:${AWS::Partition}:ec2:${AWS::Region}:*:snapshot/*")
"""A snapshot's ARN has no account, or one where a request names it as its source: the star is for both."""
INSTANCE_TYPE = "t3.nano"
IMAGE_PARAMETER = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"
"""AWS keeps the newest Amazon Linux image here; CloudFormation reads it at deployment."""
MOUNT_SCRIPT = """#!/bin/bash
set -euo pipefail
device=/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_$(echo ${Volume} | tr -d -)
until [ -e "$device" ]; do sleep 1; done  # CloudFormation attaches the volume after the start
blkid "$device" || mkfs.xfs "$device"
mkdir -p /data
mount "$device" /data
"""
ANY_ID = (
    "Resource::*",
    "Resource::arn:<AWS::Partition>:ec2:<AWS::Region>:*:snapshot/*",
    "Resource::arn:<AWS::Partition>:ec2:<AWS::Region>:<AWS::AccountId>:volume/*",
)
"""How cdk-nag calls the wildcards of the policies below."""
MAKE = ("ec2:CopySnapshot", "ec2:CreateSnapshot", "ec2:CreateVolume")
"""What is made and what it is made of are authorized each on its own (Service Authorization Reference, Amazon EC2)."""
DESCRIBE = allow(
    "Describe",
    ("ec2:DescribeAvailabilityZones", "ec2:DescribeSnapshots", "ec2:DescribeTags", "ec2:DescribeVolumes"),
)


def the_labs(settings: LabSettings) -> Json:
    """Condition: the volume or snapshot has the lab's tag."""
    return {"StringEquals": {f"aws:ResourceTag/{PREFIX_TAG}": settings.prefix}}


def made_for_the_lab(settings: LabSettings) -> list[Json]:
    """Statements that let one make what gets the lab's tag, and tag it while it is made.

    Without the last condition, whoever may tag could give somebody else's volume the lab's tag.
    """
    return [
        allow(
            "MakeWhatGetsTheLabsTag",
            (*MAKE, "ebs:StartSnapshot"),
            resources=[VOLUMES, SNAPSHOTS],
            when={"StringEquals": {f"aws:RequestTag/{PREFIX_TAG}": settings.prefix}},
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
    ]


def data_owner(settings: LabSettings) -> list[Json]:
    """Statements of the data owner: make and remove the lab's volumes and snapshots, write and read blocks."""
    return [
        DESCRIBE,
        *made_for_the_lab(settings),
        allow(
            "UseAndRemoveTheLabsVolumesAndSnapshots",
            (*MAKE, "ec2:DeleteSnapshot", "ec2:DeleteVolume"),
            resources=[VOLUMES, SNAPSHOTS],
            when=the_labs(settings),
        ),
        allow(
            "WriteAndReadTheLabsBlocks",
            (
                "ebs:CompleteSnapshot",
                "ebs:GetSnapshotBlock",
                "ebs:ListChangedBlocks",
                "ebs:ListSnapshotBlocks",
                "ebs:PutSnapshotBlock",
            ),
            resources=SNAPSHOTS,
            when=the_labs(settings),
        ),
    ]


def storage_operator(settings: LabSettings) -> list[Json]:
    """Statements of the storage operator: everything with the lab's volumes and snapshots, and no key for any."""
    return [
        DESCRIBE,
        *made_for_the_lab(settings),
        allow(
            "DoEverythingWithTheLabsVolumesAndSnapshots",
            (
                *MAKE,
                "ec2:CreateTags",
                "ec2:DeleteSnapshot",
                "ec2:DeleteTags",
                "ec2:DeleteVolume",
                "ec2:ModifySnapshotAttribute",
                "ec2:ModifyVolume",
                "ebs:*",
            ),
            resources=[VOLUMES, SNAPSHOTS],
            when=the_labs(settings),
        ),
    ]


class VolumesStack(Stack):
    """Guide 06: encrypted gp3 volumes in a zone that is found at deployment."""

    def __init__(
        self, scope: Construct, *, settings: LabSettings, key_arn: str, network: NetworkStack | None = None
    ) -> None:
        super().__init__(scope, name_of(LabStack.VOLUMES, settings), description="KMS Lab: EBS volumes")
        volumes = [
            self._volume(f"Data{number}", settings, key_arn) for number in range(1, settings.volume_count + 1)
        ]
        output(self, LabOutputs.data_volume, volumes[0].ref)
        if settings.instance and network is not None:
            self._instance(settings, key_arn, network, volumes[0])
        attach(
            self,
            settings,
            Persona.DATA_OWNER,
            data_owner(settings),
            wildcards("Ids of volumes and snapshots are made by EC2; Describe has no resources.", *ANY_ID),
        )
        attach(
            self,
            settings,
            Persona.STORAGE_OPERATOR,
            storage_operator(settings),
            wildcards(
                "This persona has all of the lab's EBS on purpose: what it lacks is the key.",
                *ANY_ID,
                "Action::ebs:*",
            ),
        )

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
        acknowledge(
            volume,
            in_packs(
                "EC2EBSInBackupPlan",
                "What is on it can be lost; a backup would outlive the lab.",
                ("NIST.800.53.R5", "HIPAA.Security"),
            ),
        )
        return volume

    def _instance(
        self, settings: LabSettings, key_arn: str, network: NetworkStack, volume: ec2.CfnVolume
    ) -> None:
        """Add an instance without a public address, a role or a way in: it mounts the volume, that is all."""
        image = CfnParameter(
            self, "Image", type="AWS::SSM::Parameter::Value<AWS::EC2::Image::Id>", default=IMAGE_PARAMETER
        )
        instance = ec2.CfnInstance(
            self,
            "Mount",
            image_id=image.value_as_string,
            instance_type=INSTANCE_TYPE,
            subnet_id=network.subnet_id,
            security_group_ids=[network.instance_group_id],
            availability_zone=volume.availability_zone,
            ebs_optimized=True,
            metadata_options=ec2.CfnInstance.MetadataOptionsProperty(http_tokens="required"),
            block_device_mappings=[
                ec2.CfnInstance.BlockDeviceMappingProperty(
                    device_name="/dev/xvda",
                    ebs=ec2.CfnInstance.EbsProperty(
                        encrypted=True, kms_key_id=key_arn, volume_type="gp3", delete_on_termination=True
                    ),
                )
            ],
            # A VolumeAttachment would be deleted before the instance, while the volume is still mounted:
            # it would stay busy. Attached by the instance itself, it goes free when the instance ends.
            volumes=[ec2.CfnInstance.VolumeProperty(device="/dev/sdf", volume_id=volume.ref)],
            user_data=Fn.base64(Fn.sub(MOUNT_SCRIPT, {"Volume": volume.ref})),
            tags=[CfnTag(key="Name", value=f"{settings.prefix}-mount")],
        )
        acknowledge(
            instance,
            {
                "AwsSolutions-EC28": "Detailed monitoring of an instance that only mounts a volume costs more than it.",
                "AwsSolutions-EC29": "The lab must be easy to tear down: no termination protection.",
                "HIPAA.Security-EC2InstanceDetailedMonitoringEnabled": "See AwsSolutions-EC28.",
                **in_packs(
                    "EC2InstanceProfileAttached", "It needs no permission: EBS decrypts for it under a grant."
                ),
            },
        )
        output(self, LabOutputs.instance, instance.ref)
