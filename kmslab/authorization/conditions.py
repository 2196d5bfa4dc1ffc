"""Condition operators.

Source: IAM User Guide, "IAM JSON policy elements: Condition operators", "Conditions with multiple context
keys or values" and "Set operators for multi-valued context keys".
"""

from __future__ import annotations

import base64
import ipaddress
from datetime import UTC, datetime
from operator import eq, ge, gt, le, lt
from typing import TYPE_CHECKING, Any

from kmslab.authorization.patterns import arn_matches, expand, matches, plain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kmslab.authorization.context import Context
    from kmslab.authorization.model import Condition, Statement

    Test = Callable[[str, str], bool]


def unmet(statement: Statement, context: Context) -> Iterator[Condition]:
    """The conditions of the statement that the request does not meet."""
    return (
        condition
        for condition in statement.conditions
        if not is_met(condition, context, variables=statement.variables)
    )


def all_met(statement: Statement, context: Context) -> bool:
    """Whether the request meets every condition of the statement."""
    for condition in statement.conditions:
        if not is_met(condition, context, variables=statement.variables):
            return False
    return True


def is_met(condition: Condition, context: Context, *, variables: bool = True) -> bool:
    """Whether the request meets one condition.

    An operator that IAM does not have is never met.
    """
    actual = context.values(condition.key)
    if condition.comparison == "null":
        return ("true" if not actual else "false") in (value.lower() for value in condition.values)
    if condition.comparison not in _TESTS or condition.quantifier not in _QUANTIFIERS:
        return False
    test, negated = _TESTS[condition.comparison]
    if not actual:
        return condition.if_exists or _absent(condition.quantifier, negated=negated)
    wanted = condition.values
    if variables and condition.variables:
        wanted = tuple(
            text for text in (expand(value, context.values) for value in wanted) if text is not None
        )
    every = condition.quantifier == "forallvalues"
    met = [any(test(value, text) for text in wanted) is not negated for value in actual if value or not every]
    # Without a set operator a key with several values is read as one that has any of them.
    return all(met) if every or (negated and not condition.quantifier) else any(met)


def _absent(quantifier: str, *, negated: bool) -> bool:
    """Whether a request without the key meets the condition, ``...IfExists`` aside."""
    if quantifier:
        return quantifier == "forallvalues"
    return negated


def _equals(value: str, wanted: str) -> bool:
    return value == plain(wanted)


def _equals_ignoring_case(value: str, wanted: str) -> bool:
    return value.lower() == plain(wanted).lower()


def _like(value: str, wanted: str) -> bool:
    return matches(wanted, value)


def _arn_like(value: str, wanted: str) -> bool:
    return arn_matches(wanted, value)


def _binary(value: str, wanted: str) -> bool:
    try:
        return base64.b64decode(value, validate=True) == base64.b64decode(plain(wanted), validate=True)
    except ValueError:
        return False


def _ip(value: str, wanted: str) -> bool:
    try:
        return ipaddress.ip_address(value) in ipaddress.ip_network(plain(wanted), strict=False)
    except ValueError:
        return False


def _numeric(compare: Callable[[Any, Any], bool]) -> Test:
    def test(value: str, wanted: str) -> bool:
        try:
            return compare(float(value), float(plain(wanted)))
        except ValueError:
            return False

    return test


def _date(compare: Callable[[Any, Any], bool]) -> Test:
    def test(value: str, wanted: str) -> bool:
        try:
            return compare(_moment(value), _moment(plain(wanted)))
        except (ValueError, OverflowError, OSError):
            return False

    return test


def _moment(text: str) -> datetime:
    """ISO 8601, or seconds since 1970."""
    try:
        return datetime.fromtimestamp(float(text), UTC)
    except ValueError:
        found = datetime.fromisoformat(text)
        return found if found.tzinfo else found.replace(tzinfo=UTC)


_QUANTIFIERS = frozenset({"", "forallvalues", "foranyvalue"})
_ORDERS = {
    "equals": eq,
    "lessthan": lt,
    "lessthanequals": le,
    "greaterthan": gt,
    "greaterthanequals": ge,
}
_TESTS: dict[str, tuple[Test, bool]] = {
    "stringequals": (_equals, False),
    "stringnotequals": (_equals, True),
    "stringequalsignorecase": (_equals_ignoring_case, False),
    "stringnotequalsignorecase": (_equals_ignoring_case, True),
    "stringlike": (_like, False),
    "stringnotlike": (_like, True),
    **{f"numeric{name}": (_numeric(order), False) for name, order in _ORDERS.items()},
    "numericnotequals": (_numeric(eq), True),
    **{f"date{name}": (_date(order), False) for name, order in _ORDERS.items()},
    "datenotequals": (_date(eq), True),
    "bool": (_equals_ignoring_case, False),
    "binaryequals": (_binary, False),
    "ipaddress": (_ip, False),
    "notipaddress": (_ip, True),
    "arnequals": (_arn_like, False),
    "arnlike": (_arn_like, False),
    "arnnotequals": (_arn_like, True),
    "arnnotlike": (_arn_like, True),
}
"""Operator to the comparison of one value, and whether the condition asks for the opposite."""
OPERATORS = frozenset({*_TESTS, "null"})
"""Every condition operator in lower case, without quantifier and ``IfExists``."""
