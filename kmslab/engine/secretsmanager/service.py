"""The Secrets Manager endpoint in place of MiniStack's: one request in, one answer out.

An operation is a function of the request's members that returns the answer's.
"""

from __future__ import annotations

import json
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from kmslab.engine.secretsmanager.errors import SecretsError, invalid_parameter, invalid_request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from kmslab.engine.secretsmanager.errors import Response

    Operation = Callable[[dict[str, Any]], dict[str, Any]]

NEEDS_TOKEN = {
    "CreateSecret": invalid_request,
    "PutSecretValue": invalid_request,
    "RotateSecret": invalid_parameter,
    "UpdateSecret": invalid_request,
}
"""Operations that every SDK gives a ClientRequestToken, and how its absence is told."""
_operations: dict[str, Operation] = {}


def operation(name: str) -> Callable[[Operation], Operation]:
    """Register a function as the Secrets Manager operation of this name."""

    def register(function: Operation) -> Operation:
        _operations[name] = function
        return function

    return register


def perform(name: str, parameters: dict[str, Any]) -> dict[str, Any]:
    """Check the members of a request and carry it out, as the request's caller or the acting role.

    Raises:
        SecretsError: with the API's code and message.
    """
    if name in NEEDS_TOKEN and not parameters.get("ClientRequestToken"):
        raise NEEDS_TOKEN[name](
            "You must provide a ClientRequestToken value. We recommend a UUID-type value."
        )
    problems = list(_problems(name, parameters))
    if problems:
        plural = "error" if len(problems) == 1 else "errors"
        found = f"{len(problems)} validation {plural} detected: {'; '.join(problems)}"
        raise SecretsError("ValidationException", found)
    return _operations[name](parameters)


async def handle_request(
    _stock: Any, _method: str, _path: str, headers: Mapping[str, str], body: bytes, _query_params: object
) -> Response:
    """Answer every Secrets Manager request in place of MiniStack, which encrypts nothing."""
    name = headers.get("x-amz-target", "").rpartition(".")[2]
    if name not in _operations:
        return SecretsError("UnknownOperationException", "").response
    try:
        return answer(perform(name, _members(body)))
    except SecretsError as error:
        return error.response


def answer(members: Mapping[str, Any]) -> Response:
    """An answer as it is sent."""
    return 200, {"Content-Type": "application/x-amz-json-1.1"}, json.dumps(members).encode()


def _members(body: bytes) -> dict[str, Any]:
    try:
        members = json.loads(body or b"{}")
    except ValueError as error:
        raise SecretsError("SerializationException", "The request is not JSON.") from error
    if not isinstance(members, dict):
        raise SecretsError("SerializationException", "Start of structure or map found where not expected.")
    return members


@lru_cache(maxsize=1)
def _model() -> dict[str, Any]:
    from botocore.loaders import create_loader

    model: dict[str, Any] = create_loader().load_service_model("secretsmanager", "service-2")
    return model


_TYPES: dict[str, type] = {
    "string": str,
    "blob": str,
    "integer": int,
    "long": int,
    "boolean": bool,
    "list": list,
    "structure": dict,
}


def _problems(name: str, parameters: Mapping[str, Any]) -> Iterator[str]:
    """What the service model forbids of a request's members: absence, type, length, range, words.

    Raises:
        SecretsError: a member is of another type.
    """
    shapes = _model()["shapes"]
    request = shapes[_model()["operations"][name]["input"]["shape"]]
    for member, reference in request["members"].items():
        shape, value = shapes[reference["shape"]], parameters.get(member)
        where = f"'{member[0].lower()}{member[1:]}' failed to satisfy constraint: Member must"
        if value is None:
            if member in request.get("required", ()):
                yield f"Value null at {where} not be null"
            continue
        if type(value) is not _TYPES[shape["type"]]:
            raise SecretsError("SerializationException", f"{member} is not of type {shape['type']}.")
        if member == "Tags" and not all(map(_is_tag, parameters[member])):
            raise SecretsError("InvalidParameterException", "A tag is a key and a value.")
        # A value of a secret is never repeated, whatever is wrong with it.
        told = "Value at " if shape.get("sensitive") else f"Value '{value}' at "
        if problem := _problem(shape, value):
            yield told + where + problem


def _is_tag(value: Any) -> bool:
    """Whether a member of Tags has a key; the model demands none, and nobody could find such a tag again."""
    return (
        isinstance(value, dict)
        and isinstance(value.get("Key"), str)
        and isinstance(value.get("Value", ""), str)
    )


def _problem(shape: Mapping[str, Any], value: Any) -> str:
    is_number = shape["type"] in ("integer", "long")
    size, what = (value, "value") if is_number else (len(value) if hasattr(value, "__len__") else 0, "length")
    if size < shape.get("min", size):
        return f" have {what} greater than or equal to {shape['min']}"
    if shape["type"] != "blob" and size > shape.get("max", size):
        return f" have {what} less than or equal to {shape['max']}"
    if value not in shape.get("enum", (value,)):
        return f" satisfy enum value set: [{', '.join(shape['enum'])}]"
    return ""
