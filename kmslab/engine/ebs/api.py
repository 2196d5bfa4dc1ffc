"""The service ``ebs``: MiniStack has none, so it is added to the router and to IAM."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from ministack import app
from ministack.core import iam_actions, router
from ministack.core.responses import get_region

from kmslab.engine.ebs import direct
from kmslab.engine.ebs.direct import EbsError
from kmslab.engine.hooks import add_entry, extend

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from kmslab.engine.ebs.keys import Response

SERVICE = "ebs"
_SNAPSHOT = r"/(?P<snapshot>[^/]+)"
_SNAPSHOT_ID = re.compile(r"snap-[0-9a-f]+")
ROUTES = (
    ("POST", re.compile(r"/snapshots"), "StartSnapshot"),
    ("POST", re.compile(rf"/snapshots/completion{_SNAPSHOT}"), "CompleteSnapshot"),
    ("GET", re.compile(rf"/snapshots{_SNAPSHOT}/blocks"), "ListSnapshotBlocks"),
    ("GET", re.compile(rf"/snapshots{_SNAPSHOT}/changedblocks"), "ListChangedBlocks"),
    ("GET", re.compile(rf"/snapshots{_SNAPSHOT}/blocks/(?P<index>\d+)"), "GetSnapshotBlock"),
    ("PUT", re.compile(rf"/snapshots{_SNAPSHOT}/blocks/(?P<index>\d+)"), "PutSnapshotBlock"),
)


def _route(method: str, path: str) -> tuple[str, dict[str, str]] | None:
    for wanted, pattern, operation in ROUTES:
        if method == wanted and (found := pattern.fullmatch(path)):
            return operation, found.groupdict()
    return None


async def handle_request(
    method: str, path: str, headers: Mapping[str, str], body: bytes, query_params: Mapping[str, Any]
) -> Response:
    """Answer one request of the EBS direct APIs; it has been authenticated and authorised."""
    try:
        operation, where = _route(method, path) or ("", {})
        query = {
            name: values[0] if isinstance(values, list) else values for name, values in query_params.items()
        }
        return _serve(operation, where, headers, body, query)
    except EbsError as error:
        told = {"Message": str(error), "Reason": error.reason}
        answer = {name: value for name, value in told.items() if value}
        answer_headers = {"Content-Type": "application/json", "x-amzn-errortype": error.code}
        return error.status, answer_headers, json.dumps(answer).encode()


def _serve(
    operation: str, where: dict[str, str], headers: Mapping[str, str], body: bytes, query: Mapping[str, str]
) -> Response:
    snapshot, index = where.get("snapshot", ""), int(where.get("index") or 0)
    if snapshot and not _SNAPSHOT_ID.fullmatch(snapshot):
        raise direct.malformed()
    match operation:
        case "StartSnapshot":
            return direct.start_snapshot(_members(body))
        case "CompleteSnapshot":
            return direct.complete_snapshot(snapshot, headers)
        case "PutSnapshotBlock":
            return direct.put_snapshot_block(snapshot, index, headers, body)
        case "GetSnapshotBlock":
            return direct.get_snapshot_block(snapshot, index, query)
        case "ListSnapshotBlocks":
            return direct.list_snapshot_blocks(snapshot, query)
        case "ListChangedBlocks":
            return direct.list_changed_blocks(snapshot, query)
        case _:
            raise EbsError("ValidationException", 400, "There is no such operation.")


def _members(body: bytes) -> dict[str, Any]:
    try:
        members = json.loads(body or b"{}")
    except ValueError as error:
        raise EbsError("ValidationException", 400, "The body is not JSON.") from error
    if not isinstance(members, dict):
        raise EbsError("ValidationException", 400, "The body is not a JSON object.")
    # A member that is null was not given.
    return {name: value for name, value in members.items() if value is not None}


def _iam_action(
    stock: Callable[..., str | None], service: str, method: str, path: str, *rest: Any, **named: Any
) -> str | None:
    """Each operation of the EBS direct APIs is an action of its own."""
    if service != SERVICE:
        return stock(service, method, path, *rest, **named)
    routed = _route(method, path)
    return f"ebs:{routed[0]}" if routed else "ebs:Unknown"


def _resource_arn(stock: Callable[..., str], service: str, method: str, path: str, *rest: Any) -> str:
    """The resource of every action is the snapshot, ``arn:aws:ec2:<region>::snapshot/<id>``."""
    if service != SERVICE:
        return stock(service, method, path, *rest)
    _, where = _route(method, path) or ("", {})
    return f"arn:aws:ec2:{get_region()}::snapshot/{where.get('snapshot') or '*'}"


def install() -> None:
    """Add the service."""
    pattern = {"host_patterns": [r"ebs\."], "credential_scope": SERVICE}
    add_entry(router, "SERVICE_PATTERNS", SERVICE, pattern, "the EBS direct APIs")
    add_entry(iam_actions, "SERVICE_TO_IAM_NAMESPACE", SERVICE, SERVICE, "actions of the EBS direct APIs")
    add_entry(app, "SERVICE_HANDLERS", SERVICE, handle_request, "the EBS direct APIs")
    extend(iam_actions, "extract_iam_action", "service", "method", "path")(_iam_action)
    extend(iam_actions, "extract_resource_arn", "service", "method", "path", "headers")(_resource_arn)
