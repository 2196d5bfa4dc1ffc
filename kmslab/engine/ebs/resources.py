"""Which resource a request about volumes and snapshots is authorized against."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ministack.core import iam_actions

from kmslab.engine.hooks import extend

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
    """The volume or the snapshot; a snapshot's ARN names no account, and what is made has no id yet.

    Source: Service Authorization Reference, "Actions, resources, and condition keys for Amazon EC2". Of the
    several resources of CreateVolume and CreateSnapshot the volume stands for all.
    """
    action = iam_actions._query_param(query_params, "Action") if service == "ec2" else ""
    if action == "CreateVolume":
        return f"arn:aws:ec2:{region}:{account_id}:volume/*"
    if action in _SNAPSHOT_ACTIONS:
        named = "SourceSnapshotId" if action == "CopySnapshot" else "SnapshotId"
        return f"arn:aws:ec2:{region}::snapshot/{iam_actions._query_param(query_params, named)}"
    return stock(service, method, path, headers, body, query_params, region, account_id)


def install() -> None:
    """Apply the hook."""
    extend(iam_actions, "extract_resource_arn", "service", "method", "path", "headers")(resource_arn)
