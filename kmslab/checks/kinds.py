"""What kind of evidence a check gives, as seen from what it does."""

from __future__ import annotations

from enum import StrEnum
from types import CodeType, FunctionType, ModuleType
from typing import TYPE_CHECKING, Any

from kmslab.model.capability import Capability

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kmslab.checks.registry import Check


class Kind(StrEnum):
    """The kinds of evidence."""

    CONFIGURATION = "configuration"
    """What the API says is set."""
    BEHAVIOUR = "behaviour"
    """What a principal could do, and what was refused."""
    CRYPTOGRAPHIC = "cryptographic"
    """What was verified outside KMS, with a library of somebody else's."""
    AUDIT = "audit"
    """What the trail or an alarm told afterwards."""


_TRAIL = {Capability.KMS_TRAIL, Capability.ALARMS}
_LIBRARIES = {"cryptography", "aws_encryption_sdk", "hmac"}
_ACTS = {"allowed", "refused"}


def kind_of(check: Check) -> Kind:
    """Return the strongest kind of evidence that the check gives.

    Looks at the names that the check's function uses, and those of what it calls in this package: a check
    that needs the trail reads it, one that uses a cryptographic library verifies something outside KMS,
    and one that calls as somebody (``Lab.allowed``, ``Lab.refused``) shows behaviour.
    """
    if check.needs & _TRAIL:
        return Kind.AUDIT
    used = set(_names(check.function, set()))
    if used & _LIBRARIES:
        return Kind.CRYPTOGRAPHIC
    return Kind.BEHAVIOUR if used & _ACTS else Kind.CONFIGURATION


def _names(used: Any, seen: set[int]) -> Iterator[str]:
    """Names in a function or class and in all it refers to in this package; of imports, the first part."""
    if id(used) in seen:
        return
    seen.add(id(used))
    if isinstance(used, ModuleType):
        yield used.__name__.partition(".")[0]
    elif isinstance(used, property):
        yield from _names(used.fget, seen)
    elif isinstance(used, type) and used.__module__.startswith(__package__):
        for member in vars(used).values():
            yield from _names(member, seen)
    elif isinstance(used, FunctionType) and used.__module__.startswith(__package__):
        wrapped = getattr(used, "__wrapped__", None)  # what a context manager is made of
        if wrapped:
            yield from _names(wrapped, seen)
        for name in _of_code(used.__code__):
            yield name.partition(".")[0]
            yield from _names(used.__globals__.get(name), seen)


def _of_code(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _of_code(constant)
