"""Parameters against botocore's service model, with the messages that AWS's front end gives.

The model (``botocore/data/<service>``) names each operation's members, their types, lengths, patterns and
enumerations. Blobs are decoded, so that operations see bytes.

The words are those that AWS was seen to send: public test suites recorded against KMS (LocalStack's
``test_kms.snapshot.json``, 2023 to 2025) and against other services with the same front end. The order in
which AWS names several problems at once is not known: here it is the model's.
"""

from __future__ import annotations

import base64
import binascii
import re
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

INVALID = "ValidationException"
_CHINA_ONLY = frozenset({"SM2", "SM2DSA", "SM2PKE"})
"""Values that the recordings leave out: they exist in the China Regions only."""


class FrontEnd:
    """What looks at a service's requests before the service does."""

    def __init__(
        self,
        service: str,
        error: Callable[[str, str], Exception],
        enumerations: Mapping[str, tuple[str, ...]] | None = None,
    ) -> None:
        """Know a service; its model is read when it is needed.

        Args:
            service: botocore's name.
            error: makes the service's error of a code and a message.
            enumerations: shape to its values as AWS was seen to print them, where that is not the model's order.
        """
        self._service, self._error = service, error
        self._enumerations = enumerations or {}

    @cached_property
    def _model(self) -> dict[str, Any]:
        from botocore.loaders import create_loader

        model: dict[str, Any] = create_loader().load_service_model(self._service, "service-2")
        return model

    @cached_property
    def operations(self) -> frozenset[str]:
        """Every operation of the API."""
        return frozenset(self._model["operations"])

    def has_output(self, operation: str) -> bool:
        """Whether the operation answers with members; else its response has no body."""
        return "output" in self._model["operations"][operation]

    def documents(self, operation: str, code: str) -> bool:
        """Whether the operation is documented to fail with an error code."""
        return any(one["shape"] == code for one in self._model["operations"][operation].get("errors", ()))

    def validated(self, operation: str, parameters: Any) -> dict[str, Any]:
        """Return the parameters with blobs as bytes and without members that the API does not know.

        Raises:
            Exception: the service's: SerializationException for a wrong type, ValidationException for a wrong value.
        """
        shape = self._model["operations"][operation].get("input", {}).get("shape")
        if not isinstance(parameters, dict):
            raise self._unreadable("Expected structure or null")
        problems: list[str] = []
        checked: dict[str, Any] = self._check(shape, parameters, "", problems) if shape else {}
        if problems:
            plural = "error" if len(problems) == 1 else "errors"
            raise self._error(INVALID, f"{len(problems)} validation {plural} detected: {'; '.join(problems)}")
        return checked

    def breaks(self, member: str, value: object, rule: str) -> Exception:
        """The error for a rule that the API reference states and the model does not.

        Args:
            member: the parameter, as AWS spells it there: ``pendingWindowInDays``.
            value: what was sent.
            rule: ``Member must have value less than or equal to 30``.
        """
        problem = _problem(f"Value '{value}' at '{member}'", rule)
        return self._error(INVALID, f"1 validation error detected: {problem}")

    def _check(self, name: str, value: Any, path: str, problems: list[str]) -> Any:
        shape = self._model["shapes"][name]
        kind: str = shape["type"]
        if kind == "structure":
            return self._check_structure(shape, value, path, problems)
        if kind == "list":
            return self._check_list(shape, value, path, problems)
        if kind == "map":
            return self._check_map(shape, value, path, problems)
        checked = self._converted(kind, value)
        if broken := self._broken(name, shape, checked):
            secret = kind == "blob" or shape.get("sensitive")
            subject = f"Value at '{path}'" if secret else f"Value '{value}' at '{path}'"
            problems += [_problem(subject, rule) for rule in broken]
        return checked

    def _check_structure(
        self, shape: dict[str, Any], value: Any, path: str, problems: list[str]
    ) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise self._unreadable("Expected structure or null")
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
                checked[name] = self._check(member["shape"], given, where, problems)
        return checked

    def _check_list(self, shape: dict[str, Any], value: Any, path: str, problems: list[str]) -> list[Any]:
        if not isinstance(value, list):
            raise self._unreadable("Expected list or null")
        name = shape["member"]["shape"]
        member = self._model["shapes"][name]
        if member["type"] == "structure":
            problems += [
                _null(f"{path}.{index}.member") for index, item in enumerate(value, 1) if item is None
            ]
            return [
                self._check(name, item, f"{path}.{index}.member", problems)
                for index, item in enumerate(value, 1)
                if item is not None
            ]
        items = [None if item is None else self._converted(member["type"], item) for item in value]
        subject = (
            f"Value '[{', '.join('null' if item is None else str(item) for item in items)}]' at '{path}'"
        )
        problems += [_problem(subject, broken) for broken in _broken_length(shape, len(value))]
        if any(item is None or self._broken(name, member, item) for item in items):
            rules = ", ".join(
                [*self._rules(name, member), *(["Member must not be null"] if None in items else [])]
            )
            problems.append(_problem(subject, f"Member must satisfy constraint: [{rules}]"))
        return items

    def _check_map(self, shape: dict[str, Any], value: Any, path: str, problems: list[str]) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise self._unreadable("Expected map or null")
        kind = self._model["shapes"][shape["value"]["shape"]]["type"]
        checked = {
            self._converted("string", name): None if item is None else self._converted(kind, item)
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

    def _converted(self, kind: str, value: Any) -> Any:
        """The value as the type that the model wants; blobs as bytes.

        Raises:
            Exception: the service's SerializationException.
        """
        types, wanted = _TYPES[kind]
        if isinstance(value, list):
            raise self._unreadable("Start of list found where not expected")
        if isinstance(value, dict):
            raise self._unreadable("Start of structure or map found where not expected.")
        if not isinstance(value, types) or (isinstance(value, bool) and kind != "boolean"):
            token = next(word for found, word in _TOKENS if isinstance(value, found))
            raise self._unreadable(
                f"{token or str(value).upper() + '_VALUE'} can not be converted to {wanted}"
            )
        if kind == "timestamp":
            return self._dated(value)
        if isinstance(value, str):
            return self._decoded(value) if kind == "blob" else self._encodable(value)
        return value

    def _dated(self, value: Any) -> float:
        if not _DATES[0] <= value <= _DATES[1]:
            raise self._unreadable("NUMBER_VALUE can not be converted to a Date")
        return float(value)

    def _encodable(self, value: str) -> str:
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise self._unreadable("Unmatched surrogate in a string") from error
        return value

    def _decoded(self, value: str) -> bytes:
        try:
            return base64.b64decode(value, validate=True)
        except (binascii.Error, ValueError) as error:
            raise self._unreadable("Unable to decode base64 value") from error

    def _broken(self, name: str, shape: dict[str, Any], value: Any) -> list[str]:
        """The rules of a scalar's shape that a value of the right type breaks."""
        if isinstance(value, bytes):
            return _broken_length(shape, len(value))
        if isinstance(value, str):
            broken = _broken_length(shape, len(value))
            if "enum" in shape and value not in shape["enum"]:
                broken.append(self._enumeration(name, shape))
            if "pattern" in shape and not _pattern(shape["pattern"]).fullmatch(value):
                broken.append(f"Member must satisfy regular expression pattern: {shape['pattern']}")
            return broken
        if value < shape.get("min", value):
            return [f"Member must have value greater than or equal to {shape['min']}"]
        if value > shape.get("max", value):
            return [f"Member must have value less than or equal to {shape['max']}"]
        return []

    def _rules(self, name: str, shape: dict[str, Any]) -> list[str]:
        """Every rule of a string's shape: for a list AWS names all of its member's, broken or not."""
        found = []
        if "max" in shape:
            found.append(f"Member must have length less than or equal to {shape['max']}")
        if "min" in shape:
            found.append(f"Member must have length greater than or equal to {shape['min']}")
        if "enum" in shape:
            found.append(self._enumeration(name, shape))
        if "pattern" in shape:
            found.append(f"Member must satisfy regular expression pattern: {shape['pattern']}")
        return found

    def _enumeration(self, name: str, shape: dict[str, Any]) -> str:
        values = self._enumerations.get(name) or [
            value for value in shape["enum"] if value not in _CHINA_ONLY
        ]
        return f"Member must satisfy enum value set: [{', '.join(values)}]"

    def _unreadable(self, message: str) -> Exception:
        return self._error("SerializationException", message)


@lru_cache(maxsize=512)
def _pattern(pattern: str) -> re.Pattern[str]:
    # The patterns are Java's, where \w and \d mean ASCII.
    return re.compile(pattern, re.ASCII)


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


def _broken_length(shape: dict[str, Any], length: int) -> list[str]:
    if length < shape.get("min", 0):
        return [f"Member must have length greater than or equal to {shape['min']}"]
    if length > shape.get("max", length):
        return [f"Member must have length less than or equal to {shape['max']}"]
    return []


def _problem(subject: str, rule: str) -> str:
    return f"{subject} failed to satisfy constraint: {rule}"


def _null(path: str) -> str:
    return _problem(f"Value null at '{path}'", "Member must not be null")


def _lower(name: str) -> str:
    return name[0].lower() + name[1:]
