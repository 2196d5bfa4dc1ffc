"""The tagging service lists what else a lab tags, while it is there."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import pytest

from tests.engine.conftest import policy

if TYPE_CHECKING:
    from tests.engine.conftest import Engine


@pytest.fixture
def tag() -> dict[str, str]:
    return {"Key": f"tag-{uuid.uuid4().hex[:8]}", "Value": "mine"}


def listed(engine: Engine, tag: dict[str, str], *kinds: str) -> list[str]:
    pages = engine.client("resourcegroupstaggingapi").get_paginator("get_resources")
    filters: dict[str, Any] = {"TagFilters": [{"Key": tag["Key"], "Values": [tag["Value"]]}]}
    if kinds:
        filters["ResourceTypeFilters"] = list(kinds)
    return [
        one["ResourceARN"] for page in pages.paginate(**filters) for one in page["ResourceTagMappingList"]
    ]


def test_volumes_and_snapshots(engine: Engine, tag: dict[str, str]) -> None:
    ec2 = engine.client("ec2")
    volume, snapshot = ([{"ResourceType": kind, "Tags": [tag]}] for kind in ("volume", "snapshot"))
    made = ec2.create_volume(AvailabilityZone="us-east-1a", Size=1, TagSpecifications=volume)["VolumeId"]
    taken = ec2.create_snapshot(VolumeId=made, TagSpecifications=snapshot)["SnapshotId"]
    where = f"arn:aws:ec2:{engine.region}:{engine.account}"
    assert sorted(listed(engine, tag)) == [f"{where}:snapshot/{taken}", f"{where}:volume/{made}"]
    assert listed(engine, tag, "ec2:volume") == [f"{where}:volume/{made}"]
    assert listed(engine, {**tag, "Value": "theirs"}) == []
    ec2.delete_snapshot(SnapshotId=taken)
    ec2.delete_volume(VolumeId=made)
    assert listed(engine, tag) == []


def test_a_tag_without_a_value_hides_no_secret(engine: Engine, tag: dict[str, str]) -> None:
    secrets, name = engine.client("secretsmanager"), tag["Key"]
    made = [
        secrets.create_secret(Name=f"{name}-{number}", SecretString="x", Tags=tags)["ARN"]
        for number, tags in enumerate(([{"Key": "bare"}], [tag]))
    ]
    assert listed(engine, tag) == made[1:]
    assert listed(engine, {"Key": "bare", "Value": ""}) == made[:1]
    for arn in made:
        secrets.delete_secret(SecretId=arn, ForceDeleteWithoutRecovery=True)


def test_secrets_parameters_and_log_groups(engine: Engine, tag: dict[str, str]) -> None:
    name, where = tag["Key"], f"{engine.region}:{engine.account}"
    secret = engine.client("secretsmanager").create_secret(Name=name, SecretString="x", Tags=[tag])["ARN"]
    engine.client("ssm").put_parameter(Name=f"/{name}", Value="x", Type="String", Tags=[tag])
    engine.client("logs").create_log_group(logGroupName=name, tags={tag["Key"]: tag["Value"]})
    assert sorted(listed(engine, tag)) == sorted(
        [secret, f"arn:aws:ssm:{where}:parameter/{name}", f"arn:aws:logs:{where}:log-group:{name}"]
    )


def test_stacks_until_they_are_deleted(engine: Engine, tag: dict[str, str]) -> None:
    cloudformation = engine.client("cloudformation")
    body = '{"Resources": {"Wait": {"Type": "AWS::CloudFormation::WaitConditionHandle"}}}'
    arn = cloudformation.create_stack(StackName=tag["Key"], TemplateBody=body, Tags=[tag])["StackId"]
    cloudformation.get_waiter("stack_create_complete").wait(StackName=arn, WaiterConfig={"Delay": 1})
    assert listed(engine, tag) == [arn]
    cloudformation.delete_stack(StackName=arn)
    cloudformation.get_waiter("stack_delete_complete").wait(StackName=arn, WaiterConfig={"Delay": 1})
    assert listed(engine, tag) == []


def test_trails_until_they_are_deleted(engine: Engine, tag: dict[str, str]) -> None:
    cloudtrail, s3, name = engine.client("cloudtrail"), engine.client("s3"), tag["Key"]
    s3.create_bucket(Bucket=name)
    s3.put_bucket_policy(Bucket=name, Policy=policy(*delivery(name)))
    arn = cloudtrail.create_trail(Name=name, S3BucketName=name)["TrailARN"]
    cloudtrail.add_tags(ResourceId=arn, TagsList=[tag])
    assert listed(engine, tag) == [arn]
    cloudtrail.delete_trail(Name=name)
    assert listed(engine, tag) == []


def delivery(bucket: str) -> list[dict[str, Any]]:
    """What CloudTrail wants of a bucket before it accepts it."""
    service = {"Service": "cloudtrail.amazonaws.com"}
    return [
        {
            "Effect": "Allow",
            "Principal": service,
            "Action": ["s3:GetBucketAcl", "s3:PutObject"],
            "Resource": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"],
        }
    ]


def test_another_region_lists_its_own(engine: Engine, tag: dict[str, str]) -> None:
    tags = [{"ResourceType": "volume", "Tags": [tag]}]
    engine.client("ec2", region="us-west-2").create_volume(
        AvailabilityZone="us-west-2a", Size=1, TagSpecifications=tags
    )
    assert listed(engine, tag) == []
