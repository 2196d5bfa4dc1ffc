"""Parameters against botocore's service model, with the messages that AWS's front end gives.

The model (``botocore/data/kms``) names each operation's members, their types, lengths, patterns and
enumerations. Blobs are decoded, so that operations see bytes.

The words are those that AWS was seen to send: public test suites recorded against KMS (LocalStack's
``test_kms.snapshot.json``, 2023 to 2025) and against other services with the same front end. The order in
which AWS names several problems at once is not known: here it is the model's.
"""

from __future__ import annotations

import base64
import binascii
import re
from functools import lru_cache
from typing import Any

from kmslab.engine.kms.errors import KmsError, invalid

_MODERN_SPECS = (
    *("RSA_2048", "ECC_NIST_P384", "ECC_NIST_P256", "ECC_NIST_P521", "HMAC_384", "RSA_3072"),
    *("ECC_SECG_P256K1", "RSA_4096", "SYMMETRIC_DEFAULT", "HMAC_256", "HMAC_224", "HMAC_512"),
)
_RECORDED = {
    "CustomerMasterKeySpec": _MODERN_SPECS,
    "KeySpec": _MODERN_SPECS,
    "KeyUsageType": ("ENCRYPT_DECRYPT", "SIGN_VERIFY", "GENERATE_VERIFY_MAC"),
    "MacAlgorithmSpec": ("HMAC_SHA_384", "HMAC_SHA_256", "HMAC_SHA_224", "HMAC_SHA_512"),
}
"""Enumerations as AWS printed them on 2023-04-13, in an order that no rule explains. Values that came later
are accepted; where AWS puts them in its message, nobody has recorded."""
_CHINA_ONLY = frozenset({"SM2", "SM2DSA", "SM2PKE"})
"""Values that the recordings leave out: they exist in the China Regions only."""


@lru_cache(maxsize=1)
def _model() -> dict[str, Any]:
    from botocore.loaders import create_loader

    model: dict[str, Any] = create_loader().load_service_model("kms", "service-2")
    return model


@lru_cache(maxsize=512)
def _pattern(pattern: str) -> re.Pattern[str]:
    # The patterns are Java's, where \w and \d mean ASCII.
    return re.compile(pattern, re.ASCII)


@lru_cache(maxsize=1)
def operations() -> frozenset[str]:
    """Every operation of the KMS API."""
    return frozenset(_model()["operations"])


def has_output(operation: str) -> bool:
    """Whether the operation answers with members; else its response has no body."""
    return "output" in _model()["operations"][operation]


def validated(operation: str, parameters: Any) -> dict[str, Any]:
    """Return the parameters with blobs as bytes and without members that the API does not know.

    Raises:
        KmsError: SerializationException for a wrong type, ValidationException for a wrong value.
    """
    shape = _model()["operations"][operation].get("input", {}).get("shape")
    if not isinstance(parameters, dict):
        raise _unreadable("Expected structure or null")
    problems: list[str] = []
    checked: dict[str, Any] = _check(shape, parameters, "", problems) if shape else {}
    if problems:
        plural = "error" if len(problems) == 1 else "errors"
        raise invalid(f"{len(problems)} validation {plural} detected: {'; '.join(problems)}")
    return checked


def breaks(member: str, value: object, rule: str) -> KmsError:
    """The error for a rule that the API reference states and the model does not.

    Args:
        member: the parameter, as AWS spells it there: ``pendingWindowInDays``.
        value: what was sent.
        rule: ``Member must have value less than or equal to 30``.
    """
    problem = _problem(f"Value '{value}' at '{member}'", rule)
    return invalid(f"1 validation error detected: {problem}")


def _check(name: str, value: Any, path: str, problems: list[str]) -> Any:
    shape = _model()["shapes"][name]
    kind: str = shape["type"]
    if kind == "structure":
        return _check_structure(shape, value, path, problems)
    if kind == "list":
        return _check_list(shape, value, path, problems)
    if kind == "map":
        return _check_map(shape, value, path, problems)
    checked = _converted(kind, value)
    if broken := _broken(name, shape, checked):
        secret = kind == "blob" or shape.get("sensitive")
        subject = f"Value at '{path}'" if secret else f"Value '{value}' at '{path}'"
        problems += [_problem(subject, rule) for rule in broken]
    return checked


def _check_structure(shape: dict[str, Any], value: Any, path: str, problems: list[str]) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _unreadable("Expected structure or null")
    checked = {}
    required = shape.get("required", ())
    for name, member in shape["members"].items():
        given = value.get(name)
        if given is None and name not in required:
            continue
        where = f"{path}.{_lower(name)}" if path else _lower(name)
        if given is None:
            problems.append(_null(where))
        else:
            checked[name] = _check(member["shape"], given, where, problems)
    return checked


def _check_list(shape: dict[str, Any], value: Any, path: str, problems: list[str]) -> list[Any]:
    if not isinstance(value, list):
        raise _unreadable("Expected list or null")
    name = shape["member"]["shape"]
    member = _model()["shapes"][name]
    if member["type"] == "structure":
        problems += [_null(f"{path}.{index}.member") for index, item in enumerate(value, 1) if item is None]
        return [
            _check(name, item, f"{path}.{index}.member", problems)
            for index, item in enumerate(value, 1)
            if item is not None
        ]
    items = [None if item is None else _converted(member["type"], item) for item in value]
    subject = f"Value '[{', '.join('null' if item is None else str(item) for item in items)}]' at '{path}'"
    problems += [_problem(subject, broken) for broken in _broken_length(shape, len(value))]
    if any(item is None or _broken(name, member, item) for item in items):
        rules = ", ".join([*_rules(name, member), *(["Member must not be null"] if None in items else [])])
        problems.append(_problem(subject, f"Member must satisfy constraint: [{rules}]"))
    return items


def _check_map(shape: dict[str, Any], value: Any, path: str, problems: list[str]) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _unreadable("Expected map or null")
    kind = _model()["shapes"][shape["value"]["shape"]]["type"]
    checked = {
        _converted("string", name): None if item is None else _converted(kind, item)
        for name, item in value.items()
    }
    if None in checked.values():
        shown = ", ".join(f"{name}={'null' if item is None else item}" for name, item in checked.items())
        problems.append(
            _problem(
                f"Value '{{{shown}}}' at '{path}'",
                "Map value must satisfy constraint: [Member must not be null]",
            )
        )
    return checked


_TYPES: dict[str, tuple[tuple[type, ...], str]] = {
    "string": ((str,), "a String"),
    "blob": ((str,), "a ByteBuffer"),
    "integer": ((int,), "an Integer"),
    "long": ((int,), "a Long"),
    "boolean": ((bool,), "a Boolean"),
    "timestamp": ((int, float), "a Date"),
}
_DATES = (-62135596800, 253402300799)
"""The years 1 to 9999, in seconds since 1970: no other date can be written down."""
_TOKENS: tuple[tuple[type, str], ...] = (
    (bool, ""),
    (str, "STRING_VALUE"),
    (int, "NUMBER_VALUE"),
    (float, "NUMBER_VALUE"),
)


def _converted(kind: str, value: Any) -> Any:
    """The value as the type that the model wants; blobs as bytes.

    Raises:
        KmsError: SerializationException.
    """
    types, wanted = _TYPES[kind]
    if isinstance(value, list):
        raise _unreadable("Start of list found where not expected")
    if isinstance(value, dict):
        raise _unreadable("Start of structure or map found where not expected.")
    if not isinstance(value, types) or (isinstance(value, bool) and kind != "boolean"):
        token = next(word for found, word in _TOKENS if isinstance(value, found))
        raise _unreadable(f"{token or str(value).upper() + '_VALUE'} can not be converted to {wanted}")
    if kind == "timestamp":
        return _dated(value)
    if isinstance(value, str):
        return _decoded(value) if kind == "blob" else _encodable(value)
    return value


def _dated(value: Any) -> float:
    if not _DATES[0] <= value <= _DATES[1]:
        raise _unreadable("NUMBER_VALUE can not be converted to a Date")
    return float(value)


def _encodable(value: str) -> str:
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise _unreadable("Unmatched surrogate in a string") from error
    return value


def _decoded(value: str) -> bytes:
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError) as error:
        raise _unreadable("Unable to decode base64 value") from error


def _broken(name: str, shape: dict[str, Any], value: Any) -> list[str]:
    """The rules of a scalar's shape that a value of the right type breaks."""
    if isinstance(value, bytes):
        return _broken_length(shape, len(value))
    if isinstance(value, str):
        broken = _broken_length(shape, len(value))
        if "enum" in shape and value not in shape["enum"]:
            broken.append(_enumeration(name, shape))
        if "pattern" in shape and not _pattern(shape["pattern"]).fullmatch(value):
            broken.append(f"Member must satisfy regular expression pattern: {shape['pattern']}")
        return broken
    if value < shape.get("min", value):
        return [f"Member must have value greater than or equal to {shape['min']}"]
    if value > shape.get("max", value):
        return [f"Member must have value less than or equal to {shape['max']}"]
    return []


def _broken_length(shape: dict[str, Any], length: int) -> list[str]:
    if length < shape.get("min", 0):
        return [f"Member must have length greater than or equal to {shape['min']}"]
    if length > shape.get("max", length):
        return [f"Member must have length less than or equal to {shape['max']}"]
    return []


def _rules(name: str, shape: dict[str, Any]) -> list[str]:
    """Every rule of a string's shape: for a list AWS names all of its member's, broken or not."""
    found = []
    if "max" in shape:
        found.append(f"Member must have length less than or equal to {shape['max']}")
    if "min" in shape:
        found.append(f"Member must have length greater than or equal to {shape['min']}")
    if "enum" in shape:
        found.append(_enumeration(name, shape))
    if "pattern" in shape:
        found.append(f"Member must satisfy regular expression pattern: {shape['pattern']}")
    return found


def _enumeration(name: str, shape: dict[str, Any]) -> str:
    values = _RECORDED.get(name) or [value for value in shape["enum"] if value not in _CHINA_ONLY]
    return f"Member must satisfy enum value set: [{', '.join(values)}]"


def _problem(subject: str, rule: str) -> str:
    return f"{subject} failed to satisfy constraint: {rule}"


def _null(path: str) -> str:
    return _problem(f"Value null at '{path}'", "Member must not be null")


def _unreadable(message: str) -> KmsError:
    return KmsError("SerializationException", message)


def _lower(name: str) -> str:
    return name[0].lower() + name[1:]
