"""Wildcards and policy variables.

Sources: IAM User Guide, "IAM JSON policy elements: Resource", "... Action", "... Condition operators" (ARN
operators) and "IAM policy elements: Variables and tags".
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_STAR, _QUESTION_MARK = "\ue000", "\ue001"
"""Stand in a pattern for the characters ``*`` and ``?`` themselves (private use: no policy contains them)."""
_LITERALS = str.maketrans({"*": _STAR, "?": _QUESTION_MARK})
_PLAIN = str.maketrans({_STAR: "*", _QUESTION_MARK: "?"})
_REGEX = {"*": ".*", "?": ".", _STAR: r"\*", _QUESTION_MARK: r"\?"}
_IN_FIELD = {"*": "[^:]*", "?": "[^:]"}
_VARIABLE = re.compile(r"\$\{([^}]*)\}")
_ARN_FIELDS = 6


@lru_cache(maxsize=4096)
def _compiled(pattern: str, *, ignore_case: bool) -> re.Pattern[str]:
    return re.compile(_regex(pattern), (re.IGNORECASE if ignore_case else 0) | re.DOTALL)


def _regex(pattern: str) -> str:
    return "".join(_REGEX.get(letter) or re.escape(letter) for letter in pattern)


def matches(pattern: str, value: str, *, ignore_case: bool = False) -> bool:
    """Whether ``*`` (any characters) and ``?`` (one character) make the pattern the whole value."""
    return pattern == "*" or _compiled(pattern, ignore_case=ignore_case).fullmatch(value) is not None


def action_matches(pattern: str, action: str) -> bool:
    """Whether an Action pattern covers the action; letter case is ignored.

    AWS's own policies have thousands of patterns about other services: these need no regular expression.
    """
    if "*" not in pattern and "?" not in pattern:
        return pattern.lower() == action.lower()
    service, colon, _ = pattern.partition(":")
    if colon and service.isalnum() and service.lower() != action.partition(":")[0].lower():
        return False
    return matches(pattern, action, ignore_case=True)


def resource_matches(pattern: str, arn: str) -> bool:
    """Whether a Resource pattern covers an ARN.

    A wildcard stays within its field of the ARN, but for a ``*`` at the end of a field: it runs on past colons.
    """
    return pattern == "*" or _compiled_resource(pattern).fullmatch(arn) is not None


@lru_cache(maxsize=4096)
def _compiled_resource(pattern: str) -> re.Pattern[str]:
    *fields, last = pattern.split(":", _ARN_FIELDS - 1)
    regex = [_field_regex(field) for field in fields]
    return re.compile(":".join([*regex, _regex(last)]), re.DOTALL)


def _field_regex(field: str) -> str:
    inner, end = (field[:-1], ".*") if field.endswith("*") else (field, "")
    return "".join(_IN_FIELD.get(letter) or _regex(letter) for letter in inner) + end


@lru_cache(maxsize=4096)
def arn_matches(pattern: str, arn: str) -> bool:
    """Whether an ARN condition's value matches: each of the six fields by itself, with wildcards."""
    if pattern == "*":
        return True
    wanted, found = pattern.split(":", _ARN_FIELDS - 1), arn.split(":", _ARN_FIELDS - 1)
    return len(wanted) == len(found) == _ARN_FIELDS and all(
        matches(one, other) for one, other in zip(wanted, found, strict=True)
    )


def expand(text: str, lookup: Callable[[str], tuple[str, ...]]) -> str | None:
    """Put values in the place of policy variables: ``${aws:username}``, ``${aws:username, 'none'}``, ``${*}``.

    A value is text: a ``*`` in it is no wildcard. Only keys with one value can be variables.

    Args:
        text: a Resource pattern or a condition's value.
        lookup: condition key to its values.

    Returns: the text; None when a variable has no value, so that the text can match nothing.
    """
    if "${" not in text:
        return text
    missing = False

    def value(match: re.Match[str]) -> str:
        nonlocal missing
        name, comma, default = (part.strip() for part in match[1].partition(","))
        if name in {"*", "?", "$"}:
            return name.translate(_LITERALS)
        found = lookup(name)
        if len(found) == 1:
            return found[0].translate(_LITERALS)
        missing = missing or not comma
        return default.strip("'").translate(_LITERALS)

    expanded = _VARIABLE.sub(value, text)
    return None if missing else expanded


def plain(expanded: str) -> str:
    """An expanded text as it reads, for comparisons that know no wildcards."""
    return expanded if expanded.isascii() else expanded.translate(_PLAIN)
