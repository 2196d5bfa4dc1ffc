"""Calls about two resources need permission on both, and tags tell them apart.

Service Authorization Reference, "Actions, resources, and condition keys for Amazon EC2".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.engine.conftest import allow, refused

if TYPE_CHECKING:
    from tests.engine.conftest import Engine

BLUE = [{"Key": "team", "Value": "blue"}]
HAS_TAG = {"StringEquals": {"aws:ResourceTag/team": "blue"}}
GIVES_TAG = {"StringEquals": {"aws:RequestTag/team": "blue"}}


def tagged(kind: str) -> list[dict[str, Any]]:
    return [{"ResourceType": kind, "Tags": BLUE}]


def volume(ec2: Any, **parameters: Any) -> str:
    zone = ec2.describe_availability_zones()["AvailabilityZones"][0]["ZoneName"]
    return str(ec2.create_volume(AvailabilityZone=zone, Size=1, VolumeType="gp3", **parameters)["VolumeId"])


def test_attaching_takes_permission_on_the_instance_and_on_the_volume(engine: Engine, ec2: Any) -> None:
    one = volume(ec2)
    run = ec2.run_instances(ImageId="ami-12345678", InstanceType="t3.micro", MinCount=1, MaxCount=1)
    instance = run["Instances"][0]["InstanceId"]
    here = f"arn:aws:ec2:{engine.region}:{engine.account}"
    parts = [f"{here}:instance/{instance}", f"{here}:volume/{one}"]
    for action, extra in (("attach_volume", {"Device": "/dev/sdf"}), ("detach_volume", {})):
        name = "ec2:" + action.title().replace("_", "")
        for part in parts:
            client = engine.client("ec2", engine.role(allow(name, Resource=part)))
            with refused("UnauthorizedOperation"):
                getattr(client, action)(VolumeId=one, InstanceId=instance, **extra)
        client = engine.client("ec2", engine.role(allow(name, Resource=parts)))
        getattr(client, action)(VolumeId=one, InstanceId=instance, **extra)


def test_a_volume_of_a_snapshot_takes_permission_on_the_snapshot(engine: Engine, ec2: Any) -> None:
    """The new volume has the request's tags, the snapshot its own."""
    mine = ec2.create_snapshot(VolumeId=volume(ec2), TagSpecifications=tagged("snapshot"))["SnapshotId"]
    other = ec2.create_snapshot(VolumeId=volume(ec2))["SnapshotId"]
    volumes, snapshots = "arn:aws:ec2:*:*:volume/*", "arn:aws:ec2:*::snapshot/*"
    role = engine.role(
        allow("ec2:CreateVolume", Resource=volumes, Condition=GIVES_TAG),
        allow("ec2:CreateVolume", Resource=snapshots, Condition=HAS_TAG),
        allow("ec2:DescribeAvailabilityZones"),
    )
    mine_only = engine.client("ec2", role)
    with refused("UnauthorizedOperation"):
        volume(mine_only, SnapshotId=other, TagSpecifications=tagged("volume"))
    with refused("UnauthorizedOperation"):
        volume(mine_only, SnapshotId=mine)
    assert volume(mine_only, SnapshotId=mine, TagSpecifications=tagged("volume"))
    assert volume(mine_only, TagSpecifications=tagged("volume"))


@pytest.mark.parametrize("action", ["CreateSnapshot", "CopySnapshot"])
def test_a_new_snapshot_takes_permission_on_it_and_on_its_source(
    engine: Engine, ec2: Any, action: str
) -> None:
    mine, other = volume(ec2, TagSpecifications=tagged("volume")), volume(ec2)
    kind = "volume/*" if action == "CreateSnapshot" else "snapshot/snap-*"
    if action == "CopySnapshot":
        mine = ec2.create_snapshot(VolumeId=mine, TagSpecifications=tagged("snapshot"))["SnapshotId"]
        other = ec2.create_snapshot(VolumeId=other)["SnapshotId"]
    source = allow(f"ec2:{action}", Resource=f"arn:aws:ec2:*:*:{kind}", Condition=HAS_TAG)
    target = allow(f"ec2:{action}", Resource="arn:aws:ec2:*::snapshot/*", Condition=GIVES_TAG)

    def make(client: Any, of: str, **rest: Any) -> Any:
        if action == "CreateSnapshot":
            return client.create_snapshot(VolumeId=of, **rest)["SnapshotId"]
        return client.copy_snapshot(SourceRegion=engine.region, SourceSnapshotId=of, **rest)["SnapshotId"]

    for statements in ((source,), (target,)):
        with refused("UnauthorizedOperation"):
            make(engine.client("ec2", engine.role(*statements)), mine, TagSpecifications=tagged("snapshot"))
    both = engine.client("ec2", engine.role(source, target))
    with refused("UnauthorizedOperation"):
        make(both, mine)
    with refused("UnauthorizedOperation"):
        make(both, other, TagSpecifications=tagged("snapshot"))
    assert make(both, mine, TagSpecifications=tagged("snapshot"))
