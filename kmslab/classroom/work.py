"""What is done with one seat: deploy, verify, reset, destroy. Each begins and ends with an event."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kmslab.classroom import pool, verifying
from kmslab.classroom.classes import open_class
from kmslab.classroom.events import append, event
from kmslab.classroom.pool import SeatFailedError
from kmslab.classroom.stacks import Quiet, SeatDeployment
from kmslab.model.verdict import Outcome
from kmslab.targets import aws_errors_in_one_line
from kmslab.turns import exclusively

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from kmslab.classroom.assembly import Template
    from kmslab.classroom.classes import Chosen, Classroom
    from kmslab.classroom.desk import Desk
    from kmslab.classroom.seats import Seat
    from kmslab.project import Project

PATIENCE_SECONDS = 120.0
"""How long to wait for another command on the same seat."""


@contextmanager
def told(classroom: Classroom, seat: Seat, what: str) -> Iterator[None]:
    """Tell the class that something begins with a seat, and how it ends."""
    clock = time.monotonic()
    append(classroom.folder, event(seat.name, f"{what}.started"))
    try:
        with aws_errors_in_one_line():
            yield
    except SeatFailedError:
        append(classroom.folder, event(seat.name, f"{what}.done", seconds=_since(clock)))
        raise
    except Exception as error:
        append(classroom.folder, event(seat.name, f"{what}.failed", why=pool.in_one_line(error)))
        raise
    except BaseException:
        append(classroom.folder, event(seat.name, f"{what}.failed", why="interrupted"))
        raise
    append(classroom.folder, event(seat.name, f"{what}.done", seconds=_since(clock)))


def _since(clock: float) -> float:
    return round(time.monotonic() - clock, 3)


@dataclass(frozen=True, slots=True)
class Bench:
    """One thread's place to deploy and destroy seats.

    Attributes:
        classroom: whose seats.
        desk: of this thread alone.
        templates: of the lab.
        inputs: their digest.
    """

    classroom: Classroom
    desk: Desk
    templates: tuple[Template, ...]
    inputs: str

    def deploy(self, seat: Seat) -> str:
        """Bring a seat's lab up to date."""
        with told(self.classroom, seat, "deploy"):
            return "deployed" if self._deployment(seat).up() else "unchanged"

    def down(self, seat: Seat) -> str:
        """Destroy a seat's lab."""
        with told(self.classroom, seat, "down"):
            self._deployment(seat).down()
            return "destroyed"

    def reset(self, seat: Seat) -> str:
        """Destroy a seat's lab and deploy it anew; faults are repaired first, so that nothing is in the way."""
        with told(self.classroom, seat, "reset"):
            self._deployment(seat).down()
            self._deployment(seat).up()
            return "as new"

    def _deployment(self, seat: Seat) -> SeatDeployment:
        return SeatDeployment(
            self.classroom.seat_project(seat),
            self.classroom.sit(self.desk, seat),
            self.classroom.chosen.context,
            Quiet(),
            templates=self.templates,
            inputs=self.inputs,
        )


@dataclass(frozen=True, slots=True)
class Catalogue:
    """What of the catalogue is verified. Picklable.

    Attributes:
        only: topics or checks; empty: all.
        quick: without the checks that make or change keys.
        deadline_seconds: for one seat.
    """

    only: tuple[str, ...] = ()
    quick: bool = False
    deadline_seconds: float = 1800.0


def verifier(project: Project, chosen: Chosen, catalogue: Catalogue) -> Callable[[Seat], str]:
    """Begin a worker process: return what verifies a seat.

    Raises:
        LabError: the class cannot be opened.
    """
    with aws_errors_in_one_line():
        classroom = open_class(project, chosen)
        desk = classroom.desk()
    return lambda seat: verify(classroom, desk, seat, catalogue)


def verify(classroom: Classroom, desk: Desk, seat: Seat, catalogue: Catalogue) -> str:
    """Verify one seat.

    Raises:
        SeatFailedError: checks answered FAIL or ERROR.
        LabError: the lab does not stand, or the seat cannot be entered.
    """
    with (
        told(classroom, seat, "verify"),
        exclusively(classroom.seat_project(seat), patience=PATIENCE_SECONDS),
    ):
        counts = verifying.verify(
            classroom.sit(desk, seat),
            classroom.folder,
            catalogue.only,
            quick=catalogue.quick,
            deadline_seconds=catalogue.deadline_seconds,
        )
        said = ", ".join(f"{counts[outcome]} {outcome.name}" for outcome in Outcome if counts[outcome])
        if counts[Outcome.FAIL] or counts[Outcome.ERROR]:
            raise SeatFailedError(said)
        return said


def names(seats: Sequence[Seat]) -> str:
    """Return how many seats there are, in words."""
    return "1 seat" if len(seats) == 1 else f"{len(seats)} seats"
