"""The simulated class: its arithmetic, its limits, and the page that quotes it."""

from __future__ import annotations

import re
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from benchmarks import class_at_scale
from benchmarks.class_at_scale import HELP, HOUR, WAVES, Barrier, Plan, Pool, Simulation
from kmslab.cost import estimate
from kmslab.model.outputs import LabStack
from kmslab.model.settings import LabSettings

if TYPE_CHECKING:
    from benchmarks.class_at_scale import Process

PAGE = Path(__file__).parents[2] / "docs" / "class-at-5000.md"
QUOTED = re.compile(
    r"```bash\npython -m benchmarks\.class_at_scale (.*)\n```\n\n```text\n(.*?)```", re.DOTALL
)


def test_who_finds_no_place_waits_first_come_first_served() -> None:
    simulation, pool = Simulation(), Pool(2)
    left: list[tuple[str, float]] = []

    def visitor(name: str, seconds: float) -> Process:
        yield pool
        yield seconds
        left.append((name, simulation.now))
        simulation.leave(pool)

    for name, seconds in (("a", 3.0), ("b", 1.0), ("c", 1.0), ("d", 5.0)):
        simulation.start(visitor(name, seconds))
    assert simulation.run() == 7.0
    assert left == [("b", 1.0), ("c", 2.0), ("a", 3.0), ("d", 7.0)]


def test_a_barrier_opens_with_the_last() -> None:
    simulation, barrier = Simulation(), Barrier(2)
    passed: list[float] = []

    def arrives(after: float) -> Process:
        yield after
        simulation.arrive(barrier)

    def waits() -> Process:
        yield barrier
        passed.append(simulation.now)

    simulation.start(waits())
    simulation.start(arrives(2.0))
    simulation.start(arrives(5.0))
    simulation.run()
    assert passed == [5.0]


def test_accounts_are_made_five_at_a_time() -> None:
    assert class_at_scale.accounts(Plan(seats=5000)) == 1000 * 180
    assert class_at_scale.accounts(Plan(seats=6)) == 2 * 180


def test_stacks_are_deployed_wave_after_wave() -> None:
    plan = Plan(seats=250, fails_percent=0)
    assert class_at_scale.stacks(plan, WAVES) == 3 * 3 * 180
    assert class_at_scale.stacks(plan, WAVES[::-1]) == 3 * 3 * 180
    assert sorted(name for wave in WAVES for name in wave) == sorted(set(LabStack) - {LabStack.NETWORK})


def test_what_failed_is_run_once_more_before_the_next_wave() -> None:
    assert class_at_scale.stacks(Plan(seats=100, fails_percent=2), WAVES) == 3 * (180 + 180)


def test_a_seat_waits_for_its_own_keys_only() -> None:
    """At one key in a minute its account, not the number of seats, decides how long the keys take."""
    slow = Plan(seats=100, fails_percent=0, create_key_per_second=1 / 60)
    assert class_at_scale.stacks(slow, WAVES) == pytest.approx(11 * 60 + 180 + 180)
    assert class_at_scale.stacks(replace(slow, seats=10), WAVES) == pytest.approx(11 * 60 + 180 + 180)


def test_waiting_overlaps_and_computing_does_not() -> None:
    waiting = Plan(seats=128, workers=64, cores=64)
    assert class_at_scale.verify(waiting) == pytest.approx(2 * 300)
    computing = Plan(seats=64, workers=64, cores=1, verify_cpu_seconds=10)
    assert class_at_scale.verify(computing) == pytest.approx(64 * 10 + 290)


def test_it_takes_as_long_every_time_and_longer_with_more_seats() -> None:
    first, again = (class_at_scale.report(Plan(seats=300)) for _ in range(2))
    assert first == again
    hours = [
        [seconds / HOUR for _, seconds in class_at_scale.rows(Plan(seats=seats))] for seats in (300, 900)
    ]
    assert all(few < many for few, many in zip(*hours, strict=True))


def test_the_cost_is_that_of_kmslab_cost() -> None:
    expected = estimate(LabSettings()).for_class(300, 2).total
    assert f"{expected:,.0f} USD" in class_at_scale.report(Plan(seats=300, days=2))


def test_every_option_is_explained() -> None:
    assert set(HELP) == {one.name for one in fields(Plan)}


@pytest.mark.parametrize("options", [["--seats", "0"], ["--workers", "0"], ["--stack-seconds", "-1"]])
def test_what_makes_no_sense_is_refused(options: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        class_at_scale.main(options)
    assert ended.value.code == 2
    assert "greater than 0" in capsys.readouterr().err


def test_the_page_quotes_what_the_command_prints(capsys: pytest.CaptureFixture[str]) -> None:
    ((options, quoted),) = QUOTED.findall(PAGE.read_text(encoding="utf-8"))
    assert class_at_scale.main(options.split()) == 0
    assert capsys.readouterr().out == quoted
