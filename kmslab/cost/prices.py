"""The table of prices, ``prices.toml``, and the table of what was counted, ``measured.toml``."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date


@dataclass(frozen=True, slots=True)
class Price:
    """One price of AWS's.

    Attributes:
        item: its name in the table.
        what: what it is for, in words.
        unit: what is counted: ``request``, ``hour``, ``GiB-month``.
        price: USD for ``per`` units.
        per: how many units the price is for.
        source: URL of the place where it was looked up.
        seen: when.
        note: what else to know; may be empty.
        free_tier: what AWS does not charge each month; named, never subtracted.
    """

    item: str
    what: str
    unit: str
    price: float
    per: int
    source: str
    seen: date
    note: str = ""
    free_tier: str = ""

    @property
    def each(self) -> float:
        """USD for one unit; for one hour of it where it is charged for as long as it stands."""
        hours = table().hours_a_month if self.unit.endswith("-month") else 1
        return self.price / self.per / hours


@dataclass(frozen=True, slots=True)
class Free:
    """Types of resources that nothing is charged for.

    Attributes:
        types: as in CloudFormation.
        why: in words.
        source: URL.
        seen: when.
    """

    types: tuple[str, ...]
    why: str
    source: str
    seen: date


@dataclass(frozen=True, slots=True)
class Table:
    """The table of prices.

    Attributes:
        region: where the prices hold.
        hours_a_month: by which a monthly price is prorated.
        prices: by item.
        free: resource types that cost nothing.
    """

    region: str
    hours_a_month: int
    prices: Mapping[str, Price]
    free: tuple[Free, ...]

    @property
    def seen(self) -> date:
        """When the oldest price was looked up."""
        return min(price.seen for price in self.prices.values())


@dataclass(frozen=True, slots=True)
class Measured:
    """What was asked of AWS, counted on the local engine.

    Attributes:
        day: of the counting.
        parts: ``deployment``, ``verify`` or a page of the course to items and how many.
    """

    day: date
    parts: Mapping[str, Mapping[str, float]]


@cache
def table() -> Table:
    """Read the table of prices."""
    read = _read("prices.toml")
    return Table(
        region=read["region"],
        hours_a_month=read["hours_a_month"],
        prices={one["item"]: Price(**one) for one in read["price"]},
        free=tuple(Free(**{**one, "types": tuple(one["types"])}) for one in read["free"]),
    )


@cache
def measured() -> Measured:
    """Read what was counted."""
    read = _read("measured.toml")
    return Measured(read.pop("measured"), read)


def _read(name: str) -> dict[str, Any]:
    return tomllib.loads(Path(__file__).with_name(name).read_text(encoding="utf-8"))
