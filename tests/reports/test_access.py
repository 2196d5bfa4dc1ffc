from __future__ import annotations

import pytest

from kmslab.model.matrix import AccessMatrix, Cell
from kmslab.reports.access import LEGEND, rows
from tests.reports.conftest import MATRIX


def words(*cells: tuple[str, str, bool], observed: bool | None = None) -> list[str]:
    """The words in the one field of a matrix of (operation, route, allowed)."""
    made = tuple(
        Cell("p", "k", operation, route, allowed=allowed, reason="r", observed=observed)
        for operation, route, allowed in cells
    )
    ((_, (place,)),) = rows(AccessMatrix(("p",), ("k",), made))
    return [mark.word for mark in place.marks]


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        ((), ["nothing"]),
        ((("Decrypt", "", False), ("Decrypt", "s3", False)), ["nothing"]),
        ((("Decrypt", "", True),), ["uses"]),
        ((("Decrypt", "", False), ("Decrypt", "s3", True)), ["via s3"]),
        ((("Decrypt", "ec2", True), ("GenerateDataKey", "ec2", True)), ["via ebs"]),
        ((("Sign", "", True), ("CreateGrant", "", True)), ["uses", "grants"]),
        ((("CreateGrant", "", False), ("CreateGrant", "ec2", True)), ["via ebs"]),  # EBS's own grant
        (
            (("DescribeKey", "", True), ("Decrypt", "s3", True), ("Decrypt", "ssm", True)),
            ["via s3", "via ssm"],
        ),
        ((("DescribeKey", "", True), ("GetKeyPolicy", "", True)), ["sees"]),
        ((("DescribeKey", "", True), ("DisableKey", "", True)), ["manages"]),
        ((("DescribeKey", "", True), ("Encrypt", "", True)), ["uses"]),
        ((("DescribeKey", "", True), ("Verify", "", True)), ["verifies"]),  # no secret is used
        ((("Sign", "", True), ("Verify", "", True)), ["uses"]),
        ((("VerifyMac", "", True),), ["uses"]),
    ],
)
def test_a_field_says_what_may_be_done(cells: tuple[tuple[str, str, bool], ...], said: list[str]) -> None:
    assert words(*cells) == said


def test_a_field_says_where_it_went_otherwise() -> None:
    assert words(("Decrypt", "", True), observed=False) == ["uses", "differs"]
    assert words(("Decrypt", "", False), observed=True) == ["differs"]
    assert words(("Decrypt", "", True), observed=True) == ["uses"]


def test_the_picture_has_every_principal_and_key_in_order() -> None:
    found = rows(MATRIX)
    assert [principal for principal, _ in found] == list(MATRIX.principals)
    assert [[place.key for place in places] for _, places in found] == [list(MATRIX.keys)] * 3
    ids = [place.id for _, places in found for place in places]
    assert len(set(ids)) == len(ids)
    assert ids[0] == "access-data-owner-s3"


def test_what_was_decided_alike_has_one_reason() -> None:
    owner = dict(rows(MATRIX))["data-owner"][1]
    assert [(one.operations, one.allowed, one.observed, one.differs) for one in owner.reasons] == [
        ("CreateGrant", True, "not tried", False),
        ("Encrypt", True, "not tried", False),
        ("Decrypt", True, "refused", True),
    ]


def test_reasons_that_differ_in_the_operation_alone_are_one() -> None:
    said = "The key policy does not allow kms:{} to role outsider."
    cells = tuple(
        Cell("p", "k", name, "", allowed=False, reason=said.format(name)) for name in ("Decrypt", "Encrypt")
    )
    ((_, (place,)),) = rows(AccessMatrix(("p",), ("k",), cells))
    assert [(one.operations, one.text) for one in place.reasons] == [
        ("Decrypt, Encrypt", "The key policy does not allow it to role outsider.")
    ]


def test_permitted_things_come_first() -> None:
    reader = dict(rows(MATRIX))["data-owner"][0]
    assert [(one.operations, one.route, one.allowed) for one in reader.reasons] == [
        ("Decrypt", "s3", True),
        ("Decrypt", "", False),
    ]


def test_every_mark_is_told_apart_without_colour() -> None:
    assert len({mark.symbol for mark, _ in LEGEND}) == len({mark.word for mark, _ in LEGEND}) == len(LEGEND)
