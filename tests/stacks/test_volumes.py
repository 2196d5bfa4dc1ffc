from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.stacks.template import Assembly

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
