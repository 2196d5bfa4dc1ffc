"""Where a seat stands, from what happened."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from kmslab.classroom.board.state import NUDGES, ClassState, Phase, SeatState, begin, fold
from kmslab.model.verdict import Outcome
from tests.classroom.board.conftest import told, verified


def at(minute: int) -> datetime:
    return datetime(2026, 11, 22, 10, minute, tzinfo=UTC)


def after(*events: dict[str, object]) -> SeatState:
    return fold(begin(["ada", "bob"]), events, 1).seats["ada"]


@pytest.mark.parametrize(
    ("kind", "phase"),
    [
        ("deploy.started", Phase.DEPLOYING),
        ("deploy.done", Phase.READY),
        ("deploy.failed", Phase.DEPLOY_FAILED),
        ("verify.started", Phase.VERIFYING),
        ("verify.done", Phase.READY),
        ("verify.failed", Phase.VERIFY_FAILED),
        ("reset.started", Phase.RESETTING),
        ("reset.done", Phase.READY),
        ("reset.failed", Phase.RESET_FAILED),
        ("down.started", Phase.LEAVING),
        ("down.done", Phase.GONE),
        ("down.failed", Phase.DOWN_FAILED),
    ],
)
def test_what_a_seat_does(kind: str, phase: Phase) -> None:
    seat = after(told(3, "ada", kind, why="no more\nkeys"))
    assert (seat.phase, seat.since) == (phase, at(3))
    failed = kind.endswith("failed")
    assert seat.why == ("no more keys" if failed else "")
    assert seat.stuck_since == (at(3) if failed else None)


def test_nothing_has_happened_in_the_beginning() -> None:
    state = begin(["ada", "bob"])
    assert [*state.seats.items()] == [("ada", SeatState()), ("bob", SeatState())]
    assert (state.version, state.changed_after(0)) == (0, ())


def test_a_seat_is_stuck_since_the_first_failure_of_an_unbroken_row() -> None:
    first = verified(1, "ada", "s3", "s3.reader")
    assert after(
        first, verified(4, "ada", "s3", "s3.reader"), verified(5, "ada", "keys", errors=1)
    ).stuck == (
        (at(1), "s3"),
        (at(5), "keys"),
    )
    mended = verified(2, "ada", "s3")
    assert after(first, mended).stuck == ()
    seat = after(first, mended, verified(3, "ada", "s3", "s3.reader"))
    assert seat.stuck == ((at(3), "s3"),)
    assert seat.stuck_since == at(3)
    assert seat.topics["s3"].failing == ("s3.reader",)


@pytest.mark.parametrize(
    ("verdicts", "outcome", "proven"),
    [
        ({"PASS": 2, "FAIL": 1, "ERROR": 1}, Outcome.FAIL, 0),
        ({"PASS": 2, "ERROR": 1}, Outcome.ERROR, 0),
        ({"PASS": 2, "UNPROVABLE": 1}, Outcome.PASS, 1),
        ({"UNPROVABLE": 3}, Outcome.UNPROVABLE, 0),
        ({}, Outcome.UNPROVABLE, 0),
    ],
)
def test_the_verdict_of_a_topic_is_the_one_that_matters_most(
    verdicts: dict[str, int], outcome: Outcome, proven: int
) -> None:
    seat = after(told(1, "ada", "verify.topic", topic="s3", verdicts=verdicts, failed=[]))
    assert (seat.topics["s3"].outcome, seat.proven) == (outcome, proven)


def test_what_is_broken_is_in_place_until_it_is_repaired() -> None:
    seat = after(told(1, "ada", "broken", fault="s3.a"), told(2, "ada", "broken", fault="s3.b"))
    assert [(one.at, one.text) for one in seat.broken] == [(at(1), "s3.a"), (at(2), "s3.b")]
    seat = after(
        told(1, "ada", "broken", fault="s3.a"),
        told(2, "ada", "broken", fault="s3.b"),
        told(3, "ada", "repaired", fault="s3.a"),
    )
    assert [one.text for one in seat.broken] == ["s3.b"]


@pytest.mark.parametrize("kind", ["reset.done", "down.done"])
def test_a_new_lab_has_nothing_of_the_old_one(kind: str) -> None:
    before = (verified(1, "ada", "s3", "s3.reader"), told(2, "ada", "broken", fault="s3.a"))
    seat = after(*before, told(3, "ada", kind))
    assert (seat.topics, seat.broken, seat.stuck_since) == ({}, (), None)
    seat = after(*before, told(3, "ada", "reset.started"), told(4, "ada", "reset.failed", why="x"))
    assert "s3" in seat.topics
    assert seat.broken


def test_the_last_nudges_are_kept() -> None:
    seat = after(*(told(n, "ada", "nudge", text=f"look {n}") for n in range(NUDGES + 2)))
    assert [one.text for one in seat.nudges] == [f"look {n}" for n in range(2, NUDGES + 2)]
    assert seat.recent[-1].text == f"nudged: look {NUDGES + 1}"


def test_what_happened_is_told_in_words() -> None:
    seat = after(
        told(0, "ada", "deploy.started"),
        told(1, "ada", "deploy.done", seconds=34.2),
        told(2, "ada", "verify.failed", why="the engine is away"),
        verified(3, "ada", "s3"),
    )
    assert [one.text for one in seat.recent] == [
        "deployment began",
        "deployed in 34 s",
        "verify broke off: the engine is away",
    ]


def test_what_a_lab_used_up() -> None:
    seat = after(
        told(0, "ada", "deploy.started"),
        told(1, "ada", "deploy.failed", why="x"),
        told(2, "ada", "deploy.started"),
        verified(8, "ada", "s3", "s3.reader"),
        verified(9, "ada", "keys"),
        told(20, "ada", "reset.started"),
        told(30, "ada", "down.done"),
        told(40, "ada", "deploy.started"),
    )
    assert (seat.standing.deployments, seat.standing.checks) == (4, 7)
    assert seat.standing.hours(at(40)) == pytest.approx(0.5)
    assert seat.standing.hours(at(40) + timedelta(hours=1)) == pytest.approx(1.5)
    assert after(told(0, "ada", "nudge", text="x")).standing.hours(at(40)) == 0


@pytest.mark.parametrize(
    "event",
    [
        told(1, "nobody", "deploy.done"),
        told(1, "ada", "invented"),
        {"at": "yesterday", "seat": "ada", "kind": "deploy.done"},
        {"seat": "ada", "kind": "deploy.done"},
        {"at": "2026-11-22T10:00:00Z", "seat": ["ada"], "kind": "deploy.done"},
        {"at": 7, "seat": "bob", "kind": {}},
        {},
    ],
)
def test_what_cannot_be_understood_changes_nothing(event: dict[str, object]) -> None:
    state = fold(begin(["ada", "bob"]), [event], 5)
    assert (dict(state.seats), state.version) == (dict(begin(["ada", "bob"]).seats), 5)


@pytest.mark.parametrize("verdicts", [None, 3, {"PASS": "many"}, {"FAIL": -1}, []])
def test_a_damaged_topic_is_no_failure(verdicts: object) -> None:
    seat = after(told(1, "ada", "verify.topic", topic="s3", verdicts=verdicts, failed="s3.reader"))
    assert seat.stuck == ()


def test_a_fold_says_who_changed() -> None:
    state = fold(begin(["ada", "bob"]), [told(1, "ada", "deploy.started")], 10)
    state = fold(state, [told(2, "bob", "deploy.started")], 20)
    assert [state.changed_after(version) for version in (0, 10, 20)] == [("ada", "bob"), ("bob",), ()]


def test_folding_in_parts_is_folding_at_once() -> None:
    events = [
        told(0, "ada", "deploy.started"),
        verified(1, "ada", "s3", "s3.reader"),
        told(2, "bob", "broken", fault="s3.a"),
        verified(3, "ada", "s3", "s3.reader"),
        told(4, "ada", "nudge", text="look"),
    ]

    def without_versions(state: ClassState) -> list[object]:
        return [
            (seat.phase, seat.topics, seat.broken, seat.nudges, seat.recent) for seat in state.seats.values()
        ]

    state = begin(["ada", "bob"])
    for number, one in enumerate(events, 1):
        state = fold(state, [one], number)
    assert without_versions(state) == without_versions(fold(begin(["ada", "bob"]), events, 9))
