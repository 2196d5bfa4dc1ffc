from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.stacks.template import Assembly, Json

FIRST_ZONE = {"Fn::Select": [0, {"Fn::GetAZs": ""}]}
KEY = "kms-lab-keys:ExportsOutputFnGetAttEbsArn"


def test_volume(lab: Assembly) -> None:
    (volume,) = lab.resources("AWS::EC2::Volume").values()
    properties = dict(volume["Properties"])
    assert properties.pop("KmsKeyId")["Fn::ImportValue"].startswith(KEY)
    assert properties == {
        "AvailabilityZone": FIRST_ZONE,
        "Encrypted": True,
        "Size": 1,
        "VolumeType": "gp3",
        "Tags": [
            {"Key": "kmslab:prefix", "Value": "kms-lab"},
            {"Key": "Name", "Value": "kms-lab-data1"},
        ],
    }
    assert volume["DeletionPolicy"] == "Delete", "a snapshot would outlive the lab"


def test_as_many_volumes_as_asked_for(every_option: Assembly) -> None:
    assert set(every_option.resources("AWS::EC2::Volume")) == {"Data1", "Data2"}


def test_no_instance_unless_asked_for(lab: Assembly, every_option: Assembly) -> None:
    assert lab.resources("AWS::EC2::Instance") == {}
    assert set(every_option.resources("AWS::EC2::Instance")) == {"Mount"}


def test_instance_is_private_and_encrypted(every_option: Assembly) -> None:
    instance = every_option.only("AWS::EC2::Instance", "volumes")
    assert instance["AvailabilityZone"] == FIRST_ZONE
    assert instance["MetadataOptions"] == {"HttpTokens": "required"}
    assert "KeyName" not in instance
    assert "IamInstanceProfile" not in instance
    (disk,) = instance["BlockDeviceMappings"]
    assert disk["Ebs"]["Encrypted"] is True
    assert disk["Ebs"]["KmsKeyId"]["Fn::ImportValue"].startswith(KEY)


def test_the_volume_is_free_once_the_instance_is_gone(every_option: Assembly) -> None:
    """An attachment of its own would be deleted first, while the volume is mounted, and stay busy."""
    instance = every_option.only("AWS::EC2::Instance", "volumes")
    assert instance["Volumes"] == [{"Device": "/dev/sdf", "VolumeId": {"Ref": "Data1"}}]
    assert every_option.resources("AWS::EC2::VolumeAttachment") == {}


def test_the_image_is_found_at_deployment(every_option: Assembly) -> None:
    """A literal image id would be right in one Region, and a look-up would need credentials."""
    assert every_option.only("AWS::EC2::Instance", "volumes")["ImageId"] == {"Ref": "Image"}
    assert every_option.template("volumes")["Parameters"]["Image"] == {
        "Type": "AWS::SSM::Parameter::Value<AWS::EC2::Image::Id>",
        "Default": "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64",
    }


VOLUMES = {"Fn::Sub": "arn:${AWS::Partition}:ec2:${AWS::Region}:${AWS::AccountId}:volume/*"}
SNAPSHOTS = {"Fn::Sub": "arn:${AWS::Partition}:ec2:${AWS::Region}:*:snapshot/*"}
DESCRIBE = {
    "Sid": "Describe",
    "Effect": "Allow",
    "Action": [
        "ec2:DescribeAvailabilityZones",
        "ec2:DescribeSnapshots",
        "ec2:DescribeTags",
        "ec2:DescribeVolumes",
    ],
    "Resource": "*",
}
MAKE = {
    "Sid": "MakeWhatGetsTheLabsTag",
    "Effect": "Allow",
    "Action": ["ec2:CopySnapshot", "ec2:CreateSnapshot", "ec2:CreateVolume", "ebs:StartSnapshot"],
    "Resource": [VOLUMES, SNAPSHOTS],
    "Condition": {"StringEquals": {"aws:RequestTag/kmslab:prefix": "kms-lab"}},
}
TAG = {
    "Sid": "TagWhatIsBeingMade",
    "Effect": "Allow",
    "Action": "ec2:CreateTags",
    "Resource": [VOLUMES, SNAPSHOTS],
    "Condition": {
        "StringEquals": {
            "ec2:CreateAction": ["CopySnapshot", "CreateSnapshot", "CreateVolume", "StartSnapshot"]
        }
    },
}
THE_LABS = {"StringEquals": {"aws:ResourceTag/kmslab:prefix": "kms-lab"}}


def _statements(lab: Assembly, persona: str) -> list[Json]:
    (found,) = [
        one["Properties"]["PolicyDocument"]["Statement"]
        for one in (
            *lab.resources("AWS::IAM::ManagedPolicy", "volumes").values(),
            *lab.resources("AWS::IAM::Policy", "volumes").values(),
        )
        if f"kms-lab-{persona}" in str(one["Properties"].get("Roles"))
    ]
    statements: list[Json] = found
    return statements


def test_the_data_owner_has_the_labs_volumes_and_snapshots_only(lab: Assembly) -> None:
    assert _statements(lab, "data-owner") == [
        DESCRIBE,
        MAKE,
        TAG,
        {
            "Sid": "UseAndRemoveTheLabsVolumesAndSnapshots",
            "Effect": "Allow",
            "Action": [
                "ec2:CopySnapshot",
                "ec2:CreateSnapshot",
                "ec2:CreateVolume",
                "ec2:DeleteSnapshot",
                "ec2:DeleteVolume",
            ],
            "Resource": [VOLUMES, SNAPSHOTS],
            "Condition": THE_LABS,
        },
        {
            "Sid": "WriteAndReadTheLabsBlocks",
            "Effect": "Allow",
            "Action": [
                "ebs:CompleteSnapshot",
                "ebs:GetSnapshotBlock",
                "ebs:ListChangedBlocks",
                "ebs:ListSnapshotBlocks",
                "ebs:PutSnapshotBlock",
            ],
            "Resource": SNAPSHOTS,
            "Condition": THE_LABS,
        },
    ]


def test_the_storage_operator_has_all_of_the_labs_ebs_and_nothing_else(lab: Assembly) -> None:
    assert _statements(lab, "storage-operator") == [
        DESCRIBE,
        MAKE,
        TAG,
        {
            "Sid": "DoEverythingWithTheLabsVolumesAndSnapshots",
            "Effect": "Allow",
            "Action": [
                "ec2:CopySnapshot",
                "ec2:CreateSnapshot",
                "ec2:CreateVolume",
                "ec2:CreateTags",
                "ec2:DeleteSnapshot",
                "ec2:DeleteTags",
                "ec2:DeleteVolume",
                "ec2:ModifySnapshotAttribute",
                "ec2:ModifyVolume",
                "ebs:*",
            ],
            "Resource": [VOLUMES, SNAPSHOTS],
            "Condition": THE_LABS,
        },
    ]
