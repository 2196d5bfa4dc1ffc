"""What a lab costs: by the hour and day, for each thing that one does with it, and for a class."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kmslab.cost.bill import EMPTIED_BUCKETS, Counted, not_counted, rotation_days, schedules, standing
from kmslab.cost.prices import measured, table

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import date

    from kmslab.cost.prices import Price
    from kmslab.model.settings import LabSettings

HOURS_A_DAY = 24
DEPLOYMENT, VERIFY = "deployment", "verify"
MADE = {"kms-key-made": "kms-key", "kms-rotation-made": "kms-rotation", "secret-made": "secret"}
"""What was made and removed again, to the item that it is charged as for the hour that it was there."""
MADE_WHAT = {
    "kms-key-made": "KMS keys made, an hour each",
    "kms-rotation-made": "rotations on demand, an hour each",
    "secret-made": "secrets made, an hour each",
}
UNPRICED = {"kms-rsa-data-key-pair": "KMS requests for RSA data key pairs"}
"""Items that are counted and have no price in the table, in words."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of an estimate.

    Attributes:
        item: of the price table.
        what: in words.
        quantity: how many; None: not counted, because it depends on what one does.
        unit: what is counted; empty when there is no price.
        price: from the table; None: not priced, because no source was found for it.
        usd: in USD: for an hour where it stands, else once. None where it is not counted or not priced.
        why: why it is not counted; else what the table notes.
    """

    item: str
    what: str
    quantity: float | None
    unit: str
    price: Price | None
    usd: float | None
    why: str = ""


@dataclass(frozen=True, slots=True)
class ClassEstimate:
    """What a class costs. Money in USD.

    Attributes:
        seats: how many labs, one a seat.
        days: how many days.
        hours: how many hours of each day a lab stands.
        runs: full runs of `kmslab verify` at each seat.
        standing: of one seat: what stands, and its rotated key material.
        deployments: of one seat.
        verifies: of one seat.
        pages: of one seat: each page of the course once.
    """

    seats: int
    days: int
    hours: int
    runs: int
    standing: float
    deployments: float
    verifies: float
    pages: float

    @property
    def per_seat(self) -> float:
        """For one seat."""
        return self.standing + self.deployments + self.verifies + self.pages

    @property
    def total(self) -> float:
        """For all seats."""
        return self.per_seat * self.seats


@dataclass(frozen=True, slots=True)
class Estimate:
    """What one lab costs. Money in USD, floats; what is not priced or not counted is not in the sums.

    Attributes:
        settings: of the lab.
        region: where the prices hold.
        seen: when the oldest price was looked up.
        measured: when requests were counted.
        standing: what each hour costs.
        not_counted: what is charged for as well, and depends on what one does.
        deployment: what `kmslab up` and the later `kmslab down` ask of AWS, once.
        verify: what one full `kmslab verify` asks, with the keys that it makes.
        pages: what each page of the course asks, by its name.
    """

    settings: LabSettings
    region: str
    seen: date
    measured: date
    standing: tuple[Line, ...]
    not_counted: tuple[Line, ...]
    deployment: tuple[Line, ...]
    verify: tuple[Line, ...]
    pages: Mapping[str, tuple[Line, ...]]

    @property
    def per_hour(self) -> float:
        """Of a lab that stands, in USD."""
        return total(self.standing)

    @property
    def per_day(self) -> float:
        """Of a lab that stands for 24 hours, in USD."""
        return self.per_hour * HOURS_A_DAY

    @property
    def free_tiers(self) -> tuple[str, ...]:
        """What AWS does not charge each month for the items of this estimate; it is not subtracted."""
        lines = (*self.standing, *self.not_counted, *self.deployment, *self.verify)
        found = [line.price.free_tier for line in lines if line.price and line.price.free_tier]
        return tuple(dict.fromkeys(found))

    def for_class(self, seats: int, days: int, *, hours: int = HOURS_A_DAY, runs: int = 6) -> ClassEstimate:
        """Price a class in which each seat has a lab, goes through all pages and runs `kmslab verify`.

        Args:
            seats: how many labs.
            days: how many days.
            hours: how many hours of each day the labs stand. Below 24 they are destroyed each evening and
                deployed again; at 24 they are deployed once.
            runs: full runs of `kmslab verify` at each seat.
        """
        stands = math.ceil(hours * days) * self.per_hour
        if hours == HOURS_A_DAY:
            rotated = rotation_days(self.settings, days) * HOURS_A_DAY
            stands += rotated * table().prices["kms-rotation"].each
        return ClassEstimate(
            seats=seats,
            days=days,
            hours=hours,
            runs=runs,
            standing=stands,
            deployments=total(self.deployment) * (1 if hours == HOURS_A_DAY else days),
            verifies=total(self.verify) * runs,
            pages=sum(total(lines) for lines in self.pages.values()),
        )


def estimate(settings: LabSettings) -> Estimate:
    """Price a lab with these settings, in the Region of the price table."""
    prices, counts = table(), measured()
    # What a deployment makes stands afterwards, and is charged as such.
    asked = {item: number for item, number in counts.parts[DEPLOYMENT].items() if item not in MADE}
    besides = [Counted("lambda-request", 2 * EMPTIED_BUCKETS)]
    if at_the_end := schedules(settings):
        besides.append(Counted("schedule", at_the_end))
    return Estimate(
        settings=settings,
        region=prices.region,
        seen=prices.seen,
        measured=counts.day,
        standing=_lines(standing(settings)),
        not_counted=_lines(not_counted(settings)),
        deployment=_lines([*_counted(asked), *besides]),
        verify=_lines(_counted(counts.parts[VERIFY])),
        pages={
            name: _lines(_counted(part))
            for name, part in counts.parts.items()
            if name not in {DEPLOYMENT, VERIFY}
        },
    )


def total(lines: Iterable[Line]) -> float:
    """The sum of what is priced and counted, in USD."""
    return sum(line.usd for line in lines if line.usd is not None)


def _counted(part: Mapping[str, float]) -> list[Counted]:
    """Turn what was counted into items: what was made is charged for an hour."""
    return [
        Counted(MADE.get(name, name), quantity, MADE_WHAT.get(name, UNPRICED.get(name, "")))
        for name, quantity in part.items()
    ]


def _lines(counted: Sequence[Counted]) -> tuple[Line, ...]:
    return tuple(_line(one) for one in counted)


def _line(one: Counted) -> Line:
    price = table().prices.get(one.item)
    if price is None:
        return Line(one.item, one.what or one.item, one.quantity, "", None, None, one.why)
    usd = None if one.quantity is None else one.quantity * price.each
    return Line(one.item, one.what or price.what, one.quantity, price.unit, price, usd, one.why or price.note)
