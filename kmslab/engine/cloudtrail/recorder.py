"""Records of the event history: every management event, and every use of a key, direct or through a service.

Fields as in the KMS Developer Guide, "Logging AWS KMS API calls with AWS CloudTrail". Nothing secret is
recorded: the KMS room leaves plaintext, ciphertext and material out, and `_HIDDEN` hides other services'.
"""

from __future__ import annotations

import json
import time
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from ministack.core import iam_actions, iam_evaluator
from ministack.core.responses import get_account_id, get_region, new_uuid, request_scope
from ministack.services import cloudtrail

from kmslab.engine import events
from kmslab.engine.authorization.caller import CALLER
from kmslab.engine.cloudtrail import alarms
from kmslab.engine.cloudtrail.entry import Entry
from kmslab.engine.cloudtrail.identity import user_identity, user_name
from kmslab.engine.cloudtrail.names import api_name
from kmslab.engine.cloudtrail.spelling import answer, spelled
from kmslab.engine.hooks import extend

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from kmslab.engine.events import KeyEvent

KEY_TYPE = "AWS::KMS::Key"
S3_OBJECT = "AWS::S3::Object"
DATA_EVENTS = frozenset(
    {
        *("GetSnapshotBlock", "PutSnapshotBlock", "ListSnapshotBlocks", "ListChangedBlocks"),
        *("ListObjects", "ListObjectVersions", "Invoke", "Publish", "PublishBatch"),
        *("SendMessage", "SendMessageBatch", "ReceiveMessage", "DeleteMessage", "DeleteMessageBatch"),
    }
)
"""Calls on what a resource holds: not in the event history, which has management events only (CloudTrail
User Guide, "Logging data events"); calls on S3 objects are told by their resource."""
_HIDDEN = {
    "ssm": ("Value",),
    "iam": ("Password", "OldPassword", "NewPassword"),
    "sns": ("Message",),
    "sqs": ("MessageBody",),
}
"""Members that CloudTrail hides beside those that MiniStack scrubs."""


def append(
    service: str,
    name: str,
    identity: dict[str, Any],
    *,
    parameters: Mapping[str, Any] | None,
    resources: Sequence[tuple[str, str]],
    read_only: bool,
    response: Mapping[str, Any] | None = None,
    additional: Mapping[str, str] | None = None,
    error: tuple[str, str] | None = None,
    request_id: str = "",
    event_id: str = "",
) -> None:
    """Add one record to the event history of the request's account and Region.

    Args:
        service: as in its event source: ``kms``.
        name: the API operation.
        identity: from `user_identity`.
        parameters: of the request, without secrets.
        resources: type and ARN or name of each.
        read_only: whether the call changes nothing.
        response: of a call that changes something.
        additional: ``additionalEventData``; left out when there is none.
        error: code and message of a call that failed.
        request_id: the client's; made up for a service's call.
        event_id: of the record; made up when empty.
    """
    if not cloudtrail._recording_enabled:
        return
    now, account = time.time(), get_account_id()
    event: dict[str, Any] = {
        "eventVersion": "1.11",
        "userIdentity": identity,
        "eventTime": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now)),
        "eventSource": f"{service}.amazonaws.com",
        "eventName": name,
        "awsRegion": get_region(),
        "sourceIPAddress": identity.get("invokedBy") or iam_evaluator._request_origin.get()[0],
        "userAgent": identity.get("invokedBy") or "AWS Internal",
        "requestParameters": parameters,
        "responseElements": response,
        **({"additionalEventData": dict(additional)} if additional else {}),
        "requestID": request_id or new_uuid(),
        "eventID": event_id or new_uuid(),
        "readOnly": read_only,
        "resources": [
            {"accountId": _owner(arn) or account, "type": kind, "ARN": arn} for kind, arn in resources
        ],
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "recipientAccountId": account,
        "eventCategory": "Management",
    }
    if error:
        event["errorCode"], event["errorMessage"] = error
    # A refusal stays in the caller's account (KMS Developer Guide, "Logging AWS KMS API calls").
    denied = error is not None and error[0] == "AccessDenied"
    others = set() if denied else {_owner(arn) for _, arn in resources} - {"", account}
    if others:
        event["sharedEventID"] = new_uuid()
    _file(event, now)
    for other in others:
        # The owner of a resource learns which account used it, not which session (CloudTrail User Guide,
        # "userIdentity": a cross-account call).
        caller: dict[str, Any] = {
            name: identity[name] for name in ("principalId", "accountId") if name in identity
        }
        copy: dict[str, Any] = {
            **event,
            "userIdentity": {"type": "AWSAccount", **caller},
            "eventID": new_uuid(),
        }
        with request_scope(other, get_region()):
            _file({**copy, "recipientAccountId": other}, now)
    if not read_only:
        alarms.deliver(service, event)


def _owner(arn: str) -> str:
    """The account in an ARN; empty when it names none, or is a name."""
    fields = arn.split(":", 5)
    return fields[4] if arn.startswith("arn:") and len(fields) > 4 else ""  # noqa: PLR2004  # the account's place


def _file(event: dict[str, Any], now: float) -> None:
    """Put a record into the history of the request's account and Region."""
    cloudtrail._get_event_queue().append(Entry.of(event, user_name(event["userIdentity"]), now))


def record_key_event(event: KeyEvent) -> None:
    """Record one call on a key, allowed or not."""
    error = event.error
    code = ("AccessDenied" if error.denied else error.code) if error else ""
    append(
        "kms",
        event.operation,
        user_identity(event.access_key, event.principal_arn, event.invoked_by),
        parameters=spelled(event.parameters) if event.parameters else None,
        resources=[(KEY_TYPE, arn) for arn in event.resources],
        read_only=event.read_only,
        response=answer(
            event.response,
            event.resources[0] if event.resources else "",
            changed=not (event.read_only or event.error),
        ),
        additional=event.additional,
        error=(code, error.message) if error else None,
        request_id=event.request_id,
        event_id=event.event_id,
    )


def _record_event(
    _stock: Callable[..., None],
    *,
    service: str,
    event_name: str,
    access_key_id: str,
    resources: list[dict[str, str]],
    request_id: str,
    request_params: dict[str, Any],
    method: str,
    **_described_otherwise: str,
) -> None:
    """Record the other services' management events with their true principal."""
    data_event = event_name in DATA_EVENTS or any(r["ResourceType"] == S3_OBJECT for r in resources)
    if service == "kms" or data_event:
        return  # the KMS room publishes its own events; object-level calls are not in the history
    name = (
        str(request_params.get("Action", event_name)) if event_name.startswith(f"{method}.") else event_name
    )
    hidden = {
        key: "HIDDEN_DUE_TO_SECURITY_REASONS" for key in _HIDDEN.get(service, ()) if key in request_params
    }
    append(
        service,
        name,
        user_identity(access_key_id),
        parameters={**cloudtrail._scrub(request_params), **hidden} or None,
        resources=[(r["ResourceType"], r["ResourceName"]) for r in resources],
        read_only=cloudtrail._is_readonly(method, name) == "true",
        request_id=request_id,
    )


async def _own_request(
    stock: Callable[..., Any],
    method: str,
    path: str,
    headers: Mapping[str, str],
    body_bytes: bytes,
    query_params: Mapping[str, Any],
) -> Any:
    """Record CloudTrail's own operations, StopLogging above all, which MiniStack leaves out."""
    response = await stock(method, path, headers, body_bytes, query_params)
    name = headers.get("x-amz-target", "").rpartition(".")[2]
    failed = json.loads(response[2]) if response[0] >= HTTPStatus.BAD_REQUEST else None
    append(
        "cloudtrail",
        name,
        user_identity(CALLER.get()),
        parameters=json.loads(body_bytes or b"{}") or None,
        resources=[],
        read_only=cloudtrail._is_readonly(method, name) == "true" or name == "LookupEvents",
        error=(failed["__type"], failed["message"]) if failed else None,
    )
    return response


def _access_denied_response(
    stock: Callable[..., Any], service: str, action: str, principal_arn: str, request_id: str, **details: Any
) -> Any:
    """Record what IAM refused too; MiniStack notices only what it let through."""
    response = stock(service, action, principal_arn, request_id, **details)
    resource = str(details.get("resource_arn", ""))
    name = api_name(action)
    on_object = service == "s3" and "/" in resource
    if service != "kms" and name not in DATA_EVENTS and not on_object and not details.get("error_code"):
        append(
            service,
            name,
            user_identity(CALLER.get()),
            parameters=None,
            resources=[],
            read_only=cloudtrail._is_readonly("POST", name) == "true",
            error=("AccessDenied", f"User: {principal_arn} is not authorized to perform: {action}"),
            request_id=request_id,
        )
    return response


def install() -> None:
    """Record what the rooms publish and what MiniStack notices."""
    extend(cloudtrail, "handle_request", "method", "path", "headers", "body_bytes", "query_params")(
        _own_request
    )
    extend(iam_actions, "access_denied_response", "service", "action", "principal_arn", "request_id")(
        _access_denied_response
    )
    extend(cloudtrail, "record_event", "service", "event_name", "username", "access_key_id", "resources")(
        _record_event
    )
    events.register(record_key_event)
