"""An engine of these tests' own, and a small lab on it: two stacks with the lab's tag, whose key nobody may look at."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from kmslab.engine import control
from kmslab.lab import Access
from kmslab.model.naming import PREFIX_TAG
from kmslab.model.persona import Persona
from kmslab.residue.stacks import read_membership
from tests.engine.conftest import LOADER, engine_in, eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kmslab.residue.stacks import Membership
    from tests.engine.conftest import Engine

WINDOW_DAYS = 9


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """An engine of these tests' own: what other tests leave on one would be found."""
    with engine_in(tmp_path_factory.mktemp("residue")) as found:
        yield found


@dataclass
class SmallLab:
    """A lab of one stack: a key, an alias, a volume under the key, a bucket, a function.

    Attributes:
        access: to the engine, with a prefix of its own.
        key: the key's ARN; its policy lets the root user and the operator's role use it and nobody look.
    """

    access: Access
    key: str

    @property
    def prefix(self) -> str:
        return self.access.prefix

    def client(self, service: str) -> Any:
        return self.access.client(Persona.OPERATOR, service)

    def membership(self) -> Membership:
        return read_membership(self.access)

    def destroy(self) -> None:
        """Delete the stack, and wait."""
        delete_stack(self.client("cloudformation"), f"{self.prefix}-keys")


def tags(prefix: str, **more: str) -> list[dict[str, str]]:
    """The lab's tag and others, as most services spell tags."""
    given = {PREFIX_TAG: prefix, **more}
    return [{"Key": key.replace("__", ":"), "Value": value} for key, value in given.items()]


def template(operator: str, prefix: str) -> str:
    """The small lab's stack."""
    nobody_looks = {
        "Effect": "Allow",
        "Principal": {"AWS": operator},
        "NotAction": ["kms:DescribeKey", "kms:ListResourceTags", "kms:GetKeyPolicy"],
        "Resource": "*",
    }
    but_ec2 = {
        "Effect": "Allow",
        "Principal": {"AWS": operator},
        "Action": "kms:DescribeKey",
        "Resource": "*",
        "Condition": {"StringLike": {"kms:ViaService": "ec2.*"}},
    }
    marked = [{"Key": PREFIX_TAG, "Value": prefix}]
    resources: dict[str, Any] = {
        "Key": {
            "Type": "AWS::KMS::Key",
            "Properties": {
                "KeyPolicy": {"Version": "2012-10-17", "Statement": [nobody_looks, but_ec2]},
                "PendingWindowInDays": WINDOW_DAYS,
                "Tags": marked,
            },
        },
        "Alias": {
            "Type": "AWS::KMS::Alias",
            "Properties": {"AliasName": f"alias/{prefix}/s3", "TargetKeyId": {"Ref": "Key"}},
        },
        "Bucket": {
            "Type": "AWS::S3::Bucket",
            "Properties": {"Tags": marked, "VersioningConfiguration": {"Status": "Enabled"}},
        },
        "Volume": {
            "Type": "AWS::EC2::Volume",
            "Properties": {
                "AvailabilityZone": "us-east-1a",
                "Size": 1,
                "Encrypted": True,
                "KmsKeyId": {"Fn::GetAtt": ["Key", "Arn"]},
                "Tags": marked,
            },
        },
    }
    return json.dumps({"Resources": resources})


def create_stack(cloudformation: Any, name: str, prefix: str, body: str, **more: str) -> None:
    """Create a stack with the tag of a lab, and more tags, and wait."""
    cloudformation.create_stack(StackName=name, TemplateBody=body, Tags=tags(prefix, **more))
    eventually(lambda: _status(cloudformation, name) not in ("", "CREATE_IN_PROGRESS"))
    assert _status(cloudformation, name) == "CREATE_COMPLETE"


def delete_stack(cloudformation: Any, name: str) -> None:
    """Delete a stack, and wait."""
    cloudformation.delete_stack(StackName=name)
    eventually(lambda: _status(cloudformation, name) == "DELETE_COMPLETE")


def _status(cloudformation: Any, name: str) -> str:
    found = [
        one["StackStatus"]
        for page in cloudformation.get_paginator("list_stacks").paginate()
        for one in page["StackSummaries"]
        if one["StackName"] == name
    ]
    return str(found[0]) if found else ""


@pytest.fixture
def small(engine: Engine) -> Iterator[SmallLab]:
    """A small lab with a prefix of its own, standing."""
    access = Access(control.target(engine.home), f"lab-{uuid.uuid4().hex[:8]}")
    access.once("loader", lambda: LOADER)  # which has parsed each service's model before
    operator = f"arn:aws:iam::{engine.account}:role/kmslab-administrator"
    cloudformation = access.client(Persona.OPERATOR, "cloudformation")
    name = f"{access.prefix}-keys"
    create_stack(cloudformation, name, access.prefix, template(operator, access.prefix))
    found = cloudformation.describe_stack_resource(StackName=name, LogicalResourceId="Key")
    key_id = found["StackResourceDetail"]["PhysicalResourceId"]
    yield SmallLab(access, f"arn:aws:kms:{engine.region}:{engine.account}:key/{key_id}")
    if _status(cloudformation, name) != "DELETE_COMPLETE":
        delete_stack(cloudformation, name)
