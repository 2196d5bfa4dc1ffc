"""Parameters as they are named and made: ``name`` and ``/name`` are one; what no name, type or value can be.

Recorded from AWS (LocalStack's ``test_ssm.py``: test_put_parameters, test_hierarchical_parameter): a parameter
is found with and without the slash before its name, and shown under the name that was asked for; a name with
sub-paths begins with one slash and has no empty sub-path. A parameter that is not there is told without a word
(aws-control-tower-customizations#68), a version that is not there in those of moto#3977.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from kmslab.engine.hooks import extend

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Response = tuple[int, Mapping[str, str], bytes]
    Stock = Callable[[Mapping[str, Any]], Response]
    Selected = tuple[dict[str, Any] | None, str | None]

TYPES = ("SecureString", "StringList", "String")
"""Kinds of parameters, in AWS's order."""
_MALFORMED = (
    'Parameter name: can\'t be prefixed with "ssm" (case-insensitive). If formed as a path, it can consist of '
    "sub-paths divided by slash symbol; each sub-path can be formed as a mix of letters, numbers and the following "
    "3 symbols .-_"
)


def is_malformed(name: str) -> bool:
    """Whether a name has sub-paths without a leading slash, or an empty one. An ARN is no name."""
    return not name.startswith("arn:") and ("//" in name or ("/" in name and not name.startswith("/")))


def refused(message: str) -> Response:
    """A ValidationException."""
    from ministack.core.responses import error_response_json

    response: Response = error_response_json("ValidationException", message, 400)
    return response


def _unfit(value: object, member: str, constraint: str) -> Response:
    return refused(
        f"1 validation error detected: Value '{value}' at '{member}' failed to satisfy constraint: {constraint}"
    )


def _put_parameter(stock: Stock, data: Mapping[str, Any]) -> Response:
    """Refuse a type that there is not, and a parameter without a value, as AWS's front end does."""
    kind = data.get("Type")
    if kind is not None and kind not in TYPES:
        return _unfit(kind, "type", f"Member must satisfy enum value set: [{', '.join(TYPES)}]")
    if not data.get("Value"):
        return _unfit("", "value", "Member must have length greater than or equal to 1")
    return stock(data)


def _select_parameter(stock: Callable[[str], Selected], name_or_arn: str) -> Selected:
    """Find a parameter with or without the slash before its name."""
    found, error = stock(name_or_arn)
    if found is not None or error != "ParameterNotFound" or "/" in name_or_arn[1:]:
        return found, error
    other = name_or_arn[1:] if name_or_arn.startswith("/") else f"/{name_or_arn}"
    found, error = stock(other)
    return found and {**found, "Name": name_or_arn.partition(":")[0]}, error


def _get_parameter(stock: Stock, data: Mapping[str, Any]) -> Response:
    """Refuse what is no name, and tell of what is not there as AWS does."""
    if is_malformed(str(data.get("Name") or "")):
        return refused(_MALFORMED)
    status, headers, body = stock(data)
    answer = json.loads(body)
    if answer.get("__type") == "ParameterNotFound":
        del answer["message"]
    elif answer.get("__type") == "ParameterVersionNotFound":
        answer["message"] += " Verify the version and try again."
    else:
        return status, headers, body
    return status, headers, json.dumps(answer).encode()


def _get_parameters(stock: Stock, data: Mapping[str, Any]) -> Response:
    """Refuse what is no name."""
    names = data.get("Names")
    if isinstance(names, list) and any(is_malformed(str(name)) for name in names):
        return refused(_MALFORMED)
    return stock(data)


def install() -> None:
    """Apply to reads by name, and to what is put."""
    from ministack.services import ssm

    extend(ssm, "_put_parameter", "data")(_put_parameter)
    extend(ssm, "_select_parameter", "name_or_arn")(_select_parameter)
    extend(ssm, "_get_parameter", "data")(_get_parameter)
    extend(ssm, "_get_parameters", "data")(_get_parameters)
