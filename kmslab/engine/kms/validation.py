"""Parameters against botocore's service model, with the messages that AWS's front end gives.

The model (``botocore/data/kms``) names each operation's members, their types, lengths, patterns and
enumerations. Blobs are decoded, so that operations see bytes.
"""

from __future__ import annotations

import base64
import binascii
import re
from functools import lru_cache
from typing import Any

from kmslab.engine.kms.errors import KmsError, invalid


@lru_cache(maxsize=1)
def _model() -> dict[str, Any]:
    from botocore.loaders import create_loader

    model: dict[str, Any] = create_loader().load_service_model("kms", "service-2")
    return model


@lru_cache(maxsize=512)
def _pattern(pattern: str) -> re.Pattern[str]:
    # botocore's patterns are Java's; these two spellings are the ones that Python lacks.
    return re.compile(pattern.replace(r"\p{L}\p{Z}\p{N}", r"\w\s").replace("\\p{P}", "\\W"))


def operations() -> frozenset[str]:
    """Every operation of the KMS API."""
    return frozenset(_model()["operations"])


def validated(operation: str, parameters: Any) -> dict[str, Any]:
    """Return the parameters with blobs as bytes and without members that the API does not know.

    Raises:
        KmsError: SerializationException for a wrong type, ValidationException for a wrong value.
    """
    shape = _model()["operations"][operation].get("input", {}).get("shape")
    if not isinstance(parameters, dict):
        raise KmsError("SerializationException", "Start of structure or map found where not expected.")
    problems: list[str] = []
    checked: dict[str, Any] = _check(shape, parameters, "", problems) if shape else {}
    if problems:
        plural = "error" if len(problems) == 1 else "errors"
        raise invalid(f"{len(problems)} validation {plural} detected: {'; '.join(problems)}")
    return checked


def _check(name: str, value: Any, path: str, problems: list[str]) -> Any:
    shape = _model()["shapes"][name]
    kind: str = shape["type"]
    if kind == "structure":
        return _check_structure(shape, value, path, problems)
    if kind == "list":
        return _check_list(shape, value, path, problems)
    if kind == "map":
        return _check_map(shape, value, path, problems)
    return _check_scalar(shape, kind, value, path, problems)


def _check_structure(shape: dict[str, Any], value: Any, path: str, problems: list[str]) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise KmsError("SerializationException", "Unexpected value type in payload")
    checked = {}
    for name, member in shape["members"].items():
        where = f"{path}.{_lower(name)}" if path else _lower(name)
        if value.get(name) is not None:
            checked[name] = _check(member["shape"], value[name], where, problems)
        elif name in shape.get("required", ()):
            problems.append(f"Value null at '{where}' failed to satisfy constraint: Member must not be null")
    return checked


def _check_list(shape: dict[str, Any], value: Any, path: str, problems: list[str]) -> list[Any]:
    if not isinstance(value, list):
        raise KmsError("SerializationException", "Unexpected value type in payload")
    _check_length(shape, len(value), f"Value '{value}' at '{path}'", problems)
    return [
        _check(shape["member"]["shape"], item, f"{path}.{index}.member", problems)
        for index, item in enumerate(value, 1)
    ]


def _check_map(shape: dict[str, Any], value: Any, path: str, problems: list[str]) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise KmsError("SerializationException", "Unexpected value type in payload")
    return {
        name: _check(shape["value"]["shape"], item, f"{path}.{name}.member", problems)
        for name, item in value.items()
    }


_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "blob": (str,),
    "integer": (int,),
    "long": (int,),
    "boolean": (bool,),
    "timestamp": (int, float),
}


def _check_scalar(shape: dict[str, Any], kind: str, value: Any, path: str, problems: list[str]) -> Any:
    expected: Any = _TYPES[kind]  # of the union that isinstance narrows to, nothing is left to check
    if not isinstance(value, expected) or (isinstance(value, bool) and kind != "boolean"):
        raise KmsError(
            "SerializationException", f"{type(value).__name__} can not be converted to a {kind.title()}"
        )
    if kind == "blob":
        decoded = _decoded(value)
        _check_length(shape, len(decoded), f"Value at '{path}'", problems)
        return decoded
    subject = f"Value '{value}' at '{path}'"
    if kind == "string":
        _check_length(shape, len(value), subject, problems)
        if "enum" in shape and value not in shape["enum"]:
            allowed = ", ".join(shape["enum"])
            problems.append(
                f"{subject} failed to satisfy constraint: Member must satisfy enum value set: [{allowed}]"
            )
        if "pattern" in shape and not _pattern(shape["pattern"]).fullmatch(value):
            problems.append(
                f"{subject} failed to satisfy constraint: "
                f"Member must satisfy regular expression pattern: {shape['pattern']}"
            )
    elif kind in ("integer", "long"):
        _check_range(shape, value, subject, problems)
    return value


def _decoded(value: str) -> bytes:
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError) as error:
        raise KmsError("SerializationException", "Unable to decode base64 value") from error


def _check_length(shape: dict[str, Any], length: int, subject: str, problems: list[str]) -> None:
    if length < shape.get("min", 0):
        problems.append(
            f"{subject} failed to satisfy constraint: "
            f"Member must have length greater than or equal to {shape['min']}"
        )
    if length > shape.get("max", length):
        problems.append(
            f"{subject} failed to satisfy constraint: Member must have length less than or equal to {shape['max']}"
        )


def _check_range(shape: dict[str, Any], value: int, subject: str, problems: list[str]) -> None:
    if value < shape.get("min", value):
        problems.append(
            f"{subject} failed to satisfy constraint: Member must have value greater than or equal to {shape['min']}"
        )
    if value > shape.get("max", value):
        problems.append(
            f"{subject} failed to satisfy constraint: Member must have value less than or equal to {shape['max']}"
        )


def _lower(name: str) -> str:
    return name[0].lower() + name[1:]
