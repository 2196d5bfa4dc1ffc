"""What is charged for is what the templates hold: no type of resource is forgotten, and every count is theirs."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from kmslab.cost import bill
from kmslab.cost.prices import table
from kmslab.model.settings import LabSettings, Rotation
from tests.stacks.synthesis import EVERY_OPTION

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

LABS = {
    "default": LabSettings(),
    "every-option": LabSettings.from_context(
        {f"kmslab.{name}": value for name, value in EVERY_OPTION.items()}
    ),
    "mortal": LabSettings(ttl_hours=8),
}
"""Assemblies that `tests/stacks/synthesis.py` makes, and the settings that it makes them of."""
RESOURCES: Mapping[str, Callable[[LabSettings], int]] = {
    "AWS::KMS::Key": lambda settings: len(bill.keys(settings)),
    "AWS::SecretsManager::Secret": lambda _: bill.SECRETS,
    "AWS::EC2::Volume": lambda settings: settings.volume_count,
    "AWS::EC2::Instance": lambda settings: int(settings.instance),
    "AWS::EC2::VPCEndpoint": lambda settings: 2 * settings.network,
    "AWS::S3::Bucket": lambda _: bill.EMPTIED_BUCKETS,
    "AWS::CloudTrail::Trail": lambda _: 1,
    "AWS::Events::Rule": lambda _: 1,
    "AWS::SNS::Topic": lambda _: 1,
    "AWS::Lambda::Function": lambda _: 2,
    "AWS::Scheduler::Schedule": bill.schedules,
}
"""CloudFormation's types that something is charged for, and how many of each a lab has."""
EVERY = pytest.mark.parametrize("name", LABS)

Resources = list[dict[str, Any]]


def resources(assemblies: Path, name: str) -> Resources:
    """Every resource of a lab's templates."""
    files = sorted((assemblies / name).glob("kms-lab-*.template.json"))
    assert len(files) >= 6
    read = [json.loads(file.read_text(encoding="utf-8")) for file in files]
    return [resource for template in read for resource in template["Resources"].values()]


def types(assemblies: Path, name: str) -> Counter[str]:
    return Counter(resource["Type"] for resource in resources(assemblies, name))


def of_type(assemblies: Path, name: str, kind: str) -> Resources:
    return [one.get("Properties", {}) for one in resources(assemblies, name) if one["Type"] == kind]


def unknown(found: Counter[str]) -> set[str]:
    """Types that are neither counted nor said to be free."""
    free = {kind for one in table().free for kind in one.types}
    return set(found) - set(RESOURCES) - free


@EVERY
def test_every_resource_type_is_priced_or_free(assemblies: Path, name: str) -> None:
    assert unknown(types(assemblies, name)) == set()


def test_a_new_resource_type_is_noticed() -> None:
    assert unknown(Counter({"AWS::KMS::Key": 1, "AWS::EC2::NatGateway": 1})) == {"AWS::EC2::NatGateway"}


@EVERY
def test_there_are_as_many_as_in_the_templates(assemblies: Path, name: str) -> None:
    found = types(assemblies, name)
    assert {kind: count(LABS[name]) for kind, count in RESOURCES.items()} == {
        kind: found[kind] for kind in RESOURCES
    }


@EVERY
def test_what_stands_is_what_the_templates_hold(assemblies: Path, name: str) -> None:
    held = {one.item: one.quantity for one in bill.standing(LABS[name])}
    endpoints = of_type(assemblies, name, "AWS::EC2::VPCEndpoint")
    zones = sum(len(one["SubnetIds"]) for one in endpoints if one["VpcEndpointType"] == "Interface")
    instances = of_type(assemblies, name, "AWS::EC2::Instance")
    volumes = of_type(assemblies, name, "AWS::EC2::Volume")
    assert held["kms-key"] == len(of_type(assemblies, name, "AWS::KMS::Key"))
    assert held["secret"] == len(of_type(assemblies, name, "AWS::SecretsManager::Secret"))
    assert held["ebs-gp3"] == sum(int(one["Size"]) for one in volumes)
    assert {one["VolumeType"] for one in volumes} == {"gp3"}
    assert held.get("interface-endpoint", 0) == zones
    assert held.get("ec2-t3-nano", 0) == len(instances)
    assert {one["InstanceType"] for one in instances} <= {"t3.nano"}


@EVERY
def test_functions_empty_the_buckets_that_are_counted(assemblies: Path, name: str) -> None:
    assert len(of_type(assemblies, name, "Custom::S3AutoDeleteObjects")) == bill.EMPTIED_BUCKETS


@EVERY
def test_the_rotations_are_those_of_the_templates(assemblies: Path, name: str) -> None:
    """The first two of each key, from the day on which it is rotated."""
    rotated = [one for one in of_type(assemblies, name, "AWS::KMS::Key") if one.get("EnableKeyRotation")]
    periods = [int(one["RotationPeriodInDays"]) for one in rotated]
    days = 400
    expected = sum(max(0, days - nth * period) for period in periods for nth in (1, 2))
    assert expected > 0
    assert bill.rotation_days(LABS[name], days) == expected


def test_the_third_rotation_costs_nothing() -> None:
    settings = LabSettings(rotation_days=Rotation(s3=90, ebs=2560, secrets=2560, trail=2560, app=2560))
    assert bill.rotation_days(settings, 90) == 0
    assert bill.rotation_days(settings, 100) == 10
    assert bill.rotation_days(settings, 190) == 110
    assert bill.rotation_days(settings, 290) == 200 + 110


def test_what_is_not_asked_for_is_not_charged() -> None:
    items = {one.item for one in (*bill.standing(LabSettings()), *bill.not_counted(LabSettings()))}
    assert items.isdisjoint({"interface-endpoint", "interface-endpoint-data", "ec2-t3-nano", "root-volume"})


def test_a_lab_with_a_time_to_live_is_deleted_by_schedules() -> None:
    assert bill.schedules(LabSettings()) == 0
    assert bill.schedules(LabSettings(ttl_hours=8)) == 6
    assert bill.schedules(LabSettings(ttl_hours=8, network=True)) == 7
