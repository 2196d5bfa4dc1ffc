"""Every condition operator, met and not met, and what a missing or a repeated key does."""

from __future__ import annotations

from typing import Any

import pytest

from kmslab.authorization.conditions import is_met
from kmslab.authorization.context import Context
from kmslab.authorization.model import Condition, Request
from tests.authorization.cases import ACCOUNT, KEY, OTHER, ROLE, by_identity, role, statement

KEY_NAME = "lab:value"
NOTHING: tuple[str, ...] = ()


def met(operator: str, wanted: Any, actual: str | tuple[str, ...], **others: str) -> bool:
    keys = {KEY_NAME: actual, **{f"lab:{name}": value for name, value in others.items()}}
    context = Context(role(), Request("kms:Decrypt", KEY, keys))
    return is_met(Condition.parse(operator, KEY_NAME, wanted), context)


OPERATORS: list[tuple[str, Any, list[str], list[str]]] = [
    # operator, values of the policy, values that meet it, values that do not
    ("StringEquals", "Blue", ["Blue"], ["blue", "Blu", "", "Blue "]),
    ("StringEquals", ["a", "b"], ["a", "b"], ["c", "ab"]),
    ("StringEquals", "a*", ["a*"], ["ab"]),
    ("StringNotEquals", "Blue", ["blue", "x"], ["Blue"]),
    ("StringNotEquals", ["a", "b"], ["c"], ["a", "b"]),
    ("StringEqualsIgnoreCase", "Blue", ["BLUE", "blue"], ["blues"]),
    ("StringNotEqualsIgnoreCase", "Blue", ["red"], ["BLUE"]),
    (
        "StringLike",
        "s3.*.amazonaws.com",
        ["s3.us-east-1.amazonaws.com", "s3..amazonaws.com"],
        ["s3", "S3.x.amazonaws.com"],
    ),
    ("StringLike", "a?c", ["abc", "a:c"], ["ac", "abbc"]),
    ("StringLike", ["x*", "y*"], ["xa", "y"], ["z"]),
    ("StringNotLike", "prod-*", ["test-1"], ["prod-1", "prod-"]),
    ("StringNotLike", ["x*", "y*"], ["z"], ["xa", "ya"]),
    ("NumericEquals", "30", ["30", "30.0"], ["7", "x"]),
    ("NumericEquals", 30, ["30"], ["31"]),
    ("NumericNotEquals", "30", ["7"], ["30", "30.0"]),
    ("NumericLessThan", "30", ["29", "7.5"], ["30", "100"]),
    ("NumericLessThanEquals", "30", ["30", "7"], ["31"]),
    ("NumericGreaterThan", "90", ["91", "100"], ["90", "9"]),
    ("NumericGreaterThanEquals", "90", ["90", "2560"], ["89"]),
    (
        "DateEquals",
        "2026-01-01T00:00:00Z",
        ["2026-01-01T00:00:00Z", "2026-01-01T01:00:00+01:00", "1767225600"],
        ["2026-01-02T00:00:00Z"],
    ),
    ("DateNotEquals", "2026-01-01T00:00:00Z", ["2026-01-02T00:00:00Z"], ["1767225600"]),
    ("DateLessThan", "2026-01-01", ["2025-12-31T23:59:59Z"], ["2026-01-01", "2026-06-01"]),
    ("DateLessThanEquals", "2026-01-01T00:00:00Z", ["2026-01-01T00:00:00Z"], ["2026-01-01T00:00:01Z"]),
    ("DateGreaterThan", "2026-01-01T00:00:00Z", ["2026-01-01T00:00:01Z"], ["2026-01-01T00:00:00Z", "soon"]),
    ("DateGreaterThanEquals", "1767225600", ["2026-01-01T00:00:00Z"], ["2025-12-31"]),
    ("Bool", "true", ["true", "True"], ["false", ""]),
    ("Bool", True, ["true"], ["false"]),
    ("Bool", "false", ["false"], ["true"]),
    ("BinaryEquals", "QmluYXJ5", ["QmluYXJ5"], ["QmluYXJ6", "no base64!", "é"]),
    ("IpAddress", "203.0.113.0/24", ["203.0.113.7"], ["203.0.114.7", "nowhere"]),
    ("IpAddress", "203.0.113.7", ["203.0.113.7"], ["203.0.113.8"]),
    ("IpAddress", ["203.0.113.0/24", "2001:db8::/32"], ["2001:db8::1"], ["2001:db9::1"]),
    ("NotIpAddress", ["203.0.113.0/24", "198.51.100.0/24"], ["192.0.2.1"], ["203.0.113.7", "198.51.100.1"]),
    ("ArnEquals", ROLE, [ROLE], [ROLE.lower().replace("owner", "Owner"), f"{ROLE}/x"]),
    ("ArnLike", f"arn:aws:iam::{ACCOUNT}:role/*", [ROLE], [ROLE.replace("role", "user")]),
    ("ArnLike", "arn:aws:iam::*:role/team/owner", [ROLE], ["arn:aws:iam::role/team/owner"]),
    ("ArnEquals", "arn:aws:*:role/team/owner", [], [ROLE]),
    ("ArnLike", "*", [ROLE], []),
    ("ArnNotEquals", ROLE, [f"{ROLE}2"], [ROLE]),
    (
        "ArnNotLike",
        [f"arn:aws:iam::{ACCOUNT}:user/*", f"arn:aws:iam::{ACCOUNT}:role/x*"],
        [ROLE],
        [f"arn:aws:iam::{ACCOUNT}:role/xy"],
    ),
]


@pytest.mark.parametrize(("operator", "wanted", "right", "wrong"), OPERATORS)
def test_an_operator(operator: str, wanted: Any, right: list[str], wrong: list[str]) -> None:
    assert [value for value in right if not met(operator, wanted, value)] == []
    assert [value for value in wrong if met(operator, wanted, value)] == []


@pytest.mark.parametrize("operator", sorted({row[0] for row in OPERATORS}))
def test_a_missing_key_meets_negated_and_if_exists_operators_only(operator: str) -> None:
    assert met(operator, "1", NOTHING) is ("Not" in operator)
    assert met(f"{operator}IfExists", "1", NOTHING)
    assert met(f"ForAllValues:{operator}", "1", NOTHING)
    assert not met(f"ForAnyValue:{operator}", "1", NOTHING)
    assert met(f"ForAnyValue:{operator}IfExists", "1", NOTHING)


@pytest.mark.parametrize(("operator", "wanted", "right", "wrong"), OPERATORS)
def test_if_exists_still_compares_a_key_that_exists(
    operator: str, wanted: Any, right: list[str], wrong: list[str]
) -> None:
    assert all(met(f"{operator}IfExists", wanted, value) for value in right)
    assert not any(met(f"{operator}IfExists", wanted, value) for value in wrong)


SETS: list[tuple[str, Any, tuple[str, ...], bool]] = [
    ("ForAllValues:StringEquals", ["a", "b"], ("a", "b"), True),
    ("ForAllValues:StringEquals", ["a", "b"], ("a", "c"), False),
    ("ForAllValues:StringLike", "team-*", ("team-a", "team-b"), True),
    ("ForAllValues:StringEquals", ["a"], ("",), True),
    ("ForAnyValue:StringEquals", ["a", "b"], ("x", "b"), True),
    ("ForAnyValue:StringEquals", ["a", "b"], ("x", "y"), False),
    ("ForAllValues:StringNotEquals", ["a", "b"], ("x", "y"), True),
    ("ForAllValues:StringNotEquals", ["a", "b"], ("x", "b"), False),
    ("ForAnyValue:StringNotEquals", ["a", "b"], ("a", "x"), True),
    ("ForAnyValue:StringNotEquals", ["a", "b"], ("a", "b"), False),
    ("forallvalues:stringequals", ["a"], ("a",), True),
    # A plain operator reads a key with several values as one that has any of them.
    ("StringEquals", "a", ("x", "a"), True),
    ("StringNotEquals", "a", ("x", "a"), False),
    ("ForSomeValues:StringEquals", "a", ("a",), False),
]


@pytest.mark.parametrize(("operator", "wanted", "actual", "expected"), SETS)
def test_a_set_operator(operator: str, wanted: Any, actual: tuple[str, ...], expected: bool) -> None:
    assert met(operator, wanted, actual) is expected


@pytest.mark.parametrize(
    ("wanted", "present", "absent"),
    [("true", False, True), ("false", True, False), (True, False, True), (["true", "false"], True, True)],
)
def test_null_asks_whether_a_key_is_there(wanted: Any, present: bool, absent: bool) -> None:
    assert met("Null", wanted, "x") is present
    assert met("Null", wanted, NOTHING) is absent


@pytest.mark.parametrize("operator", ["StringMatches", "StringEqualsIfMissing", "ForAnyValue:Nothing", ""])
def test_an_operator_that_iam_does_not_have_is_never_met(operator: str) -> None:
    assert not met(operator, "x", "x")
    assert not met(operator, "x", NOTHING)


@pytest.mark.parametrize("operator", ["stringequals", "STRINGEQUALS", "StringEqualsifexists"])
def test_letter_case_of_operators_does_not_count(operator: str) -> None:
    assert met(operator, "x", "x")
    assert not met(operator, "x", "X")


def test_every_condition_must_be_met() -> None:
    both = {"StringEquals": {"lab:a": "1", "lab:b": "2"}, "Bool": {"lab:c": "true"}}
    owner = role(statement(Condition=both))
    right = {"LAB:A": "1", "lab:B": "2", "lab:c": "true"}
    assert by_identity(owner, keys=right)
    for name in right:
        assert not by_identity(owner, keys={**right, name: "3"})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("aws:PrincipalArn", ROLE),
        ("aws:PrincipalAccount", ACCOUNT),
        ("aws:PrincipalType", "AssumedRole"),
        ("aws:PrincipalIsAWSService", "false"),
        ("aws:ResourceAccount", ACCOUNT),
    ],
)
def test_keys_that_follow_from_the_request_are_there(name: str, value: str) -> None:
    assert by_identity(role(statement(Condition={"StringEquals": {name: value}})))
    assert not by_identity(role(statement(Condition={"StringNotEquals": {name: value}})))


def test_what_a_request_brings_counts_before_its_principals_and_both_before_what_follows() -> None:
    name = "aws:PrincipalAccount"
    bringing = role(PRINCIPALACCOUNT=OTHER)
    assert Context(role(), Request("kms:Decrypt", KEY)).values(name) == (ACCOUNT,)
    assert Context(bringing, Request("kms:Decrypt", KEY)).values(name) == (OTHER,)
    assert Context(bringing, Request("kms:Decrypt", KEY, {name.upper(): ("1", "2")})).values(name) == (
        "1",
        "2",
    )


@pytest.mark.parametrize(
    ("name", "past", "future"),
    [
        ("aws:CurrentTime", "2020-01-01T00:00:00Z", "2120-01-01T00:00:00Z"),
        ("aws:EpochTime", "1577836800", "4733510400"),
    ],
)
def test_the_clock_is_asked_unless_a_time_is_given(name: str, past: str, future: str) -> None:
    def allowed(limit: str, keys: dict[str, str | tuple[str, ...]]) -> bool:
        return by_identity(role(statement(Condition={"DateGreaterThan": {name: limit}})), keys=keys)

    assert allowed(past, {})
    assert not allowed(future, {})
    assert allowed(future, {name: "2125-01-01T00:00:00Z"})


@pytest.mark.parametrize(
    ("wanted", "actual", "expected"),
    [
        ("${lab:team}", "blue", True),
        ("${lab:team}", "red", False),
        ("${LAB:Team}-x", "blue-x", True),
        ("${lab:none}", "${lab:none}", False),
        ("${lab:none, 'blue'}", "blue", True),
        ("${lab:none,'green'}", "blue", False),
        ("${lab:team, 'green'}", "blue", True),
        ("${*}", "*", True),
        ("a${?}${$}", "a?$", True),
    ],
)
def test_a_policy_variable_stands_for_a_value(wanted: str, actual: str, expected: bool) -> None:
    assert met("StringEquals", wanted, actual, team="blue") is expected


def test_a_variable_without_a_value_matches_negated_operators_only() -> None:
    assert not met("StringLike", "*${lab:none}*", "x")
    assert met("StringNotLike", "*${lab:none}*", "x")
    assert met("StringNotEquals", "${lab:none}", "x")


def test_a_star_that_a_variable_brings_is_no_wildcard() -> None:
    assert not met("StringLike", "${lab:team}", "anything", team="*")
    assert met("StringLike", "${lab:team}", "*", team="*")
    assert not met("StringLike", "a${*}", "abc")
    assert met("StringLike", "${lab:team}-*", "blue-1", team="blue")
