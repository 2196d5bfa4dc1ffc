"""What the pages show of the class: words, marks and order; the templates only lay it out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from kmslab.classroom.board.state import BUSY, FAILED, Happening, Phase
from kmslab.model.verdict import Outcome

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kmslab.classroom.board.course import Course
    from kmslab.classroom.board.state import SeatState, Topic
    from kmslab.classroom.seats import Seat

MARKS = {
    Outcome.PASS: ("pass", "✓", "proven"),
    Outcome.FAIL: ("fail", "✕", "failed"),
    Outcome.ERROR: ("error", "!", "could not be observed"),
    Outcome.UNPROVABLE: ("unprovable", "○", "not enforced by this target"),
}
"""How a verdict is shown: a class of the style sheet, a sign, and its meaning."""
UNSEEN = ("unseen", "·", "not verified yet")


@dataclass(frozen=True, slots=True)
class Cell:
    """One topic of one seat.

    Attributes:
        topic: its name.
        style: a class of the style sheet.
        sign: what is read at a glance.
        number: of checks that are wrong; 0 where none is.
        words: the same in words.
        since: when it began to fail; None where it does not.
    """

    topic: str
    style: str
    sign: str
    number: int
    words: str
    since: datetime | None


@dataclass(frozen=True, slots=True)
class Row:
    """One seat as the trainer sees it.

    Attributes:
        seat: name, account, Region and learner.
        state: everything that is known.
        tone: ``fail``, ``busy``, ``calm`` or ``idle``: how its phase is shown.
        kinds: names of the filters that show it, of `FILTERS`.
        cells: one for each topic of the course, in its order.
    """

    seat: Seat
    state: SeatState
    tone: str
    kinds: tuple[str, ...]
    cells: tuple[Cell, ...]

    @property
    def failing(self) -> tuple[Cell, ...]:
        """The topics that fail, the longest first."""
        return tuple(sorted((c for c in self.cells if c.since), key=lambda cell: cell.since or _NEVER))

    @property
    def trouble(self) -> str:
        """Where it is stuck, in a few words; empty if it is not."""
        if self.state.phase in FAILED:
            return self.state.phase.value
        topics = [cell.topic for cell in self.failing]
        if not topics:
            return ""
        return topics[0] if len(topics) == 1 else f"{topics[0]} and {len(topics) - 1} more"


FILTERS = {
    "all": "All seats",
    "help": "Need help",
    "busy": "Working",
    "broken": "Break and fix",
    "done": "All proven",
    "idle": "Not deployed",
}
"""By which the trainer may choose the seats that are shown."""
_NEVER = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Total:
    """One topic over all seats."""

    topic: str
    proven: int
    wrong: int


@dataclass(frozen=True, slots=True)
class Overview:
    """The class as a whole.

    Attributes:
        counts: seats of each filter.
        help: seats that need help, the longest waiting first.
        broken: seats with faults in place and each fault, the oldest first.
        totals: one for each topic.
        cost: USD so far; None: not known.
    """

    counts: Mapping[str, int]
    help: tuple[Row, ...]
    broken: tuple[tuple[Row, Happening], ...]
    totals: tuple[Total, ...]
    cost: float | None


def row(seat: Seat, state: SeatState, course: Course) -> Row:
    """Show one seat."""
    cells = tuple(_cell(topic, state.topics.get(topic)) for topic in course.topics)
    if state.phase in FAILED:
        tone = "fail"
    elif state.phase in BUSY:
        tone = "busy"
    else:
        tone = "idle" if state.phase in {Phase.WAITING, Phase.GONE} else "calm"
    kinds = ["all"]
    if state.stuck_since:
        kinds.append("help")
    if state.phase in BUSY:
        kinds.append("busy")
    if state.broken:
        kinds.append("broken")
    if cells and all(cell.style in {"pass", "unprovable"} for cell in cells):
        kinds.append("done")
    if tone == "idle":
        kinds.append("idle")
    return Row(seat, state, tone, tuple(kinds), cells)


def overview(everyone: list[Row], course: Course, now: datetime) -> Overview:
    """Show the class as a whole.

    Args:
        everyone: a row of each seat.
        course: the topics, and what a lab costs.
        now: for the cost so far.
    """
    counts = {kind: sum(kind in one.kinds for one in everyone) for kind in FILTERS}
    in_need = sorted((one for one in everyone if "help" in one.kinds), key=_waiting)
    broken = sorted(
        ((one, fault) for one in everyone for fault in one.state.broken), key=lambda pair: pair[1].at
    )
    columns = zip(*(one.cells for one in everyone), strict=True)
    totals = tuple(
        Total(
            topic,
            proven=sum(cell.style == "pass" for cell in column),
            wrong=sum(cell.style in {"fail", "error"} for cell in column),
        )
        for topic, column in zip(course.topics, columns, strict=True)
    )
    return Overview(counts, tuple(in_need), tuple(broken), totals, _cost(everyone, course, now))


def _waiting(one: Row) -> datetime:
    return one.state.stuck_since or _NEVER


def _cell(name: str, topic: Topic | None) -> Cell:
    if topic is None:
        return Cell(name, UNSEEN[0], UNSEEN[1], 0, UNSEEN[2], None)
    style, sign, words = MARKS[topic.outcome]
    wrong = 0
    if topic.since:
        failed, errors = topic.counts[Outcome.FAIL], topic.counts[Outcome.ERROR]
        wrong = failed + errors
        said = [f"{n} {MARKS[o][2]}" for o, n in ((Outcome.FAIL, failed), (Outcome.ERROR, errors)) if n]
        words = ", ".join(said)
    return Cell(name, style, sign, wrong, words, topic.since)


def _cost(everyone: list[Row], course: Course, now: datetime) -> float | None:
    if (rates := course.rates) is None:
        return None
    used = [one.state.standing for one in everyone]
    return (
        rates.hour * sum(one.hours(now) for one in used)
        + rates.deployment * sum(one.deployments for one in used)
        + rates.check * sum(one.checks for one in used)
    )
