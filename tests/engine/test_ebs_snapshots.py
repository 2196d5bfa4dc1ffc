"""EBS snapshots: which key they and their copies get, whose permissions decide, and with whom they are shared."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.engine.conftest import allow, refused
from tests.engine.ebs import EC2_ALL, GRANT, NEW, gives_up, heard, volume

if TYPE_CHECKING:
    from tests.engine.conftest import Engine


def test_a_snapshot_keeps_the_key_and_a_volume_from_it_too(ec2: Any, key: str) -> None:
    made = volume(ec2, Encrypted=True, KmsKeyId=key)
    snapshot = ec2.create_snapshot(VolumeId=made["VolumeId"])
    assert (snapshot["Encrypted"], snapshot["KmsKeyId"]) == (True, key)
    assert volume(ec2, SnapshotId=snapshot["SnapshotId"])["KmsKeyId"] == key


def test_restoring_takes_the_key_of_the_snapshot(engine: Engine, ec2: Any, key: str) -> None:
    other = engine.key(engine.account_statement())
    made = volume(ec2, Encrypted=True, KmsKeyId=key)
    snapshot = ec2.create_snapshot(VolumeId=made["VolumeId"])["SnapshotId"]
    only_new = engine.client(
        "ec2", engine.role(EC2_ALL, GRANT, allow(*NEW), allow("kms:Decrypt", Resource=other))
    )
    gives_up(ec2, volume(only_new, SnapshotId=snapshot, Encrypted=True, KmsKeyId=other))
    assert volume(ec2, SnapshotId=snapshot, Encrypted=True, KmsKeyId=other)["KmsKeyId"] == other


def test_a_copy_keeps_the_key_or_takes_another(ec2: Any, engine: Engine, key: str) -> None:
    other = engine.key(engine.account_statement())
    source = ec2.create_snapshot(VolumeId=volume(ec2, Encrypted=True, KmsKeyId=key)["VolumeId"])["SnapshotId"]

    def copy(**parameters: Any) -> dict[str, Any]:
        made = ec2.copy_snapshot(SourceRegion=engine.region, SourceSnapshotId=source, **parameters)
        shown: dict[str, Any] = ec2.describe_snapshots(SnapshotIds=[made["SnapshotId"]])["Snapshots"][0]
        return shown

    assert copy()["KmsKeyId"] == key
    assert copy(Encrypted=True, KmsKeyId=other)["KmsKeyId"] == other


def test_a_copy_of_an_unencrypted_snapshot_can_be_encrypted(ec2: Any, engine: Engine, key: str) -> None:
    source = ec2.create_snapshot(VolumeId=volume(ec2)["VolumeId"])["SnapshotId"]
    made = ec2.copy_snapshot(
        SourceRegion=engine.region, SourceSnapshotId=source, Encrypted=True, KmsKeyId=key
    )["SnapshotId"]
    shown = ec2.describe_snapshots(SnapshotIds=[made])["Snapshots"][0]
    assert (shown["Encrypted"], shown["KmsKeyId"]) == (True, key)


def fails_later(ec2: Any, made: dict[str, Any]) -> None:
    """A copy is begun and ends in an error: the EBS User Guide has the words."""
    [shown] = ec2.describe_snapshots(SnapshotIds=[made["SnapshotId"]])["Snapshots"]
    assert (shown["State"], shown["StateMessage"]) == ("error", "Given key ID is not accessible")
    with refused("IncorrectState"):
        volume(ec2, SnapshotId=made["SnapshotId"])
    ec2.delete_snapshot(SnapshotId=made["SnapshotId"])


def test_copying_takes_the_key_of_the_source(engine: Engine, ec2: Any, key: str) -> None:
    other = engine.key(engine.account_statement())
    source = ec2.create_snapshot(VolumeId=volume(ec2, Encrypted=True, KmsKeyId=key)["VolumeId"])["SnapshotId"]
    only_new = engine.role(EC2_ALL, GRANT, allow(*NEW, "kms:Decrypt", Resource=other))
    request = {
        "SourceRegion": engine.region,
        "SourceSnapshotId": source,
        "Encrypted": True,
        "KmsKeyId": other,
    }
    fails_later(ec2, engine.client("ec2", only_new).copy_snapshot(**request))
    history = engine.client("cloudtrail").lookup_events(
        LookupAttributes=[{"AttributeKey": "ResourceName", "AttributeValue": key}]
    )["Events"]
    told = [json.loads(event["CloudTrailEvent"]) for event in history]
    assert any("kms:Decrypt" in event.get("errorMessage", "") for event in told)
    both = engine.role(
        EC2_ALL, GRANT, allow(*NEW, Resource=other), allow("kms:Decrypt", Resource=[key, other])
    )
    made = engine.client("ec2", both).copy_snapshot(**request)["SnapshotId"]
    assert ec2.describe_snapshots(SnapshotIds=[made])["Snapshots"][0]["State"] == "completed"


def test_copying_under_an_unusable_key_fails_later_too(ec2: Any, kms: Any, engine: Engine, key: str) -> None:
    source = ec2.create_snapshot(VolumeId=volume(ec2)["VolumeId"])["SnapshotId"]
    request = {"SourceRegion": engine.region, "SourceSnapshotId": source, "Encrypted": True}
    kms.disable_key(KeyId=key)
    tags = [{"ResourceType": "snapshot", "Tags": [{"Key": "a", "Value": "b"}]}]
    made = ec2.copy_snapshot(KmsKeyId=key, TagSpecifications=tags, **request)
    [shown] = ec2.describe_snapshots(SnapshotIds=[made["SnapshotId"]])["Snapshots"]
    assert (shown["KmsKeyId"], shown["Tags"]) == (key, tags[0]["Tags"])
    fails_later(ec2, made)
    fails_later(ec2, ec2.copy_snapshot(KmsKeyId="00000000-0000-0000-0000-000000000000", **request))


def test_eventbridge_is_told_of_a_failed_copy(engine: Engine, ec2: Any, kms: Any, key: str) -> None:
    """EBS User Guide, "EBS snapshot events": copySnapshot."""
    source = ec2.create_snapshot(VolumeId=volume(ec2, Encrypted=True, KmsKeyId=key)["VolumeId"])["SnapshotId"]
    kms.disable_key(KeyId=key)
    with heard(engine, "EBS Snapshot Notification") as events:
        copy = ec2.copy_snapshot(SourceRegion=engine.region, SourceSnapshotId=source)["SnapshotId"]
        [event] = events()
    snapshot, original = (f"arn:aws:ec2::{engine.region}:snapshot/{one}" for one in (copy, source))
    assert event["resources"] == [snapshot]
    detail = event["detail"]
    assert (detail["event"], detail["result"]) == ("copySnapshot", "failed")
    assert (detail["snapshot_id"], detail["source"]) == (snapshot, original)
    assert detail["cause"] == "Given key ID is not accessible"


def test_a_copy_that_names_a_key_and_no_encryption_is_refused(ec2: Any, key: str) -> None:
    """EC2 API Reference, "CopySnapshot", KmsKeyId: the encrypted state must be true."""
    plain, sealed = (
        ec2.create_snapshot(VolumeId=volume(ec2, Encrypted=one)["VolumeId"])["SnapshotId"]
        for one in (False, True)
    )
    source = {"SourceRegion": "us-east-1", "KmsKeyId": key}
    for asked in ({}, {"Encrypted": False}):
        with refused("InvalidParameterDependency", "[KmsKeyId]"):
            ec2.copy_snapshot(SourceSnapshotId=plain, **source, **asked)
    copy = ec2.copy_snapshot(SourceSnapshotId=sealed, **source)["SnapshotId"]
    (told,) = ec2.describe_snapshots(SnapshotIds=[copy])["Snapshots"]
    assert (told["Encrypted"], told["KmsKeyId"]) == (True, key)


def test_snapshots_of_an_instance_are_of_each_volume_under_its_key(ec2: Any, key: str) -> None:
    """EC2 API Reference, "CreateSnapshots" and "InstanceSpecification"."""
    image = ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
    instance = ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1)["Instances"][0]["InstanceId"]
    tag = {"Key": "team", "Value": "blue"}
    marked = [{"ResourceType": "volume", "Tags": [tag]}]
    sealed = volume(ec2, Encrypted=True, KmsKeyId=key, TagSpecifications=marked)["VolumeId"]
    other = volume(ec2)["VolumeId"]
    for number, one in enumerate((sealed, other)):
        ec2.attach_volume(VolumeId=one, InstanceId=instance, Device=f"/dev/sd{'fg'[number]}")

    def made(**asked: Any) -> dict[str, Any]:
        which = {"InstanceId": instance, **asked.pop("which", {})}
        answer = ec2.create_snapshots(InstanceSpecification=which, **asked)["Snapshots"]
        return {one["VolumeId"]: one for one in answer}

    every = made(Description="all", CopyTagsFromSource="volume")
    assert len(every) == 3
    assert every[sealed]["Tags"] == [tag]
    assert (every[sealed]["Encrypted"], every[other]["Encrypted"]) == (True, False)
    assert {one["Description"] for one in every.values()} == {"all"}
    (told,) = ec2.describe_snapshots(SnapshotIds=[every[sealed]["SnapshotId"]])["Snapshots"]
    assert (told["KmsKeyId"], told["VolumeId"]) == (key, sealed)
    assert made(which={"ExcludeBootVolume": True}).keys() == {sealed, other}
    assert made(which={"ExcludeBootVolume": True, "ExcludeDataVolumeIds": [other]}).keys() == {sealed}
    with refused("InvalidInstanceID.NotFound", "i-12345678"):
        ec2.create_snapshots(InstanceSpecification={"InstanceId": "i-12345678"})
    for one in (sealed, other):
        ec2.detach_volume(VolumeId=one, InstanceId=instance)
    ec2.terminate_instances(InstanceIds=[instance])
