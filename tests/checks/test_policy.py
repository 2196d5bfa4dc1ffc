from __future__ import annotations

import json
from typing import Any

import pytest

from kmslab.checks.policy import account_of, is_everyone, is_whole_account, statements

ROOT = "arn:aws:iam::111122223333:root"
ROLE = "arn:aws:iam::111122223333:role/data-owner"


def one(**elements: Any) -> Any:
    return statements({"Statement": {"Effect": "Allow", **elements}})[0]


def test_text_and_decoded_documents_read_the_same() -> None:
    document = {"Statement": [{"Sid": "A", "Effect": "Deny", "Action": "kms:*", "Resource": "*"}]}
    assert statements(document) == statements(json.dumps(document))
    assert statements(document)[0].sid == "A"


@pytest.mark.parametrize(
    ("elements", "action", "covered"),
    [
        ({"Action": "kms:Decrypt"}, "kms:Decrypt", True),
        ({"Action": "KMS:decrypt"}, "kms:Decrypt", True),
        ({"Action": ["s3:*", "kms:De*"]}, "kms:Decrypt", True),
        ({"Action": "kms:Generate?ac"}, "kms:GenerateMac", True),
        ({"Action": "kms:Decrypt"}, "kms:DecryptMore", False),
        ({"Action": "kms.Decrypt"}, "kms:Decrypt", False),
        ({"NotAction": ["iam:*"]}, "kms:Decrypt", True),
        ({"NotAction": ["kms:De*"]}, "kms:Decrypt", False),
    ],
)
def test_covers(elements: dict[str, Any], action: str, covered: bool) -> None:  # a table's column
    assert one(**elements).covers(action) is covered


@pytest.mark.parametrize(
    ("condition", "pinned"),
    [
        ({"ArnEquals": {"aws:PrincipalArn": ROLE}}, (ROLE,)),
        ({"StringLike": {"AWS:principalarn": [ROLE, ROOT]}}, (ROLE, ROOT)),
        ({"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::111122223333:role/*"}}, ()),
        ({"StringEqualsIfExists": {"aws:PrincipalArn": ROLE}}, ()),
        ({"ArnNotEquals": {"aws:PrincipalArn": ROLE}}, ()),
        ({"ForAnyValue:StringEquals": {"aws:PrincipalArn": ROLE}}, ()),
        ({"StringEquals": {"kms:ViaService": "s3"}}, ()),
        ({}, ()),
    ],
)
def test_pinned_to(condition: dict[str, Any], pinned: tuple[str, ...]) -> None:
    assert one(Action="kms:*", Condition=condition).pinned_to("aws:PrincipalArn") == pinned


def test_values_of_some_operators() -> None:
    statement = one(Action="*", Condition={"StringNotEquals": {"a:B": "x"}, "Bool": {"a:B": True}})
    assert statement.values("a:b") == ("x", "true")
    assert statement.values("a:B", "StringNotEquals") == ("x",)


@pytest.mark.parametrize(
    ("principal", "expected"),
    [
        ("*", {"everyone"}),
        ({"AWS": "*"}, {"everyone"}),
        ({"AWS": ROOT}, {"account"}),
        ({"AWS": "111122223333"}, {"account"}),
        ({"AWS": ROLE}, set()),
        ({"Service": "s3.amazonaws.com"}, set()),
    ],
)
def test_principals(principal: Any, expected: set[str]) -> None:
    (found,) = one(Action="*", Principal=principal).principals
    assert {
        name for name, is_it in (("everyone", is_everyone), ("account", is_whole_account)) if is_it(found)
    } == expected


def test_the_account_of_a_principal() -> None:
    assert [account_of(p) for p in (f"AWS:{ROLE}", "AWS:111122223333", "Service:x", "*")] == [
        "111122223333",
        "111122223333",
        "",
        "",
    ]


def test_a_pattern_is_no_regular_expression() -> None:
    assert not one(Action="kms:.*").covers("kms:Decrypt")
