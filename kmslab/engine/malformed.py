"""A request of the JSON protocol whose members have the wrong type is the client's error, not the engine's.

MiniStack's services take a member's type for granted: they keep what they should refuse, or fail with 500. Here
the request is held against botocore's model of the operation first, once its signature was verified. KMS and
Secrets Manager, which are ours, check for themselves.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from functools import lru_cache
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from kmslab.engine.hooks import extend, extend_entry
from kmslab.engine.protocols import TARGETS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    Response = tuple[int, dict[str, str], bytes]

_MODELS = {"monitoring": "cloudwatch", "tagging": "resourcegroupstaggingapi"}
"""Names in botocore where they are not those of the scope."""
_CHECKED = ("cloudtrail", "dynamodb", "ecr", "events", "logs", "sqs", "ssm", "tagging")
"""MiniStack's services of the JSON protocol; CloudWatch answers several."""
_PARTS = {"type", "members", "required", "member", "value"}
_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "blob": (str,),
    "integer": (int,),
    "long": (int,),
    "float": (int, float),
    "double": (int, float),
    "boolean": (bool,),
    "timestamp": (int, float),
    "list": (list,),
    "map": (dict,),
    "structure": (dict,),
}
_CRASHES = (TypeError, AttributeError, ValueError, LookupError)
"""What Python raises where a value is not what it was taken for."""


async def _dispatch(
    stock: Callable[..., Awaitable[Response]],
    method: str,
    path: str,
    headers: Mapping[str, str],
    body: bytes,
    *rest: Any,
) -> Response:
    """Tell a client that its members have the wrong type, where authorization already fails over them."""
    try:
        return await stock(method, path, headers, body, *rest)
    except _CRASHES:
        if refusal := await _refusal(headers, body):
            return refusal
        raise


async def _handle(
    stock: Callable[..., Awaitable[Response]],
    method: str,
    path: str,
    headers: Mapping[str, str],
    body: bytes,
    query_params: Any,
) -> Response:
    """Let a service see only what the model of its operation allows."""
    if refusal := await _refusal(headers, body):
        return refusal
    return await stock(method, path, headers, _without_nulls(body) if b"null" in body else body, query_params)


def _without_nulls(body: bytes) -> bytes:
    """A body without members that are null, which in this protocol are members that are not there."""
    try:
        members = json.loads(body)
    except (ValueError, RecursionError):
        return body
    if not isinstance(members, dict) or None not in members.values():
        return body
    return json.dumps({name: value for name, value in members.items() if value is not None}).encode()


async def _refusal(headers: Mapping[str, str], body: bytes) -> Response | None:
    """Why a request is not the operation that its target names; None when it is, or names none."""
    prefix, _, operation = headers.get("x-amz-target", "").rpartition(".")
    if prefix not in TARGETS:
        return None
    # The model is some hundred kilobytes to read: elsewhere, so that nobody waits for it.
    inputs = await asyncio.to_thread(inputs_of, TARGETS[prefix])
    problem = problem_of(inputs, operation, body)
    if problem is None:
        return None
    kind = {"Content-Type": "application/x-amz-json-1.1"}
    code, message = problem
    members = {"__type": code, **({"message": message} if message else {})}
    return HTTPStatus.BAD_REQUEST, kind, json.dumps(members).encode()


@dataclass(frozen=True, slots=True)
class Inputs:
    """What the requests of a service are made of.

    Attributes:
        operations: name to the shape of its input; empty for none.
        shapes: botocore's, without what is said about them.
    """

    operations: Mapping[str, str]
    shapes: Mapping[str, Mapping[str, Any]]


@lru_cache(maxsize=len(TARGETS))
def inputs_of(service: str) -> Inputs:
    """The inputs of a service, by its name in a signature's scope."""
    from botocore.loaders import create_loader

    model = create_loader().load_service_model(_MODELS.get(service, service), "service-2")
    operations = {name: one.get("input", {}).get("shape", "") for name, one in model["operations"].items()}
    shapes: dict[str, Mapping[str, Any]] = {}
    pending = [shape for shape in operations.values() if shape]
    while pending:
        name = pending.pop()
        if name not in shapes:
            shapes[name] = {
                part: model["shapes"][name][part] for part in _PARTS & model["shapes"][name].keys()
            }
            pending += [member["shape"] for member in shapes[name].get("members", {}).values()]
            pending += [shapes[name][part]["shape"] for part in ("member", "value") if part in shapes[name]]
    return Inputs(operations, shapes)


def problem_of(inputs: Inputs, operation: str, body: bytes) -> tuple[str, str] | None:
    """Why a body is no request of an operation: error code and message; None when it is one.

    Args:
        inputs: of the service.
        operation: botocore's name.
        body: as it came.
    """
    if operation not in inputs.operations:
        return "UnknownOperationException", ""
    try:
        parameters = json.loads(body or b"{}")
    except (ValueError, RecursionError):
        return "SerializationException", ""
    shape = inputs.operations[operation]
    return _problem(inputs.shapes, shape, parameters, "") if shape else None


def _problem(shapes: Mapping[str, Any], name: str, value: Any, path: str) -> tuple[str, str] | None:
    shape = shapes[name]
    expected: Any = _TYPES[shape["type"]]  # of the union that isinstance narrows to, nothing is left to check
    if not isinstance(value, expected) or (isinstance(value, bool) and bool not in expected):
        return "SerializationException", f"Unexpected value type in payload at '{path}'"
    if shape["type"] == "structure":
        return _problem_of_members(shapes, shape, value, path)
    if shape["type"] == "list":
        parts = [(shape["member"]["shape"], item, f"{path}.{n}.member") for n, item in enumerate(value, 1)]
    elif shape["type"] == "map":
        parts = [(shape["value"]["shape"], item, f"{path}.{key}.member") for key, item in value.items()]
    else:
        parts = []
    return next(filter(None, (_problem(shapes, *part) for part in parts)), None)


def _problem_of_members(
    shapes: Mapping[str, Any], shape: Mapping[str, Any], value: Mapping[str, Any], path: str
) -> tuple[str, str] | None:
    for name, member in shape["members"].items():
        where = f"{path}.{name[0].lower()}{name[1:]}".lstrip(".")
        if value.get(name) is not None:
            if problem := _problem(shapes, member["shape"], value[name], where):
                return problem
        elif name in shape.get("required", ()):
            return (
                "ValidationException",
                f"1 validation error detected: Value null at '{where}' failed to satisfy constraint: "
                "Member must not be null",
            )
    return None


def install() -> None:
    """Apply the hooks."""
    from ministack import app

    extend(app, "_dispatch_service_request", "method", "path", "headers", "body")(_dispatch)
    for service in _CHECKED:
        extend_entry(app, "SERVICE_HANDLERS", service, "method", "path", "headers", "body", "query_params")(
            _handle
        )
