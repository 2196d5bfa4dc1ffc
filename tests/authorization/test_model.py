"""Policy documents as they come, and what is none."""

from __future__ import annotations

import json
from typing import Any

import pytest

from kmslab.authorization.model import NamedPrincipal, Policy

ONE = {"Effect": "Allow", "Action": "kms:Decrypt", "Resource": "*"}


@pytest.mark.parametrize(
    "document",
    [
        {"Version": "2012-10-17", "Statement": [ONE]},
        {"Version": "2012-10-17", "Statement": ONE},
        json.dumps({"Version": "2012-10-17", "Statement": [ONE]}),
    ],
)
def test_a_document_is_text_or_decoded_and_one_statement_needs_no_list(document: Any) -> None:
    (statement,) = Policy.parse("p", document).statements
    assert (statement.effect, statement.actions, statement.resources) == ("Allow", ("kms:Decrypt",), ("*",))
    assert statement.principals == ()


def test_every_element_is_a_tuple_of_texts() -> None:
    (statement,) = Policy.parse(
        "p",
        {
            "Version": "2012-10-17",
            "Statement": {
                "Sid": "Use",
                "Effect": "Deny",
                "Principal": {"AWS": ["111122223333", "*"], "Service": "s3.amazonaws.com"},
                "NotAction": "kms:Put*",
                "NotResource": ["a", "b"],
                "Condition": {
                    "Bool": {"aws:SecureTransport": False},
                    "ForAnyValue:NumericLessThanIfExists": {"lab:days": [7, "30"], "lab:x": "${aws:userid}"},
                },
            },
        },
    ).statements
    assert statement.label == "Use"
    assert statement.principals == (
        NamedPrincipal("AWS", "111122223333"),
        NamedPrincipal("AWS", "*"),
        NamedPrincipal("Service", "s3.amazonaws.com"),
    )
    assert (statement.not_actions, statement.not_resources) == (("kms:Put*",), ("a", "b"))
    assert [
        (one.key, one.values, one.comparison, one.quantifier, one.if_exists, one.variables)
        for one in statement.conditions
    ] == [
        ("aws:SecureTransport", ("false",), "bool", "", False, False),
        ("lab:days", ("7", "30"), "numericlessthan", "foranyvalue", True, False),
        ("lab:x", ("${aws:userid}",), "numericlessthan", "foranyvalue", True, True),
    ]


def test_a_statement_without_a_sid_goes_by_its_number() -> None:
    statements = Policy.parse("p", {"Statement": [ONE, {**ONE, "Sid": ""}]}).statements
    assert [one.label for one in statements] == ["number 1", "number 2"]


@pytest.mark.parametrize(
    ("version", "variables"), [("2012-10-17", True), ("2008-10-17", False), (None, False)]
)
def test_only_the_new_version_has_variables(version: str | None, variables: bool) -> None:
    (statement,) = Policy.parse("p", {"Version": version, "Statement": ONE}).statements
    assert statement.variables is variables


def test_no_statements_are_a_policy_that_says_nothing() -> None:
    assert Policy.parse("p", {"Version": "2012-10-17", "Statement": []}).statements == ()


@pytest.mark.parametrize(
    "document",
    [
        "no JSON",
        "[]",
        '"text"',
        {"Statement": "text"},
        {"Statement": [{"Action": "*"}]},
        {"Statement": [{**ONE, "Effect": "allow"}]},
        {"Statement": [{**ONE, "Principal": 7}]},
        {"Statement": [{**ONE, "Condition": ["x"]}]},
        {"Statement": [{**ONE, "Condition": {"Bool": "x"}}]},
    ],
)
def test_what_is_no_policy_is_refused(document: Any) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        Policy.parse("p", document)


def test_what_a_policy_says_about_an_action_is_found_by_effect() -> None:
    policy = Policy.parse("p", {"Statement": [ONE, {**ONE, "Effect": "Deny", "Action": "kms:*"}]})
    first, second = policy.statements
    for _ in range(2):
        assert policy.about("Allow", "kms:Decrypt") == (first,)
        assert policy.about("Deny", "kms:decrypt") == (second,)
        assert policy.about("Allow", "kms:Encrypt") == ()
    assert Policy("p", policy.statements) == policy
