"""A class on AWS: StackSets deploy and destroy the stacks of all seats, and each seat is looked after by its own role."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kmslab.classroom import assembly, pool
from kmslab.classroom.events import append, event
from kmslab.classroom.stacks import Quiet, SeatDeployment
from kmslab.classroom.stacksets import StackSets
from kmslab.deployed import half_deployed, read_stacks
from kmslab.model.errors import ExitCode, LabError
from kmslab.targets import aws_errors_in_one_line
from kmslab.turns import exclusively

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from kmslab.classroom.assembly import Template
    from kmslab.classroom.classes import Classroom
    from kmslab.classroom.desk import Desk
    from kmslab.classroom.pool import Done
    from kmslab.classroom.seats import Seat
    from kmslab.deployed import Stack


@dataclass(frozen=True, slots=True)
class StackSetDeployment(SeatDeployment):
    """The lab of one seat whose stacks StackSets makes and removes."""

    def _deploy(self, digest: str) -> None:
        stacks = read_stacks(self.access)
        for template in self.templates:
            if template.name not in stacks:
                raise LabError(
                    f"StackSets did not make the stack {template.name}.",
                    hint="Run the command again: it goes on from there.",
                    exit_code=ExitCode.DEPLOYMENT,
                )
            if not stacks[template.name].complete:
                raise half_deployed(stacks[template.name])
        self._keep_record(digest)

    def _destroy(self, stacks: Mapping[str, Stack]) -> None:
        raise half_deployed(
            next(iter(stacks.values())), "StackSets did not remove it: run the command again."
        )

    def prepare(self) -> None:
        """Remove what would stop StackSets from removing the stacks, and what no stack knows."""
        with exclusively(self.project):
            stacks = self._settled()
            self._repair(or_go_on=True)
            self._sweep()
            self._remove_secure_string()
            if stacks:
                self._remove_mfa_devices(stacks)


class Run:
    """One command on many seats: who is still in, and why the others are not."""

    def __init__(
        self,
        classroom: Classroom,
        seats: Sequence[Seat],
        templates: Sequence[Template],
        jobs: int,
        told: Callable[[Done], None],
    ) -> None:
        """Begin.

        Args:
            classroom: open, on AWS.
            seats: all that are meant.
            templates: of the lab, as the cloud assembly has them.
            jobs: seats looked after at a time.
            told: of each seat when it is done or has failed.
        """
        self.classroom = classroom
        self.stack_sets = StackSets(classroom.hub, classroom.chosen.ou)
        self.templates = assembly.executed_by(templates, self.stack_sets.execution_role)
        self.done: list[Done] = []
        self._inputs = assembly.digest(self.templates)
        self._left = list(seats)
        self._jobs = jobs
        self._told = told
        self._clock = time.monotonic()

    def deploy(self) -> None:
        """Deploy the seats that are left."""
        self._each(self._enter)
        for wave in assembly.waves(self.templates):
            for template in wave:
                if self._left:
                    self._drop(self.stack_sets.deploy(template, self._left))
        self._each(lambda desk, seat: self._deployment(desk, seat).up())

    def down(self) -> None:
        """Destroy the labs of the seats that are left."""
        self._each(lambda desk, seat: self._deployment(desk, seat).prepare())
        for wave in reversed(assembly.waves(self.templates)):
            for template in wave:
                if self._left:
                    self._drop(self.stack_sets.remove(template.name, self._left))
        self._each(lambda desk, seat: self._deployment(desk, seat).down())

    def told(self, what: str, outcome: str, steps: Sequence[Callable[[], None]]) -> list[Done]:
        """Take the steps, and tell the class how each seat fared.

        Args:
            what: ``deploy``, ``down`` or ``reset``, for the events.
            outcome: of a seat that got through.
            steps: in this order; each with the seats that are left.
        """
        folder = self.classroom.folder
        for seat in self._left:
            append(folder, event(seat.name, f"{what}.started"))
        try:
            with aws_errors_in_one_line():
                for step in steps:
                    step()
        except KeyboardInterrupt:
            self._drop(dict.fromkeys([seat.name for seat in self._left], "interrupted"))
            raise
        except Exception as error:
            self._drop({seat.name: pool.in_one_line(error) for seat in self._left})
            raise
        finally:
            seconds = time.monotonic() - self._clock
            for seat in self._left:
                self._finish(pool.Done(seat.name, seconds, outcome))
            for one in self.done:
                more = {"why": one.why} if one.why else {"seconds": round(one.seconds, 3)}
                append(folder, event(one.seat, f"{what}.{'failed' if one.why else 'done'}", **more))
        return self.done

    def _enter(self, desk: Desk, seat: Seat) -> None:
        self.classroom.sit(desk, seat)

    def _deployment(self, desk: Desk, seat: Seat) -> StackSetDeployment:
        return StackSetDeployment(
            self.classroom.seat_project(seat),
            self.classroom.sit(desk, seat),
            self.classroom.chosen.context,
            Quiet(),
            templates=self.templates,
            inputs=self._inputs,
        )

    def _each(self, work: Callable[[Desk, Seat], object]) -> None:
        """Do something with each seat that is left; who fails is out."""

        def worker() -> Callable[[Seat], str]:
            desk = self.classroom.desk()

            def one(seat: Seat) -> str:
                work(desk, seat)
                return ""

            return one

        if self._left:
            results = pool.in_threads(self._left, self._jobs, worker, lambda _: None)
            self._drop({one.seat: one.why for one in results if one.why})

    def _drop(self, why: Mapping[str, str]) -> None:
        seconds = time.monotonic() - self._clock
        for name, said in why.items():
            self._finish(pool.Done(name, seconds, "failed", said))
        self._left = [seat for seat in self._left if seat.name not in why]

    def _finish(self, one: Done) -> None:
        self.done.append(one)
        self._told(one)


def deploy(run: Run) -> list[Done]:
    """Deploy; see `Run.told`."""
    return run.told("deploy", "deployed", [run.deploy])


def down(run: Run) -> list[Done]:
    """Destroy."""
    return run.told("down", "destroyed", [run.down])


def reset(run: Run) -> list[Done]:
    """Destroy, then deploy anew."""
    return run.told("reset", "as new", [run.down, run.deploy])
