"""What the board knows of the course: given to it, so that it needs neither checks nor faults to be there."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Claim:
    """What a check claims, and the guide page it belongs to (``05-s3``)."""

    title: str
    guide: str


@dataclass(frozen=True, slots=True)
class Rates:
    """What a lab costs on AWS.

    Attributes:
        hour: USD for each hour that it stands.
        deployment: USD for each deployment, with the later destruction.
        check: USD for each check, on average.
        charged: whether the class is on AWS; else it would cost that there.
    """

    hour: float
    deployment: float
    check: float
    charged: bool


@dataclass(frozen=True, slots=True)
class Course:
    """The topics, checks and faults that the board shows.

    Attributes:
        topics: each topic's first guide page, in the order of the course.
        checks: by id.
        faults: their titles, by id.
        rates: for the cost so far; None: it is not shown.
    """

    topics: Mapping[str, str]
    checks: Mapping[str, Claim]
    faults: Mapping[str, str]
    rates: Rates | None = None

    @property
    def pages(self) -> tuple[tuple[str, int], ...]:
        """The guide pages, and over how many topics that stand side by side each reaches."""
        return tuple((page, len(list(same))) for page, same in groupby(self.topics.values()))

    def claim(self, check: str) -> Claim:
        """What a check claims; of one that is not known here, its id."""
        return self.checks.get(check) or Claim(check, "")

    def fault(self, name: str) -> str:
        """The title of a fault; of one that is not known here, its id."""
        return self.faults.get(name, name)
