"""Snapshots and with whom they are shared: accounts, everybody, nobody."""

from __future__ import annotations

from typing import Any

import pytest

from tests.engine.conftest import refused
from tests.engine.ebs import volume

PERMISSION = "createVolumePermission"
THEIRS = {"UserId": "123456789012"}


@pytest.fixture
def plain(ec2: Any) -> dict[str, str]:
    """A snapshot that is not encrypted, and the attribute."""
    made = ec2.create_snapshot(VolumeId=volume(ec2)["VolumeId"])["SnapshotId"]
    return {"SnapshotId": made, "Attribute": PERMISSION}


def test_a_snapshot_under_the_aws_managed_key_cannot_be_shared(ec2: Any, key: str) -> None:
    sharing = {"Attribute": "createVolumePermission", "OperationType": "add", "UserIds": ["123456789012"]}
    managed = ec2.create_snapshot(VolumeId=volume(ec2, Encrypted=True)["VolumeId"])["SnapshotId"]
    with refused("OperationNotPermitted", "with EBS default key cannot be shared"):
        ec2.modify_snapshot_attribute(SnapshotId=managed, **sharing)
    ours = ec2.create_snapshot(VolumeId=volume(ec2, Encrypted=True, KmsKeyId=key)["VolumeId"])["SnapshotId"]
    ec2.modify_snapshot_attribute(SnapshotId=ours, **sharing)


def test_an_encrypted_snapshot_cannot_be_made_public(ec2: Any, key: str) -> None:
    ours = ec2.create_snapshot(VolumeId=volume(ec2, Encrypted=True, KmsKeyId=key)["VolumeId"])["SnapshotId"]
    which = {"SnapshotId": ours, "Attribute": "createVolumePermission"}
    with refused("OperationNotPermitted", "cannot be shared publicly"):
        ec2.modify_snapshot_attribute(OperationType="add", GroupNames=["all"], **which)
    assert ec2.describe_snapshot_attribute(**which)["CreateVolumePermissions"] == []


def test_public_sharing_of_snapshots_can_be_blocked(ec2: Any) -> None:
    snapshot = ec2.create_snapshot(VolumeId=volume(ec2)["VolumeId"])["SnapshotId"]
    everybody = {"Attribute": "createVolumePermission", "OperationType": "add", "GroupNames": ["all"]}
    assert ec2.enable_snapshot_block_public_access(State="block-all-sharing")["State"] == "block-all-sharing"
    assert ec2.get_snapshot_block_public_access_state()["State"] == "block-all-sharing"
    assert ec2.get_snapshot_block_public_access_state()["ManagedBy"] == "account"
    with refused("InvalidParameterValue", "everything"):
        ec2.enable_snapshot_block_public_access(State="everything")
    with refused("OperationNotPermitted"):
        ec2.modify_snapshot_attribute(SnapshotId=snapshot, **everybody)
    assert ec2.disable_snapshot_block_public_access()["State"] == "unblocked"
    ec2.modify_snapshot_attribute(SnapshotId=snapshot, **everybody)


def test_a_snapshot_tells_with_whom_it_is_shared(ec2: Any) -> None:
    snapshot = ec2.create_snapshot(VolumeId=volume(ec2)["VolumeId"])["SnapshotId"]
    which = {"SnapshotId": snapshot, "Attribute": "createVolumePermission"}

    def shared() -> Any:
        return ec2.describe_snapshot_attribute(**which)["CreateVolumePermissions"]

    ec2.modify_snapshot_attribute(OperationType="add", GroupNames=["all"], UserIds=["123456789012"], **which)
    assert shared() == [{"UserId": "123456789012"}, {"Group": "all"}]
    copy = ec2.copy_snapshot(SourceRegion="us-east-1", SourceSnapshotId=snapshot)["SnapshotId"]
    assert ec2.describe_snapshot_attribute(**{**which, "SnapshotId": copy})["CreateVolumePermissions"] == []
    ec2.modify_snapshot_attribute(OperationType="remove", GroupNames=["all"], **which)
    assert shared() == [{"UserId": "123456789012"}]


def test_permissions_are_changed_one_by_one_too(ec2: Any, plain: dict[str, str]) -> None:
    """EC2 API Reference, "ModifySnapshotAttribute", CreateVolumePermission."""

    def shared() -> Any:
        return ec2.describe_snapshot_attribute(**plain)["CreateVolumePermissions"]

    ec2.modify_snapshot_attribute(CreateVolumePermission={"Add": [THEIRS, {"Group": "all"}]}, **plain)
    assert shared() == [THEIRS, {"Group": "all"}]
    ec2.modify_snapshot_attribute(CreateVolumePermission={"Add": [THEIRS]}, **plain)
    ec2.modify_snapshot_attribute(CreateVolumePermission={"Remove": [{"Group": "all"}]}, **plain)
    assert shared() == [THEIRS]
    ec2.reset_snapshot_attribute(**plain)
    assert shared() == []


def test_neither_way_shares_what_must_not_be(ec2: Any, key: str) -> None:
    for given, who in (({}, THEIRS), ({"KmsKeyId": key}, {"Group": "all"})):
        made = ec2.create_snapshot(VolumeId=volume(ec2, Encrypted=True, **given)["VolumeId"])["SnapshotId"]
        which = {"SnapshotId": made, "Attribute": PERMISSION}
        with refused("OperationNotPermitted"):
            ec2.modify_snapshot_attribute(CreateVolumePermission={"Add": [who]}, **which)
        ec2.modify_snapshot_attribute(CreateVolumePermission={"Remove": [who]}, **which)
        assert ec2.describe_snapshot_attribute(**which)["CreateVolumePermissions"] == []


def test_there_is_one_group_and_two_operations(ec2: Any, plain: dict[str, str]) -> None:
    with refused("InvalidAMIAttributeItemValue", "everyone"):
        ec2.modify_snapshot_attribute(OperationType="add", GroupNames=["everyone"], **plain)
    with refused("InvalidParameterValue", "append"):
        ec2.modify_snapshot_attribute(OperationType="append", UserIds=["123456789012"], **plain)
    assert ec2.describe_snapshot_attribute(**plain)["CreateVolumePermissions"] == []


def test_a_snapshot_that_is_not_there_is_shared_with_nobody(ec2: Any) -> None:
    nothing = {"SnapshotId": "snap-0123456789abcdef0", "Attribute": PERMISSION}
    for call in (
        ec2.modify_snapshot_attribute,
        ec2.describe_snapshot_attribute,
        ec2.reset_snapshot_attribute,
    ):
        with refused("InvalidSnapshot.NotFound", "The snapshot 'snap-0123456789abcdef0' does not exist."):
            call(**nothing)
