from __future__ import annotations

import gc
import threading
from typing import TYPE_CHECKING, ClassVar

import pytest

from kmslab.checks import runner
from kmslab.checks.registry import Check
from kmslab.checks.temporary import scratch_key, stopped
from kmslab.lab import Failed, Inconclusive
from kmslab.model.capability import ALL
from kmslab.model.verdict import Outcome
from tests.checks.fakes import OUTPUTS, FakeAccess
from tests.checks.lab_world import LabWorld, good_lab
from tests.checks.test_sweep import leave_key, nothing_left_behind

if TYPE_CHECKING:
    from collections.abc import Callable

    from kmslab.checks.sweep import Swept
    from kmslab.lab import Lab
    from kmslab.model.verdict import Verdict

    Look = Callable[[Lab], str]


def seen(lab: Lab) -> str:
    return "seen"


@pytest.fixture
def world() -> LabWorld:
    return nothing_left_behind(good_lab())


def run(
    monkeypatch: pytest.MonkeyPatch, world: LabWorld, looks: dict[str, Look], *serial: str, **named: object
) -> list[tuple[Check, Verdict]]:
    """Run functions as checks; those in `serial` alone."""
    checks = [Check(name, name, "", "", look, serial=name in serial) for name, look in looks.items()]
    monkeypatch.setattr(
        runner, "catalogue", lambda only, **_: [c for c in checks if not only or c.id in only]
    )
    return runner.run_all(FakeAccess(world), OUTPUTS, ALL, **named)  # type: ignore[arg-type]  # keywords of a table


def test_verdicts_come_in_the_order_of_the_catalogue(
    monkeypatch: pytest.MonkeyPatch, world: LabWorld
) -> None:
    second_done = threading.Event()

    def first(lab: Lab) -> str:
        assert second_done.wait(10)
        return "first"

    def second(lab: Lab) -> str:
        second_done.set()
        raise Failed("second")

    told: list[str] = []
    verdicts = run(
        monkeypatch, world, {"a": first, "b": second}, on_verdict=lambda check, _: told.append(check.id)
    )
    assert [(check.id, verdict.outcome) for check, verdict in verdicts] == [
        ("a", Outcome.PASS),
        ("b", Outcome.FAIL),
    ]
    assert sorted(told) == ["a", "b"]


def test_only_what_was_asked_for_runs(monkeypatch: pytest.MonkeyPatch, world: LabWorld) -> None:
    verdicts = run(monkeypatch, world, {"a": seen, "b": seen}, only=["b"])
    assert [check.id for check, _ in verdicts] == ["b"]


def test_serial_checks_run_after_the_others(monkeypatch: pytest.MonkeyPatch, world: LabWorld) -> None:
    done: list[str] = []
    before: dict[str, list[str]] = {}

    def look(name: str) -> Look:
        def looked(lab: Lab) -> str:
            before[name] = list(done)
            done.append(name)
            return "seen"

        return looked

    run(monkeypatch, world, {name: look(name) for name in ["s1", "a", "s2", "b", "c"]}, "s1", "s2")
    for name in ("s1", "s2"):
        assert {"a", "b", "c"} <= set(before[name])


def test_a_key_is_stopped_by_one_check_at_a_time(monkeypatch: pytest.MonkeyPatch, world: LabWorld) -> None:
    states: list[str] = []
    both = threading.Barrier(2, timeout=10)

    def look(lab: Lab) -> str:
        both.wait()
        with stopped(lab, OUTPUTS.key_app):
            states.append(world.kms.keys[OUTPUTS.key_app].state)
        return "seen"

    verdicts = run(monkeypatch, world, {"a": look, "b": look}, "a", "b")
    assert [verdict.outcome for _, verdict in verdicts] == [Outcome.PASS, Outcome.PASS]
    assert states == ["Disabled", "Disabled"]
    assert world.kms.keys[OUTPUTS.key_app].state == "Enabled"


class ByHand:
    """Stands in for ``threading.Timer``: the test says when the time is up."""

    made: ClassVar[dict[float, ByHand]] = {}

    def __init__(self, seconds: float, function: Callable[[], None]) -> None:
        self.made[seconds] = self
        self.fire = function
        self.started = self.cancelled = False

    def start(self) -> None:
        self.started = True

    def cancel(self) -> None:
        self.cancelled = True


def test_after_the_deadline_nothing_begins_and_waits_end(
    monkeypatch: pytest.MonkeyPatch, world: LabWorld
) -> None:
    monkeypatch.setattr(threading, "Timer", ByHand)
    cleaned: list[str] = []

    def waits(lab: Lab) -> str:
        lab.undo(lambda: cleaned.append("cleaned"))
        ByHand.made[7.0].fire()
        lab.wait_until(lambda: False, "what never happens", seconds=600)
        return "seen"

    verdicts = run(monkeypatch, world, {"a": waits, "s": seen}, "s", deadline_seconds=7.0)
    found = {check.id: (verdict.outcome, verdict.summary) for check, verdict in verdicts}
    assert found == {
        "a": (Outcome.ERROR, "stopped before it could be observed"),
        "s": (Outcome.ERROR, "the deadline of 7 s passed before it began"),
    }
    assert cleaned == ["cleaned"]
    assert set(ByHand.made) == {7.0, 7.0 + runner.GRACE_SECONDS}
    assert all(timer.started and timer.cancelled for timer in ByHand.made.values())


def test_when_the_grace_is_over_nothing_is_sent(monkeypatch: pytest.MonkeyPatch, world: LabWorld) -> None:
    access = FakeAccess(world)
    access.closed.set()
    with pytest.raises(Inconclusive, match="deadline"):
        access._refuse_when_closed()


def test_a_run_after_one_that_was_stopped_looks_again(
    monkeypatch: pytest.MonkeyPatch, world: LabWorld
) -> None:
    access = FakeAccess(world)
    access.stopping.set()
    access.closed.set()
    monkeypatch.setattr(runner, "catalogue", lambda *_, **__: [Check("a", "a", "", "", seen)])
    ((_, verdict),) = runner.run_all(access, OUTPUTS, ALL)
    assert verdict.outcome is Outcome.PASS


def test_checks_run_side_by_side(monkeypatch: pytest.MonkeyPatch, world: LabWorld) -> None:
    together = threading.Barrier(runner.WORKERS, timeout=10)

    def meets(lab: Lab) -> str:
        together.wait()
        return "met"

    verdicts = run(monkeypatch, world, {str(n): meets for n in range(runner.WORKERS)})
    assert {verdict.outcome for _, verdict in verdicts} == {Outcome.PASS}


def test_all_checks_of_a_run_share_one_run_id(monkeypatch: pytest.MonkeyPatch, world: LabWorld) -> None:
    ids: list[str] = []

    def look(lab: Lab) -> str:
        ids.append(lab.run_id)
        return "seen"

    run(monkeypatch, world, {"a": look, "b": look})
    run(monkeypatch, world, {"a": look})
    assert ids[0] == ids[1] != ids[2]


def test_leftovers_go_before_and_shared_keys_after(monkeypatch: pytest.MonkeyPatch, world: LabWorld) -> None:
    swept: list[Swept] = []
    left = leave_key(world)
    shared: list[str] = []

    def look(lab: Lab) -> str:
        assert swept[0].removed[-1] == f"key {left}"
        shared.append(scratch_key(lab))
        assert world.kms.keys[shared[0]].state == "Enabled"
        return "seen"

    verdicts = run(monkeypatch, world, {"a": look, "b": look}, on_sweep=swept.append)
    assert {verdict.outcome for _, verdict in verdicts} == {Outcome.PASS}
    assert shared[0] == shared[1]
    assert [one.removed for one in swept[1:]] == [[f"key {shared[0]}"]]
    assert world.kms.keys[shared[0]].state == "PendingDeletion"


def test_shared_keys_are_retired_also_after_a_check_that_failed(
    monkeypatch: pytest.MonkeyPatch, world: LabWorld
) -> None:
    def fails(lab: Lab) -> str:
        raise Failed(scratch_key(lab))

    def breaks(lab: Lab) -> str:
        raise ValueError(scratch_key(lab, "second"))

    swept: list[Swept] = []
    run(monkeypatch, world, {"a": fails, "b": breaks}, on_sweep=swept.append)
    made = [arn for arn, one in world.kms.keys.items() if "share it" in one.description]
    assert sorted(swept[1].removed) == sorted(f"key {arn}" for arn in made)
    assert [world.kms.keys[arn].state for arn in made] == ["PendingDeletion"] * 2


def test_garbage_is_collected_as_usual_after_a_run(monkeypatch: pytest.MonkeyPatch, world: LabWorld) -> None:
    usual, during = gc.get_threshold(), []

    def look(lab: Lab) -> str:
        during.append(gc.get_threshold()[0])
        return "seen"

    run(monkeypatch, world, {"a": look})
    assert during == [runner.OBJECTS_BETWEEN_COLLECTIONS]
    assert gc.get_threshold() == usual


def test_a_shared_key_that_stays_is_told(monkeypatch: pytest.MonkeyPatch, world: LabWorld) -> None:
    swept: list[Swept] = []
    world.refuses("kms:ScheduleKeyDeletion", code="KMSInternalException")
    run(monkeypatch, world, {"a": scratch_key}, on_sweep=swept.append)
    assert [len(one.problems) for one in swept] == [0, 1]
    assert "could not be removed" in swept[1].problems[0]


def test_ctrl_c_cleans_up_and_starts_nothing_more(monkeypatch: pytest.MonkeyPatch, world: LabWorld) -> None:
    undone = threading.Event()
    waiting = threading.Event()
    shared: list[str] = []
    started: list[str] = []

    def waits(lab: Lab) -> str:
        lab.undo(undone.set)
        shared.append(scratch_key(lab))
        waiting.set()
        lab.wait_until(lambda: False, "anything", seconds=60)
        return "never"

    def interrupts(lab: Lab) -> str:
        assert waiting.wait(10)
        return "now"

    def late(lab: Lab) -> str:
        started.append("late")
        return "seen"

    def ctrl_c(check: Check, verdict: Verdict) -> None:
        raise KeyboardInterrupt

    swept: list[Swept] = []
    looks: dict[str, Look] = {"waits": waits, "interrupts": interrupts, "late": late}
    with pytest.raises(KeyboardInterrupt):
        run(monkeypatch, world, looks, "late", on_verdict=ctrl_c, on_sweep=swept.append)
    assert undone.is_set()
    assert started == []
    assert [one.removed for one in swept] == [[], [f"key {shared[0]}"]]
