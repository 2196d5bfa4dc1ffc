"""EC2's operations on volumes and snapshots with random parameters: an error of the client's, never one of the engine's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.engine.fuzz.test_kms_operations import QUIET
from tests.engine.fuzz.test_other_services import no_fault_of_the_engine

if TYPE_CHECKING:
    from tests.engine.conftest import Engine
    from tests.engine.fuzz.wire import Wire

OPERATIONS = st.sampled_from(
    [
        *(
            "AttachVolume",
            "CopySnapshot",
            "CreateSnapshot",
            "CreateSnapshots",
            "CreateVolume",
            "DeleteSnapshot",
        ),
        *(
            "DeleteVolume",
            "DescribeSnapshotAttribute",
            "DescribeSnapshots",
            "DescribeVolumes",
            "DetachVolume",
        ),
        *("DisableEbsEncryptionByDefault", "EnableSnapshotBlockPublicAccess", "GetEbsDefaultKmsKeyId"),
        *("ModifyEbsDefaultKmsKeyId", "ModifySnapshotAttribute", "ModifyVolume", "ResetSnapshotAttribute"),
    ]
)
PARAMETERS = st.sampled_from(
    [
        *("VolumeId", "VolumeId.1", "SnapshotId", "SnapshotId.1", "SourceSnapshotId", "SourceRegion", "Size"),
        *("AvailabilityZone", "Encrypted", "KmsKeyId", "VolumeType", "Iops", "Throughput", "DryRun", "State"),
        *("InstanceId", "Device", "Attribute", "OperationType", "UserId.1", "UserGroup.1", "Description"),
        *("CreateVolumePermission.Add.1.UserId", "CreateVolumePermission.Remove.1.Group"),
        *("InstanceSpecification.InstanceId", "InstanceSpecification.ExcludeBootVolume"),
        *(
            "Filter.1.Name",
            "Filter.1.Value.1",
            "TagSpecification.1.ResourceType",
            "TagSpecification.1.Tag.1.Key",
        ),
        *("MultiAttachEnabled", "CopyTagsFromSource", "MaxResults", "NextToken"),
    ]
)
PLACES = ("volume", "snapshot", "instance")
"""Values that stand for things that there are."""
VALUES = st.one_of(
    st.sampled_from(
        ["", "true", "false", "1", "-1", "x", "99999999999", "gp2", "add", "remove", "all", "<&>'"]
    ),
    st.sampled_from(["us-east-1", "us-east-1a", "alias/aws/ebs", "encrypted", "size", "snapshot", *PLACES]),
    st.text(max_size=5),
)


@pytest.fixture(scope="module")
def things(target: Engine) -> dict[str, str]:
    """The ids of a volume, a snapshot and an instance."""
    ec2 = target.client("ec2")
    volume = ec2.create_volume(AvailabilityZone="us-east-1a", Size=1)["VolumeId"]
    image = ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
    made = ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1)["Instances"][0]["InstanceId"]
    return {
        "volume": volume,
        "snapshot": ec2.create_snapshot(VolumeId=volume)["SnapshotId"],
        "instance": made,
    }


def throw(wire: Wire, target: Engine, things: dict[str, str], examples: int, **how: Any) -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded"}

    @settings(QUIET, max_examples=examples, **how)
    @given(OPERATIONS, st.dictionaries(PARAMETERS, VALUES, max_size=6))
    def one(operation: str, parameters: dict[str, str]) -> None:
        known = {name: things.get(value, value) for name, value in parameters.items()}
        asked = {"Action": operation, "Version": "2016-11-15", **known}
        body = urlencode(asked, errors="replace").encode()
        signed = wire.signed("ec2", target.administrator, headers=form, body=body)
        no_fault_of_the_engine(wire.send("POST", "/", signed, body), asked)

    one()


def test_volumes_and_snapshots_answer_anything(wire: Wire, target: Engine, things: dict[str, str]) -> None:
    throw(wire, target, things, 150, derandomize=True)


@pytest.mark.nightly
def test_volumes_and_snapshots_answer_much(wire: Wire, target: Engine, things: dict[str, str]) -> None:
    throw(wire, target, things, 5000)
