"""Which resources a request about volumes and snapshots is authorized against.

Source: Service Authorization Reference, "Actions, resources, and condition keys for Amazon EC2".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ministack.core import iam_actions

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
        case "CopySnapshot" | "CreateSnapshot":
            return ["", f"arn:aws:ec2:{region}::snapshot/*"]
        case _:
            return stock(query_params, region, account_id)


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
