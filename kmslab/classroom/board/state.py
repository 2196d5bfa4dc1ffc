"""Where every seat of a class stands, folded from its events; pure, so that it can be made again at any time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from kmslab.model.verdict import Outcome

Event = Mapping[str, Any]

NUDGES = 5
"""Nudges that a seat keeps: the last ones."""
HAPPENINGS = 12
"""What happened last at a seat: so many lines are kept."""


class Phase(StrEnum):
    """What a seat is doing; the value is what people read."""

    WAITING = "not deployed"
    DEPLOYING = "deploying"
    READY = "ready"
    VERIFYING = "verifying"
    RESETTING = "resetting"
    LEAVING = "taking down"
    GONE = "taken down"
    DEPLOY_FAILED = "deployment failed"
    VERIFY_FAILED = "verify broke off"
    RESET_FAILED = "reset failed"
    DOWN_FAILED = "take-down failed"


BUSY = frozenset({Phase.DEPLOYING, Phase.VERIFYING, Phase.RESETTING, Phase.LEAVING})
FAILED = frozenset({Phase.DEPLOY_FAILED, Phase.VERIFY_FAILED, Phase.RESET_FAILED, Phase.DOWN_FAILED})


@dataclass(frozen=True, slots=True)
class Topic:
    """The last verdicts of one topic at one seat.

    Attributes:
        counts: how many checks had each verdict.
        failing: ids of the checks that did not hold or could not look.
        at: when it was verified.
        since: when it began to fail, if it fails: the first such verdict of an unbroken row.
    """

    counts: Mapping[Outcome, int]
    failing: tuple[str, ...]
    at: datetime
    since: datetime | None

    @property
    def outcome(self) -> Outcome:
        """The verdict that matters most; UNPROVABLE only where nothing could be proven."""
        for outcome in (Outcome.FAIL, Outcome.ERROR, Outcome.PASS):
            if self.counts.get(outcome):
                return outcome
        return Outcome.UNPROVABLE


@dataclass(frozen=True, slots=True)
class Happening:
    """Something that happened at a seat, in words: a nudge, a fault's id, or a line of what happened last."""

    at: datetime
    text: str


@dataclass(frozen=True, slots=True)
class Standing:
    """What a seat's lab has used up, for its cost.

    Attributes:
        seconds: that earlier labs of the seat stood.
        since: when the lab that stands now began to be made; None: none stands.
        deployments: that were begun; a reset is one.
        checks: that were run.
    """

    seconds: float = 0.0
    since: datetime | None = None
    deployments: int = 0
    checks: int = 0

    def hours(self, now: datetime) -> float:
        """Hours that labs stood at the seat until now."""
        current = (now - self.since).total_seconds() if self.since else 0.0
        return (self.seconds + max(0.0, current)) / 3600


@dataclass(frozen=True, slots=True)
class SeatState:
    """One seat.

    Attributes:
        phase: what it is doing.
        since: when it began to; None before anything happened.
        why: why it failed, in one line; else empty.
        topics: the last verdicts, by topic.
        broken: faults that are in place: when, and which.
        nudges: from the trainer, the oldest first.
        recent: what happened last, the oldest first.
        standing: for the cost.
        changed: the version of the class in which it changed last.
    """

    phase: Phase = Phase.WAITING
    since: datetime | None = None
    why: str = ""
    topics: Mapping[str, Topic] = field(default_factory=lambda: MappingProxyType({}))
    broken: tuple[Happening, ...] = ()
    nudges: tuple[Happening, ...] = ()
    recent: tuple[Happening, ...] = ()
    standing: Standing = Standing()
    changed: int = 0

    @property
    def stuck(self) -> tuple[tuple[datetime, str], ...]:
        """Topics that fail and since when, the longest first."""
        return tuple(sorted((topic.since, name) for name, topic in self.topics.items() if topic.since))

    @property
    def stuck_since(self) -> datetime | None:
        """Since when the seat needs help: a failed deployment, verify, reset or take-down counts too."""
        times = [since for since, _ in self.stuck]
        if self.phase in FAILED and self.since:
            times.append(self.since)
        return min(times, default=None)

    @property
    def proven(self) -> int:
        """Topics without anything that failed, in which something was proven."""
        return sum(topic.outcome is Outcome.PASS for topic in self.topics.values())


@dataclass(frozen=True, slots=True)
class ClassState:
    """Every seat of the class.

    Attributes:
        seats: by name, in the order of the class.
        version: grows with every fold that was told of new events; for the board, the bytes read so far.
    """

    seats: Mapping[str, SeatState]
    version: int = 0

    def changed_after(self, version: int) -> tuple[str, ...]:
        """Names of the seats that changed since a version."""
        return tuple(name for name, seat in self.seats.items() if seat.changed > version)


def begin(names: Iterable[str]) -> ClassState:
    """A class in which nothing has happened yet."""
    return ClassState(MappingProxyType({name: SeatState() for name in names}))


def fold(state: ClassState, events: Iterable[Event], version: int) -> ClassState:
    """Return the state after these events.

    An event of a seat that is not in the class, of an unknown kind, or without a readable time changes nothing:
    the file may be older than the seats, and newer than this code.

    Args:
        state: before.
        events: as `kmslab.classroom.events.read` returns them, in their order.
        version: of the new state; greater than that of the old one.
    """
    seats = dict(state.seats)
    for event in events:
        name, at = event.get("seat"), _time(event.get("at"))
        apply = _APPLY.get(str(event.get("kind")))
        if isinstance(name, str) and name in seats and at and apply:
            seat = apply(seats[name], at, event)
            seats[name] = replace(seat, changed=version)
    return ClassState(MappingProxyType(seats), version)


def _time(given: object) -> datetime | None:
    try:
        at = datetime.fromisoformat(str(given))
    except ValueError:
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _enter(phase: Phase, words: str) -> Callable[[SeatState, datetime, Event], SeatState]:
    """An event that only says what the seat is doing now."""

    def apply(seat: SeatState, at: datetime, event: Event) -> SeatState:
        why = _line(event.get("why")) if phase in FAILED else ""
        seconds = event.get("seconds")
        took = f" in {seconds:.0f} s" if isinstance(seconds, int | float) else ""
        told = f"{words}{took}{f': {why}' if why else ''}"
        return _tell(replace(seat, phase=phase, since=at, why=why), at, told)

    return apply


def _begin_lab(phase: Phase, words: str) -> Callable[[SeatState, datetime, Event], SeatState]:
    """An event with which a lab begins to cost."""
    enter = _enter(phase, words)

    def apply(seat: SeatState, at: datetime, event: Event) -> SeatState:
        used = seat.standing
        standing = replace(used, since=used.since or at, deployments=used.deployments + 1)
        return replace(enter(seat, at, event), standing=standing)

    return apply


def _verify_topic(seat: SeatState, at: datetime, event: Event) -> SeatState:
    name = _line(event.get("topic"))
    given = event.get("verdicts")
    if not name or not isinstance(given, Mapping):
        return seat
    counts = {outcome: _count(given.get(outcome.value)) for outcome in Outcome}
    failing: tuple[str, ...] = ()
    if isinstance(ids := event.get("failed"), list):
        failing = tuple(map(_line, ids))
    before = seat.topics.get(name)
    since = None
    if counts[Outcome.FAIL] or counts[Outcome.ERROR]:
        since = before.since if before and before.since else at
    topic = Topic(MappingProxyType(counts), failing, at, since)
    standing = replace(seat.standing, checks=seat.standing.checks + sum(counts.values()))
    return replace(seat, topics=MappingProxyType({**seat.topics, name: topic}), standing=standing)


def _broken(seat: SeatState, at: datetime, event: Event) -> SeatState:
    fault = _line(event.get("fault"))
    left = tuple(one for one in seat.broken if one.text != fault)
    return _tell(replace(seat, broken=(*left, Happening(at, fault))), at, f"broke {fault}")


def _repaired(seat: SeatState, at: datetime, event: Event) -> SeatState:
    fault = _line(event.get("fault"))
    left = tuple(one for one in seat.broken if one.text != fault)
    return _tell(replace(seat, broken=left), at, f"repaired {fault}")


def _reset_done(seat: SeatState, at: datetime, event: Event) -> SeatState:
    """A new lab: what was seen and broken in the old one is over."""
    seat = _enter(Phase.READY, "reset")(seat, at, event)
    return replace(seat, topics=MappingProxyType({}), broken=())


def _down_done(seat: SeatState, at: datetime, event: Event) -> SeatState:
    stood = seat.standing.hours(at) * 3600
    seat = _enter(Phase.GONE, "taken down")(seat, at, event)
    standing = replace(seat.standing, seconds=stood, since=None)
    return replace(seat, topics=MappingProxyType({}), broken=(), standing=standing)


def _nudge(seat: SeatState, at: datetime, event: Event) -> SeatState:
    text = _line(event.get("text"))
    kept = (*seat.nudges, Happening(at, text))[-NUDGES:]
    return _tell(replace(seat, nudges=kept), at, f"nudged: {text}")


_APPLY: Mapping[str, Callable[[SeatState, datetime, Event], SeatState]] = {
    "deploy.started": _begin_lab(Phase.DEPLOYING, "deployment began"),
    "deploy.done": _enter(Phase.READY, "deployed"),
    "deploy.failed": _enter(Phase.DEPLOY_FAILED, "deployment failed"),
    "verify.started": _enter(Phase.VERIFYING, "verify began"),
    "verify.topic": _verify_topic,
    "verify.done": _enter(Phase.READY, "verified"),
    "verify.failed": _enter(Phase.VERIFY_FAILED, "verify broke off"),
    "broken": _broken,
    "repaired": _repaired,
    "reset.started": _begin_lab(Phase.RESETTING, "reset began"),
    "reset.done": _reset_done,
    "reset.failed": _enter(Phase.RESET_FAILED, "reset failed"),
    "down.started": _enter(Phase.LEAVING, "take-down began"),
    "down.done": _down_done,
    "down.failed": _enter(Phase.DOWN_FAILED, "take-down failed"),
    "nudge": _nudge,
}


def _tell(seat: SeatState, at: datetime, text: str) -> SeatState:
    return replace(seat, recent=(*seat.recent, Happening(at, text))[-HAPPENINGS:])


def _count(given: object) -> int:
    return given if isinstance(given, int) and given > 0 else 0


def _line(given: object) -> str:
    return " ".join(str(given).split()) if given is not None else ""
