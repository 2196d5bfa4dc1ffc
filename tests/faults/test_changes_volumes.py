"""What can be changed about volumes, snapshots and the stacks: in templates, and on the deployed lab."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from kmslab.faults.changes.stacks import Deployed, Protected
from kmslab.faults.changes.volumes import SecondVolume, SharedSnapshot, VolumeTag, VolumeType
from kmslab.model.naming import PREFIX_TAG
from kmslab.model.outputs import LabOutputs, LabStack
from tests.faults.on_the_lab import breaks_and_puts_back, open_workshop

if TYPE_CHECKING:
    from kmslab.faults.change import Change
    from kmslab.faults.templates import Templates
    from kmslab.faults.workshop import Workshop
    from tests.conftest import DeployedLab

VOLUME = LabOutputs.data_volume


@pytest.mark.parametrize("encrypted", [True, False])
def test_a_second_volume_is_the_only_one_in_a_template(templates: Templates, *, encrypted: bool) -> None:
    assert SecondVolume("x", encrypted=encrypted).in_template(templates)
    properties = templates.resource(VOLUME).properties
    assert properties["Encrypted"] is encrypted
    assert "KmsKeyId" not in properties


@pytest.mark.parametrize(
    "change",
    [
        SecondVolume("x", encrypted=True, foreign_key=True),
        SecondVolume("x", encrypted=False, public_snapshot=True),
        SharedSnapshot("x", "111122223333"),
        Protected(LabStack.STORAGE),
    ],
)
def test_what_templates_do_not_hold(templates: Templates, change: Change) -> None:
    before = templates.copy().by_stack
    assert not change.in_template(templates)
    assert templates.by_stack == before


def test_type_tag_and_deletion_in_a_template(templates: Templates) -> None:
    for change in (VolumeType("gp2"), VolumeTag(), Deployed(VOLUME, "DeletionPolicy", value="Retain")):
        assert change.in_template(templates)
    volume = templates.resource(VOLUME)
    assert volume.properties["VolumeType"] == "gp2"
    assert PREFIX_TAG not in {tag["Key"] for tag in volume.properties["Tags"]}
    assert volume.body["DeletionPolicy"] == "Retain"


def test_a_member_is_gone_from_a_template(templates: Templates) -> None:
    key = LabOutputs.key_s3
    assert "PendingWindowInDays" in templates.resource(key).properties
    assert Deployed(key, "Properties", "PendingWindowInDays").in_template(templates)
    assert "PendingWindowInDays" not in templates.resource(key).properties


@pytest.fixture(scope="module")
def workshop(deployed_lab: DeployedLab) -> Workshop:
    return open_workshop(deployed_lab)


def look(workshop: Workshop) -> Any:
    """The account's volumes and snapshots, who shares them, and the stacks of the volumes and the keys."""
    ec2, cloudformation = workshop.client("ec2"), workshop.client("cloudformation")
    volumes = [
        (one["VolumeId"], one["VolumeType"], one.get("KmsKeyId"), sorted(map(str, one["Tags"])))
        for one in ec2.describe_volumes()["Volumes"]
    ]
    snapshots = [one["SnapshotId"] for one in ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"]]
    stacks = [
        (
            cloudformation.describe_stacks(StackName=f"{workshop.prefix}-{stack}")["Stacks"][0].get(
                "EnableTerminationProtection", False
            ),
            # botocore keeps the order of members, which says nothing here.
            json.dumps(
                cloudformation.get_template(StackName=f"{workshop.prefix}-{stack}")["TemplateBody"],
                sort_keys=True,
            ),
        )
        for stack in (LabStack.VOLUMES, LabStack.KEYS)
    ]
    return volumes, snapshots, stacks


CHANGES: dict[str, Change] = {
    "not encrypted": SecondVolume("a", encrypted=False),
    "managed key": SecondVolume("b", encrypted=True),
    "foreign key": SecondVolume("c", encrypted=True, foreign_key=True),
    "public snapshot": SecondVolume("d", encrypted=False, public_snapshot=True),
    "shared snapshot": SharedSnapshot("e", "111122223333"),
    "tag": VolumeTag(),
    "type": VolumeType("gp2"),
    "protected": Protected(LabStack.VOLUMES),
    "retained": Deployed(VOLUME, "DeletionPolicy", value="Retain"),
    "window": Deployed(LabOutputs.key_s3, "Properties", "PendingWindowInDays"),
}


@pytest.mark.parametrize("what", CHANGES)
def test_it_breaks_and_is_put_back(workshop: Workshop, what: str) -> None:
    breaks_and_puts_back(workshop, CHANGES[what], look)


def test_one_repair_leaves_what_another_fault_made(workshop: Workshop) -> None:
    one, other = SecondVolume("one", encrypted=False), SecondVolume("other", encrypted=False)
    saved = one.save(workshop)
    try:
        one.apply(workshop, saved)
        other.apply(workshop, saved)
        one.restore(workshop, saved)
        found = workshop.client("ec2").describe_volumes(
            Filters=[{"Name": "tag:kmslab:fault", "Values": [workshop.prefix]}]
        )["Volumes"]
        assert [[tag["Value"] for tag in each["Tags"] if tag["Key"] == "Name"] for each in found] == [
            ["other"]
        ]
    finally:
        one.restore(workshop, saved)
        other.restore(workshop, saved)
