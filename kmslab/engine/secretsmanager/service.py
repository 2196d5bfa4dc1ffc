"""The Secrets Manager endpoint in place of MiniStack's: one request in, one answer out.

An operation is a function of the request's members that returns the answer's.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from kmslab.engine.front_end import FrontEnd
from kmslab.engine.secretsmanager.errors import SecretsError, invalid_parameter, invalid_request

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from kmslab.engine.secretsmanager.errors import Response

    Operation = Callable[[dict[str, Any]], dict[str, Any]]

NEEDS_TOKEN = {
    "CreateSecret": invalid_request,
    "PutSecretValue": invalid_request,
    "RotateSecret": invalid_parameter,
    "UpdateSecret": invalid_request,
}
"""Operations that every SDK gives a ClientRequestToken, and how its absence is told."""
LONGEST_PERIOD = 1000
"""Days between two rotations at most (API reference, RotationRulesType)."""
FRONT_END = FrontEnd("secretsmanager", SecretsError)
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
    _check_period(parameters.get("RotationRules"))
    FRONT_END.validated(name, parameters)
    # The model demands none, and nobody could find such a tag again.
    if any(tag.get("Key") is None for tag in parameters.get("Tags") or ()):
        raise invalid_parameter("A tag is a key and a value.")
    return _operations[name](parameters)


def _check_period(rules: Any) -> None:
    """Tell of a rotation period that cannot be in the service's own words, not in the front end's."""
    days = rules.get("AutomaticallyAfterDays") if isinstance(rules, dict) else None
    if isinstance(days, int) and not 1 <= days <= LONGEST_PERIOD:
        raise invalid_parameter(f"RotationRules.AutomaticallyAfterDays must be within 1-{LONGEST_PERIOD}.")


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
    given: dict[str, Any] = _without_nulls(members)
    return given


def _without_nulls(value: Any) -> Any:
    """A member that is null is one that was not given."""
    if isinstance(value, dict):
        return {name: _without_nulls(member) for name, member in value.items() if member is not None}
    return [_without_nulls(item) for item in value] if isinstance(value, list) else value
