"""Volumes and snapshots beside the lab's own, and the Region's settings for EBS."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kmslab.faults.change import NothingSaved
from kmslab.faults.changes.objects import discard_keys, make_key, mark
from kmslab.faults.changes.setting import Setting
from kmslab.model.naming import PREFIX_TAG
from kmslab.model.outputs import LabOutputs

if TYPE_CHECKING:
    from kmslab.faults.change import Json
    from kmslab.faults.templates import Templates
    from kmslab.faults.workshop import Workshop

GIBIBYTE = 1


class SecondVolume:
    """Beside the lab's volume stands another one of the lab's: what a hurried rebuild leaves.

    EBS cannot change the encryption of a volume, so a volume that is encrypted otherwise is always
    another volume.
    """

    def __init__(
        self, name: str, *, encrypted: bool, foreign_key: bool = False, public_snapshot: bool = False
    ) -> None:
        """Say what stands there.

        Args:
            name: value of its tag ``Name``; no two faults share one.
            encrypted: whether it is; then under the AWS managed key aws/ebs.
            foreign_key: instead under a key made for it.
            public_snapshot: whether a snapshot of it is everybody's.
        """
        self.name = name
        self.encrypted = encrypted
        self.foreign_key = foreign_key
        self.public_snapshot = public_snapshot

    def save(self, workshop: Workshop) -> Json:
        """Find the zone of the lab's volume."""
        found = workshop.client("ec2").describe_volumes(VolumeIds=[workshop.outputs.data_volume])
        return {"zone": found["Volumes"][0]["AvailabilityZone"]}

    def apply(self, workshop: Workshop, saved: Json) -> None:
        """Make the volume, and its snapshot."""
        ec2 = workshop.client("ec2")
        key = {"KmsKeyId": make_key(workshop, self.name)} if self.foreign_key else {}
        made = ec2.create_volume(
            AvailabilityZone=saved["zone"],
            Size=GIBIBYTE,
            VolumeType="gp3",
            Encrypted=self.encrypted,
            TagSpecifications=_tagged(workshop, "volume", self.name),
            **key,
        )["VolumeId"]
        ec2.get_waiter("volume_available").wait(VolumeIds=[made])
        if self.public_snapshot:
            _share(ec2, _snapshot(workshop, made, self.name), GroupNames=["all"])

    def restore(self, workshop: Workshop, saved: Json) -> None:
        """Remove them."""
        del saved
        _remove(workshop, self.name)
        discard_keys(workshop, self.name)

    def in_template(self, templates: Templates) -> bool:
        """Change the lab's volume itself, as a rebuild would."""
        if self.foreign_key or self.public_snapshot:
            return False
        properties = templates.resource(LabOutputs.data_volume).properties
        properties["Encrypted"] = self.encrypted
        del properties["KmsKeyId"]
        return True


class SharedSnapshot(NothingSaved):
    """A snapshot of the lab's volume is shared with another account."""

    def __init__(self, name: str, account: str) -> None:
        """Take the value of its tag ``Name``, which no two faults share, and the other account's id."""
        self.name = name
        self.account = account

    def apply(self, workshop: Workshop, saved: Json) -> None:
        """Take the snapshot and share it."""
        del saved
        snapshot = _snapshot(workshop, workshop.outputs.data_volume, self.name)
        _share(workshop.client("ec2"), snapshot, UserIds=[self.account])

    def restore(self, workshop: Workshop, saved: Json) -> None:
        """Remove it."""
        del saved
        _remove(workshop, self.name)


class VolumeTag(Setting):
    """The lab's volume has lost the tag that says whose it is."""

    def read(self, workshop: Workshop) -> Any:
        """Return the tag's value."""
        found = workshop.client("ec2").describe_volumes(VolumeIds=[workshop.outputs.data_volume])
        tags = {tag["Key"]: tag["Value"] for tag in found["Volumes"][0].get("Tags", ())}
        return tags.get(PREFIX_TAG)

    def write(self, workshop: Workshop, value: Any) -> None:
        """Set the tag, or remove it."""
        ec2, volumes = workshop.client("ec2"), [workshop.outputs.data_volume]
        if value is None:
            ec2.delete_tags(Resources=volumes, Tags=[{"Key": PREFIX_TAG}])
        else:
            ec2.create_tags(Resources=volumes, Tags=[{"Key": PREFIX_TAG, "Value": value}])

    def broken(self, workshop: Workshop, value: Any) -> Any:
        """Return no value."""
        del workshop, value

    def in_template(self, templates: Templates) -> bool:
        """Remove the tag."""
        properties = templates.resource(LabOutputs.data_volume).properties
        properties["Tags"] = [tag for tag in properties["Tags"] if tag["Key"] != PREFIX_TAG]
        return True


class VolumeType(Setting):
    """The lab's volume is of another type."""

    def __init__(self, kind: str) -> None:
        """Take the type: ``gp2``."""
        self.kind = kind

    def read(self, workshop: Workshop) -> Any:
        """Return the type."""
        found = workshop.client("ec2").describe_volumes(VolumeIds=[workshop.outputs.data_volume])
        return found["Volumes"][0]["VolumeType"]

    def write(self, workshop: Workshop, value: Any) -> None:
        """Change it."""
        if value != self.read(workshop):
            workshop.client("ec2").modify_volume(VolumeId=workshop.outputs.data_volume, VolumeType=value)

    def broken(self, workshop: Workshop, value: Any) -> Any:
        """Return the other type."""
        del workshop, value
        return self.kind

    def in_template(self, templates: Templates) -> bool:
        """Change it."""
        templates.resource(LabOutputs.data_volume).properties["VolumeType"] = self.kind
        return True


def _tagged(workshop: Workshop, kind: str, name: str) -> list[Json]:
    """The ``TagSpecifications`` of something that carries the lab's tag, as its own volumes do."""
    tags = {PREFIX_TAG: workshop.prefix, **mark(workshop, name)}
    return [{"ResourceType": kind, "Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}]


def _snapshot(workshop: Workshop, volume: str, name: str) -> str:
    ec2 = workshop.client("ec2")
    tags = _tagged(workshop, "snapshot", name)
    made = str(ec2.create_snapshot(VolumeId=volume, TagSpecifications=tags)["SnapshotId"])
    ec2.get_waiter("snapshot_completed").wait(SnapshotIds=[made])
    return made


def _share(ec2: Any, snapshot: str, **with_whom: list[str]) -> None:
    ec2.modify_snapshot_attribute(
        SnapshotId=snapshot, Attribute="createVolumePermission", OperationType="add", **with_whom
    )


def _remove(workshop: Workshop, name: str) -> None:
    """Delete the volumes and snapshots that a fault made under the name."""
    ec2 = workshop.client("ec2")
    ours = [{"Name": f"tag:{key}", "Values": [value]} for key, value in mark(workshop, name).items()]
    for snapshot in ec2.describe_snapshots(Filters=ours, OwnerIds=["self"])["Snapshots"]:
        ec2.delete_snapshot(SnapshotId=snapshot["SnapshotId"])
    for volume in ec2.describe_volumes(Filters=ours)["Volumes"]:
        ec2.delete_volume(VolumeId=volume["VolumeId"])
