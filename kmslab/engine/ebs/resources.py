"""Which resources a request about volumes, snapshots and instances is authorized against.

Source: Service Authorization Reference, "Actions, resources, and condition keys for Amazon EC2".
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from ministack.core import iam_actions
from ministack.services import ec2

from kmslab.engine.hooks import extend, replace_value

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_SNAPSHOT_ACTIONS = frozenset(
    {
        "CopySnapshot",
        "DeleteSnapshot",
        "DescribeSnapshotAttribute",
        "ModifySnapshotAttribute",
        "ResetSnapshotAttribute",
    }
)


def resource_arn(  # noqa: PLR0917  # the parameters are MiniStack's
    stock: Callable[..., str],
    service: str,
    method: str,
    path: str,
    headers: Mapping[str, str],
    body: bytes,
    query_params: Mapping[str, Any],
    region: str,
    account_id: str,
) -> str:
    """The volume or the snapshot; a snapshot's ARN names no account, and what is made has no id yet."""
    action = iam_actions._query_param(query_params, "Action") if service == "ec2" else ""
    if action == "CreateVolume":
        return f"arn:aws:ec2:{region}:{account_id}:volume/*"
    if action == "RunInstances":
        return f"arn:aws:ec2:{region}:{account_id}:instance/*"
    if action == "CreateSnapshots":
        instance = iam_actions._query_param(query_params, "InstanceSpecification.InstanceId")
        return f"arn:aws:ec2:{region}:{account_id}:instance/{instance}"
    if action in _SNAPSHOT_ACTIONS:
        named = "SourceSnapshotId" if action == "CopySnapshot" else "SnapshotId"
        return f"arn:aws:ec2:{region}::snapshot/{iam_actions._query_param(query_params, named)}"
    return stock(service, method, path, headers, body, query_params, region, account_id)


def further_resources(
    stock: Callable[..., list[str]], query_params: Mapping[str, Any], region: str, account_id: str
) -> list[str]:
    """What a call is authorized against beside the first resource, whose place in the list stays empty."""
    action, volume, snapshot = (
        iam_actions._query_param(query_params, name) for name in ("Action", "VolumeId", "SnapshotId")
    )
    match action:
        case "AttachVolume" | "DetachVolume" if volume:
            return ["", f"arn:aws:ec2:{region}:{account_id}:volume/{volume}"]
        case "CreateVolume" if snapshot:
            return ["", f"arn:aws:ec2:{region}::snapshot/{snapshot}"]
        case "RunInstances":
            return ["", *_of_a_launch(query_params, region, account_id)]
        case "CreateSnapshots":
            instance = iam_actions._query_param(query_params, "InstanceSpecification.InstanceId")
            volumes = [
                f"arn:aws:ec2:{region}:{account_id}:volume/{one['VolumeId']}"
                for one in list(ec2._volumes.values())
                if any(attached["InstanceId"] == instance for attached in one["Attachments"])
            ]
            return ["", f"arn:aws:ec2:{region}::snapshot/*", *volumes]
        case "CopySnapshot" | "CreateSnapshot":
            return ["", f"arn:aws:ec2:{region}::snapshot/*"]
        case _:
            return stock(query_params, region, account_id)


def _of_a_launch(query_params: Mapping[str, Any], region: str, account_id: str) -> list[str]:
    """Everything that a launch makes and takes beside the instance.

    Source: EC2 User Guide, "Example policies to control access to the Amazon EC2 API", "Launch instances
    (RunInstances)".
    """

    def given(pattern: str) -> list[str]:
        names = [name for name in query_params if re.fullmatch(pattern, name)]
        return [iam_actions._query_param(query_params, name) for name in names]

    groups = given(r"(NetworkInterface\.\d+\.)?SecurityGroupId\.\d+") or [ec2._DEFAULT_SG_ID]
    subnets = given(r"(NetworkInterface\.\d+\.)?SubnetId") or [ec2._DEFAULT_SUBNET_ID]
    own = [
        *("network-interface/*", "volume/*"),
        *(f"security-group/{group}" for group in groups),
        *(f"subnet/{subnet}" for subnet in subnets),
        *(f"key-pair/{name}" for name in given("KeyName")),
    ]
    anybodys = [
        *(f"image/{image}" for image in given("ImageId")),
        *(f"snapshot/{one}" for one in given(r"BlockDeviceMapping\.\d+\.Ebs\.SnapshotId")),
    ]
    return [
        *(f"arn:aws:ec2:{region}:{account_id}:{one}" for one in own),
        *(f"arn:aws:ec2:{region}::{one}" for one in anybodys),
    ]


def install() -> None:
    """Apply the hooks."""
    extend(iam_actions, "extract_resource_arn", "service", "method", "path", "headers")(resource_arn)
    extend(iam_actions, "verified_access_resource_arns", "query_params", "region", "account_id")(
        further_resources
    )
    replace_value(
        iam_actions,
        "_TAG_MEMBERS",
        iam_actions._TAG_MEMBERS | {"TagSpecifications"},
        "aws:RequestTag where EC2 tags what it makes",
    )
