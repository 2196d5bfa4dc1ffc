"""The table of prices: each price has its source and its day, and is what the arithmetic says."""

from __future__ import annotations

from datetime import date

import pytest

from kmslab.cost.estimating import MADE, UNPRICED
from kmslab.cost.prices import measured, table


def test_every_price_says_where_and_when_it_was_seen() -> None:
    listed = [(price.source, price.seen) for price in table().prices.values()]
    listed += [(free.source, free.seen) for free in table().free]
    for source, seen in listed:
        assert source.startswith("https://")
        assert seen >= date(2026, 1, 1), source


def test_every_item_is_there_once_and_is_worth_its_line() -> None:
    prices = table().prices
    assert len(prices) > 20
    assert all(price.price >= 0 and price.per >= 1 and price.what and price.unit for price in prices.values())
    free = {item for item, price in prices.items() if price.price == 0}
    assert free == {"parameter", "trail", "event-rule"}


@pytest.mark.parametrize(
    ("item", "usd"),
    [
        ("kms-key", 1 / 730),
        ("kms-request", 0.000003),
        ("kms-asymmetric-request", 0.000015),
        ("interface-endpoint", 0.01),
        ("ebs-gp3", 0.08 / 730),
        ("trail-further-copy", 0.00002),
    ],
)
def test_one_unit_costs(item: str, usd: float) -> None:
    assert table().prices[item].each == pytest.approx(usd)


def test_what_was_counted_has_a_price_or_is_known_to_have_none() -> None:
    counted = {item for part in measured().parts.values() for item in part}
    assert {MADE.get(item, item) for item in counted} - set(table().prices) <= set(UNPRICED)
    assert set(UNPRICED).isdisjoint(table().prices)


def test_the_counting_saw_what_it_should() -> None:
    """A deployment makes the lab's keys, `kmslab verify` makes some of its own and uses asymmetric ones."""
    parts = measured().parts
    assert parts["deployment"]["kms-key-made"] == 11
    assert parts["deployment"]["kms-request"] > 11
    assert parts["verify"]["kms-key-made"] > 10
    assert parts["verify"]["kms-asymmetric-request"] > 10
    assert parts["verify"]["s3-write"] > 10
    assert parts["06-ebs"]["ebs-direct-put"] > 0
    assert parts["08-asymmetric"]["kms-asymmetric-request"] > 5
