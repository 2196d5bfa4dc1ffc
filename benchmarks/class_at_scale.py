"""A class on AWS, simulated: how many hours 5,000 seats take, and what they cost.

`python -m benchmarks.class_at_scale --seats 5000` answers in a second, always the same. Nothing is asked of AWS.
Quotas are AWS's, with their sources in docs/class-at-5000.md; durations are assumptions, and options.
"""

from __future__ import annotations

import argparse
import heapq
import sys
from collections import deque
from dataclasses import dataclass, field, fields, replace
from itertools import count
from typing import TYPE_CHECKING

from kmslab.cost import estimate
from kmslab.cost.bill import keys
from kmslab.cost.prices import measured
from kmslab.model.settings import LabSettings

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Sequence

    Process = Generator["float | Pool | Barrier", None, None]

WAVES = (("keys",), ("identity",), ("storage", "volumes", "secrets", "audit"))
"""Stack sets, one a stack: a wave needs the exports of the one before, those of one wave run side by side."""
HOUR = 3600.0


class Pool:
    """So many places; who finds none waits, first come, first served."""

    def __init__(self, places: int) -> None:
        self.free = places
        self.waiting: deque[Process] = deque()


@dataclass
class Barrier:
    """Opens once so many have arrived."""

    missing: int
    waiting: list[Process] = field(default_factory=list)


class Simulation:
    """A clock and what happens on it.

    A process is a generator: it yields seconds to pass, a pool to enter (and calls `leave` later), or a
    barrier to wait at.
    """

    def __init__(self) -> None:
        self.now = 0.0
        self._events: list[tuple[float, int, Process]] = []
        self._order = count()

    def start(self, process: Process, delay: float = 0.0) -> None:
        """Have a process go on after some seconds."""
        heapq.heappush(self._events, (self.now + delay, next(self._order), process))

    def leave(self, pool: Pool) -> None:
        """Give a place back: to the one who waits longest, if anybody does."""
        if pool.waiting:
            self.start(pool.waiting.popleft())
        else:
            pool.free += 1

    def arrive(self, barrier: Barrier) -> None:
        """Count one arrival; the last one lets everybody go on."""
        barrier.missing -= 1
        if barrier.missing == 0:
            for process in barrier.waiting:
                self.start(process)

    def run(self) -> float:
        """Let everything happen; returns the time of the last event, in seconds."""
        while self._events:
            self.now, _, process = heapq.heappop(self._events)
            wanted = next(process, None)
            if isinstance(wanted, Pool):
                if wanted.free:
                    wanted.free -= 1
                    self.start(process)
                else:
                    wanted.waiting.append(process)
            elif isinstance(wanted, Barrier):
                if wanted.missing:
                    wanted.waiting.append(process)
                else:
                    self.start(process)
            elif wanted is not None:
                self.start(process, wanted)
        return self.now


@dataclass(frozen=True)
class Plan:
    """What is to be done, within which limits. Seconds are assumptions, but for the last, which was measured."""

    seats: int = 5000
    days: int = 1
    accounts_at_once: int = 5
    stacks_at_once: int = 100
    create_key_per_second: float = 5.0
    workers: int = 64
    cores: int = 8
    account_seconds: float = 180.0
    stack_seconds: float = 180.0
    fails_percent: float = 2.0
    verify_seconds: float = 300.0
    verify_cpu_seconds: float = 4.6


HELP = {
    "seats": "labs, one account each",
    "days": "days that they stand",
    "accounts_at_once": "accounts that Organizations makes at one time",
    "stacks_at_once": "stack instances of one stack set that are worked on at one time",
    "create_key_per_second": "KMS's quota of one account and Region",
    "workers": "seats that the trainer's machine verifies at one time",
    "cores": "cores of that machine",
    "account_seconds": "to make an account",
    "stack_seconds": "to make or delete one stack",
    "fails_percent": "stack instances that fail the first time and are run again",
    "verify_seconds": "one full kmslab verify on AWS, most of it waiting",
    "verify_cpu_seconds": "of them, those that it computes",
}


def accounts(plan: Plan) -> float:
    """Seconds to make the accounts."""
    simulation, pool = Simulation(), Pool(plan.accounts_at_once)

    def account() -> Process:
        yield pool
        yield plan.account_seconds
        simulation.leave(pool)

    for _ in range(plan.seats):
        simulation.start(account())
    return simulation.run()


def stacks(plan: Plan, waves: Sequence[Sequence[str]]) -> float:
    """Seconds for one operation on every stack instance: wave after wave, then those that failed once more."""
    simulation = Simulation()

    def instance(pool: Pool, seconds: float, done: Barrier) -> Process:
        yield pool
        yield seconds
        simulation.leave(pool)
        simulation.arrive(done)

    def operation(sets: Iterable[tuple[str, int]], before: Barrier, done: Barrier) -> Process:
        yield before
        for name, seats in sets:
            pool = Pool(plan.stacks_at_once)
            for _ in range(seats):
                simulation.start(instance(pool, stack_seconds(plan, name), done))

    before = Barrier(0)
    for wave in waves:
        for seats in (plan.seats, failing(plan)):
            if seats:
                done = Barrier(len(wave) * seats)
                simulation.start(operation([(name, seats) for name in wave], before, done))
                before = done
    return simulation.run()


def failing(plan: Plan) -> int:
    """Stack instances of a stack set that fail the first time."""
    return round(plan.seats * plan.fails_percent / 100)


def stack_seconds(plan: Plan, name: str) -> float:
    """Seconds for one stack: that of the keys cannot be faster than KMS lets an account make keys."""
    made = len(keys(LabSettings())) if name == "keys" else 0
    return max(plan.stack_seconds, made / plan.create_key_per_second)


def verify(plan: Plan) -> float:
    """Seconds until every seat is verified once by a machine with so many workers and cores."""
    simulation, workers, cores = Simulation(), Pool(plan.workers), Pool(plan.cores)
    made = measured().parts["verify"]["kms-key-made"]
    # Computing does not overlap with waiting here, as in the worst case; the quota of keys is each seat's own.
    waits = max(plan.verify_seconds - plan.verify_cpu_seconds, made / plan.create_key_per_second)

    def seat() -> Process:
        yield workers
        yield cores
        yield plan.verify_cpu_seconds
        simulation.leave(cores)
        yield waits
        simulation.leave(workers)

    for _ in range(plan.seats):
        simulation.start(seat())
    return simulation.run()


def rows(plan: Plan) -> list[tuple[str, float]]:
    """What there is to do, and the seconds that each takes."""
    return [
        ("make the accounts", accounts(plan)),
        ("deploy: six stack sets in three waves", stacks(plan, WAVES)),
        ("verify every seat once", verify(plan)),
        ("destroy: the waves backwards", stacks(plan, WAVES[::-1])),
    ]


def otherwise(plan: Plan) -> list[tuple[str, float]]:
    """What the assumptions do to the figures: the same, with one of them changed."""
    found = [
        (f"  deploy, if a stack took {seconds:g} s", stacks(replace(plan, stack_seconds=seconds), WAVES))
        for seconds in (60.0, 600.0)
    ]
    found += [
        (f"  deploy, with {places} at once", stacks(replace(plan, stacks_at_once=places), WAVES))
        for places in (20, 500)
    ]
    found += [
        (f"  verify, with {workers} workers", verify(replace(plan, workers=workers))) for workers in (16, 256)
    ]
    return found


def report(plan: Plan) -> str:
    """The figures, as the page quotes them."""
    found = estimate(LabSettings()).for_class(plan.seats, plan.days)
    lines = [f"{plan.seats:,} seats, {plan.days} day{'s' if plan.days > 1 else ''}"]
    lines += [f"{name:<40}{seconds / HOUR:8.1f} h" for name, seconds in rows(plan)]
    for what, changed in otherwise(plan):
        lines.append(f"{what:<40}{changed / HOUR:8.1f} h")
    lines.append(f"{'cost of a seat':<40}{found.per_seat:8.2f} USD")
    lines.append(f"{'cost of the class':<40}{found.total:8,.0f} USD")
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> int:
    """Parse the options, simulate, print."""
    parser = argparse.ArgumentParser("python -m benchmarks.class_at_scale", description=__doc__)
    for one in fields(Plan):
        kind = int if isinstance(one.default, int) else float
        parser.add_argument(
            f"--{one.name.replace('_', '-')}",
            type=kind,
            default=one.default,
            help=f"{HELP[one.name]} (%(default)s)",
        )
    plan = Plan(**vars(parser.parse_args(arguments)))
    if min(vars(plan).values()) < 0 or 0 in (
        plan.seats,
        plan.accounts_at_once,
        plan.stacks_at_once,
        plan.workers,
        plan.cores,
        plan.create_key_per_second,
    ):
        parser.error("every option must be greater than 0; seconds and shares may be 0")
    sys.stdout.write(f"{report(plan)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
