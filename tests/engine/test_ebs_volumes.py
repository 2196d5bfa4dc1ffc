"""EBS encryption: which key volumes get, whose permissions on it decide, and the grants of instances."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.engine.conftest import allow, refused
from tests.engine.ebs import EC2_ALL, GRANT, NEW, gives_up, heard, volume

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.engine.conftest import Engine, Principal


@pytest.fixture
def encryption_by_default(ec2: Any) -> Iterator[None]:
    assert ec2.enable_ebs_encryption_by_default()["EbsEncryptionByDefault"] is True
    yield
    assert ec2.disable_ebs_encryption_by_default()["EbsEncryptionByDefault"] is False
    ec2.reset_ebs_default_kms_key_id()


def test_a_volume_is_under_the_key_it_asks_for(ec2: Any, key: str) -> None:
    made = volume(ec2, Encrypted=True, KmsKeyId=key.rsplit("/", 1)[-1])
    shown = ec2.describe_volumes(VolumeIds=[made["VolumeId"]])["Volumes"][0]
    assert (shown["Encrypted"], shown["KmsKeyId"], shown["State"]) == (True, key, "available")


def test_an_encrypted_volume_without_a_key_is_under_the_aws_managed_key(ec2: Any, kms: Any) -> None:
    made = volume(ec2, Encrypted=True)
    assert made["KmsKeyId"] == kms.describe_key(KeyId="alias/aws/ebs")["KeyMetadata"]["Arn"]


def test_a_volume_is_not_encrypted_unless_asked(ec2: Any) -> None:
    made = volume(ec2)
    assert made["Encrypted"] is False
    assert "KmsKeyId" not in made


def test_a_key_without_encryption_is_refused(ec2: Any, key: str) -> None:
    with refused("InvalidParameterDependency", "Encrypted"):
        volume(ec2, KmsKeyId=key)


def test_encryption_by_default_encrypts_what_does_not_ask(
    ec2: Any, key: str, encryption_by_default: None
) -> None:
    assert ec2.modify_ebs_default_kms_key_id(KmsKeyId=key)["KmsKeyId"] == key
    assert ec2.get_ebs_default_kms_key_id()["KmsKeyId"] == key
    assert ec2.get_ebs_encryption_by_default()["EbsEncryptionByDefault"] is True
    assert volume(ec2)["KmsKeyId"] == key


def test_encryption_by_default_is_a_setting_of_its_region(
    engine: Engine, encryption_by_default: None
) -> None:
    elsewhere = engine.client("ec2", region="eu-west-1")
    assert elsewhere.get_ebs_encryption_by_default()["EbsEncryptionByDefault"] is False


def test_an_asymmetric_key_cannot_be_the_default(ec2: Any, engine: Engine) -> None:
    signing = engine.key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")
    with refused("InvalidKMSKey.NotFound"):
        ec2.modify_ebs_default_kms_key_id(KmsKeyId=signing)


def test_creating_a_volume_takes_the_callers_permissions_on_the_key(engine: Engine, key: str) -> None:
    via = {"StringEquals": {"kms:ViaService": f"ec2.{engine.region}.amazonaws.com"}}
    allowed = engine.role(EC2_ALL, GRANT, allow(*NEW, Condition=via))
    assert volume(engine.client("ec2", allowed), Encrypted=True, KmsKeyId=key)["KmsKeyId"] == key


@pytest.mark.parametrize(
    ("statements", "lacking"),
    [
        ((), "kms:DescribeKey"),
        ((allow(*NEW),), "kms:CreateGrant"),
        ((GRANT, allow("kms:DescribeKey")), "kms:GenerateDataKeyWithoutPlaintext"),
    ],
)
def test_without_one_of_them_there_is_no_volume(
    engine: Engine, ec2: Any, key: str, statements: tuple[dict[str, Any], ...], lacking: str
) -> None:
    role = engine.role(EC2_ALL, *statements)
    gives_up(ec2, volume(engine.client("ec2", role), Encrypted=True, KmsKeyId=key))
    assert not [v for v in ec2.describe_volumes()["Volumes"] if v.get("KmsKeyId") == key]
    history = engine.client("cloudtrail").lookup_events(
        LookupAttributes=[{"AttributeKey": "ResourceName", "AttributeValue": key}]
    )["Events"]
    failed = [json.loads(event["CloudTrailEvent"]) for event in history]
    assert lacking in next(event["errorMessage"] for event in failed if "errorMessage" in event)


def test_a_disabled_or_unknown_key_makes_no_volume(engine: Engine, ec2: Any, kms: Any, key: str) -> None:
    """EC2 API Reference, "CreateVolume": the key is looked at after the answer."""
    assert volume(ec2, Encrypted=True, KmsKeyId=key)["State"] == "creating"
    kms.disable_key(KeyId=key)
    gives_up(ec2, volume(ec2, Encrypted=True, KmsKeyId=key))
    gives_up(ec2, volume(ec2, Encrypted=True, KmsKeyId="00000000-0000-0000-0000-000000000000"))
    signer = engine.key(engine.account_statement(), KeySpec="RSA_2048", KeyUsage="ENCRYPT_DECRYPT")
    gives_up(ec2, volume(ec2, Encrypted=True, KmsKeyId=signer))


def test_eventbridge_is_told_why_a_volume_was_not_made(engine: Engine, ec2: Any, kms: Any, key: str) -> None:
    """EBS User Guide, "EBS volume events": the cause of a failed createVolume."""
    kms.disable_key(KeyId=key)
    with heard(engine, "EBS Volume Notification") as events:
        made = volume(ec2, Encrypted=True, KmsKeyId=key)["VolumeId"]
        [event] = events()
    assert event["resources"] == [f"arn:aws:ec2:{engine.region}:{engine.account}:volume/{made}"]
    assert event["detail"]["result"] == "failed"
    assert event["detail"]["cause"] == f"{key} is disabled."


def grants(kms: Any, key: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = kms.list_grants(KeyId=key)["Grants"]
    return found


def test_an_instance_holds_a_grant_for_as_long_as_a_volume_is_attached(
    engine: Engine, ec2: Any, kms: Any, key: str
) -> None:
    """KMS Developer Guide, "Examining grants"."""
    made = volume(ec2, Encrypted=True, KmsKeyId=key)["VolumeId"]
    assert grants(kms, key) == []
    [instance] = ec2.run_instances(ImageId="ami-12345678", InstanceType="t3.micro", MinCount=1, MaxCount=1)[
        "Instances"
    ]
    ec2.attach_volume(VolumeId=made, InstanceId=instance["InstanceId"], Device="/dev/sdf")
    [grant] = grants(kms, key)
    session = f"assumed-role/aws:ec2-infrastructure/{instance['InstanceId']}"
    assert grant["GranteePrincipal"] == f"arn:aws:sts::{engine.account}:{session}"
    assert grant["Operations"] == ["Decrypt"]
    assert grant["Constraints"] == {"EncryptionContextSubset": {"aws:ebs:id": made}}
    ec2.detach_volume(VolumeId=made)
    assert grants(kms, key) == []


def test_the_grant_for_a_root_volume_ends_with_the_instance(ec2: Any, kms: Any, key: str) -> None:
    mapping = {"DeviceName": "/dev/xvda", "Ebs": {"Encrypted": True, "KmsKeyId": key}}
    [instance] = ec2.run_instances(
        ImageId="ami-12345678", InstanceType="t3.micro", MinCount=1, MaxCount=1, BlockDeviceMappings=[mapping]
    )["Instances"]
    assert len(grants(kms, key)) == 1
    ec2.terminate_instances(InstanceIds=[instance["InstanceId"]])
    assert grants(kms, key) == []


def test_a_terminated_instance_takes_only_the_volumes_along_that_go_with_it(ec2: Any) -> None:
    """EC2 User Guide, "Preserve data when an instance is terminated": the root volume by default, others not."""

    def launched(**ebs: Any) -> tuple[str, str]:
        [one] = ec2.run_instances(
            ImageId="ami-12345678",
            MinCount=1,
            MaxCount=1,
            BlockDeviceMappings=[{"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 9, **ebs}}],
        )["Instances"]
        attached = [{"Name": "attachment.instance-id", "Values": [one["InstanceId"]]}]
        return one["InstanceId"], ec2.describe_volumes(Filters=attached)["Volumes"][0]["VolumeId"]

    instance, root = launched()
    keeping, kept = launched(DeleteOnTermination=False)
    data = volume(ec2)["VolumeId"]
    ec2.attach_volume(VolumeId=data, InstanceId=instance, Device="/dev/sdf")
    ec2.terminate_instances(InstanceIds=[instance, keeping])
    with refused("InvalidVolume.NotFound"):
        ec2.describe_volumes(VolumeIds=[root])
    for one in ec2.describe_volumes(VolumeIds=[kept, data])["Volumes"]:
        assert (one["State"], one["Attachments"]) == ("available", [])


def test_a_launch_asks_for_all_that_it_makes_and_takes(engine: Engine, ec2: Any) -> None:
    """EC2 User Guide, "Launch instances (RunInstances)": each of these, and the image, has to be allowed."""
    kinds = ("instance", "network-interface", "security-group", "subnet", "volume")
    arns = [f"arn:aws:ec2:*:{engine.account}:{kind}/*" for kind in kinds]
    arns += ["arn:aws:ec2:*::image/ami-12345678", f"arn:aws:ec2:*:{engine.account}:key-pair/mine"]

    def launch(allowed: list[str]) -> str:
        statement = {"Effect": "Allow", "Action": "ec2:RunInstances", "Resource": allowed}
        [one] = engine.client("ec2", engine.role(statement)).run_instances(
            ImageId="ami-12345678", KeyName="mine", MinCount=1, MaxCount=1
        )["Instances"]
        return str(one["InstanceId"])

    ec2.terminate_instances(InstanceIds=[launch(arns)])
    for one in arns:
        with refused("UnauthorizedOperation"):
            launch([other for other in arns if other != one])


@pytest.mark.parametrize("name", ["aws:ResourceTag/team", "ec2:ResourceTag/team"])
def test_permissions_may_depend_on_a_volumes_tags(engine: Engine, ec2: Any, name: str) -> None:
    tagged, other = volume(ec2)["VolumeId"], volume(ec2)["VolumeId"]
    ec2.create_tags(Resources=[tagged], Tags=[{"Key": "team", "Value": "blue"}])
    blue = engine.client("ec2", engine.role({**EC2_ALL, "Condition": {"StringEquals": {name: "blue"}}}))
    with refused("UnauthorizedOperation"):
        blue.delete_volume(VolumeId=other)
    blue.delete_volume(VolumeId=tagged)
    with refused("InvalidVolume.NotFound"):
        ec2.describe_volumes(VolumeIds=[tagged])


def test_attaching_takes_a_usable_key_and_permission(engine: Engine, ec2: Any, kms: Any, key: str) -> None:
    made = volume(ec2, Encrypted=True, KmsKeyId=key)["VolumeId"]
    instance = ec2.run_instances(ImageId="ami-12345678", InstanceType="t3.micro", MinCount=1, MaxCount=1)
    where = {"VolumeId": made, "InstanceId": instance["Instances"][0]["InstanceId"], "Device": "/dev/sdf"}
    inaccessible = f"Volume {made} cannot be attached. The encrypted volume was unable to access the KMS key."
    with refused("CustomerKeyHasBeenRevoked", inaccessible):
        engine.client("ec2", engine.role(EC2_ALL, GRANT)).attach_volume(**where)
    kms.disable_key(KeyId=key)
    with refused("CustomerKeyHasBeenRevoked", inaccessible):
        ec2.attach_volume(**where)
    kms.enable_key(KeyId=key)
    assert ec2.attach_volume(**where)["State"] == "attached"
    with refused("VolumeInUse"):
        ec2.attach_volume(**where)


def test_the_root_volume_of_an_instance_is_under_the_key_of_its_mapping(ec2: Any, key: str) -> None:
    mapping = {"DeviceName": "/dev/xvda", "Ebs": {"Encrypted": True, "KmsKeyId": key, "VolumeSize": 9}}
    made = ec2.run_instances(
        ImageId="ami-12345678", InstanceType="t3.micro", MinCount=1, MaxCount=1, BlockDeviceMappings=[mapping]
    )["Instances"][0]["InstanceId"]
    attached = [{"Name": "attachment.instance-id", "Values": [made]}]
    root = ec2.describe_volumes(Filters=attached)["Volumes"][0]
    assert (root["KmsKeyId"], root["Size"]) == (key, 9)


def test_an_instance_whose_root_key_cannot_be_used_terminates(
    engine: Engine, ec2: Any, kms: Any, key: str
) -> None:
    """EC2 User Guide, "Instance terminates immediately"."""
    mapping = {"DeviceName": "/dev/xvda", "Ebs": {"Encrypted": True, "KmsKeyId": key}}

    def launched(who: Principal | None = None) -> dict[str, Any]:
        made = engine.client("ec2", who).run_instances(
            ImageId="ami-12345678",
            InstanceType="t3.micro",
            MinCount=1,
            MaxCount=1,
            BlockDeviceMappings=[mapping],
        )["Instances"][0]["InstanceId"]
        shown: dict[str, Any] = ec2.describe_instances(InstanceIds=[made])["Reservations"][0]["Instances"][0]
        return shown

    assert "StateReason" not in launched()
    volumes = len(ec2.describe_volumes()["Volumes"])
    denied = launched(engine.role(EC2_ALL))
    assert denied["State"]["Name"] == "terminated"
    assert denied["StateReason"] == {
        "Code": "Client.InternalError",
        "Message": "Client.InternalError: Client error on launch",
    }
    kms.disable_key(KeyId=key)
    unusable = launched()
    assert unusable["State"]["Name"] == "terminated"
    assert unusable["StateReason"] == {
        "Code": "Client.InvalidKMSKey.InvalidState",
        "Message": "Client.InvalidKMSKey.InvalidState: The KMS key provided is in an incorrect state",
    }
    assert len(ec2.describe_volumes()["Volumes"]) == volumes
    assert not [one for one in grants(kms, key) if denied["InstanceId"] in one["GranteePrincipal"]]


def test_a_volume_has_a_size_or_a_snapshot(ec2: Any) -> None:
    """The first as recorded from AWS by LocalStack's test suite (2025-02-04)."""
    zone = {"AvailabilityZone": "us-east-1a"}
    with refused("MissingParameter", "The request must contain the parameter size/snapshot"):
        ec2.create_volume(**zone)
    with refused("InvalidParameterValue", "Value (much) for parameter size is invalid."):
        ec2.create_volume(Size="much", **zone)
    with refused("InvalidParameterValue", "for parameter size is invalid."):
        ec2.create_volume(Size="9" * 5000, **zone)
    large = ec2.create_volume(Size=50, **zone)
    assert (large["VolumeType"], large["Iops"]) == ("gp2", 150)
    snapshot = ec2.create_snapshot(VolumeId=large["VolumeId"])["SnapshotId"]
    assert ec2.create_volume(SnapshotId=snapshot, **zone)["Size"] == 50
    with refused("InvalidParameterValue", "50"):
        ec2.create_volume(SnapshotId=snapshot, Size=49, **zone)


@pytest.mark.parametrize(("name", "number"), [("Size", 200), ("Iops", 4000), ("Throughput", 200)])
def test_what_a_volume_can_do_is_told_in_numbers(ec2: Any, name: str, number: int) -> None:
    volume = {"AvailabilityZone": "us-east-1a", "Size": 5, "VolumeType": "gp3"}
    with refused("InvalidParameterValue", f"Value (true) for parameter {name.lower()} is invalid."):
        ec2.create_volume(**{**volume, name: "true"})
    made = ec2.create_volume(**volume)["VolumeId"]
    with refused("InvalidParameterValue", f"Value (true) for parameter {name.lower()} is invalid."):
        ec2.modify_volume(VolumeId=made, **{name: "true"})
    ec2.modify_volume(VolumeId=made, **{name: number})
    assert ec2.describe_volumes(VolumeIds=[made])["Volumes"][0][name] == number


def test_a_volume_is_detached_from_where_it_is_attached(ec2: Any) -> None:
    image = ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
    made = ec2.run_instances(ImageId=image, MinCount=2, MaxCount=2)["Instances"]
    one, other = (instance["InstanceId"] for instance in made)
    name = volume(ec2)["VolumeId"]
    ec2.attach_volume(VolumeId=name, InstanceId=one, Device="/dev/sdf")
    with refused("VolumeInUse", f"Volume {name} is currently attached to {one}"):
        ec2.delete_volume(VolumeId=name)
    with refused("InvalidAttachment.NotFound", other):
        ec2.detach_volume(VolumeId=name, InstanceId=other)
    with refused("InvalidInstanceID.NotFound", "i-1234abcd"):
        ec2.detach_volume(VolumeId=name, InstanceId="i-1234abcd")
    ec2.detach_volume(VolumeId=name, InstanceId=one)
    with refused("IncorrectState", "is in the 'available' state"):
        ec2.detach_volume(VolumeId=name, InstanceId=one)
    ec2.delete_volume(VolumeId=name)
    ec2.terminate_instances(InstanceIds=[one, other])


def test_a_dry_run_says_who_may_and_does_nothing(engine: Engine, ec2: Any) -> None:
    """EC2 API Reference, "Common query parameters", DryRun."""
    name = volume(ec2)["VolumeId"]
    before = ec2.get_ebs_encryption_by_default()["EbsEncryptionByDefault"]
    for call, asked in (
        (ec2.delete_volume, {"VolumeId": name}),
        (ec2.create_snapshot, {"VolumeId": name}),
        (ec2.enable_ebs_encryption_by_default, {}),
    ):
        with refused("DryRunOperation", "Request would have succeeded, but DryRun flag is set."):
            call(**asked, DryRun=True)
    with refused("UnauthorizedOperation"):
        engine.client("ec2", engine.role(allow("ec2:Describe*"))).delete_volume(VolumeId=name, DryRun=True)
    assert ec2.describe_volumes(VolumeIds=[name])["Volumes"]
    found = ec2.describe_snapshots(Filters=[{"Name": "volume-id", "Values": [name]}])["Snapshots"]
    assert found == []
    assert ec2.get_ebs_encryption_by_default()["EbsEncryptionByDefault"] is before
    ec2.delete_volume(VolumeId=name, DryRun=False)
    with refused("InvalidVolume.NotFound", f"The volume '{name}' does not exist."):
        ec2.describe_volumes(VolumeIds=[name])
