"""A shell in a seat: which it is, and what it may not do. That it works is tested on the engine (`test_class`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kmslab.classroom.classes import Chosen, keep
from kmslab.classroom.seats import Seat, class_folder, keep_seats, seat_folder
from kmslab.classroom.shells import Shell, refuse_engine, shell_of, target_of, tell_the_class
from kmslab.commands import classroom, engine, lab
from kmslab.model.errors import ExitCode, LabError
from kmslab.model.target import TargetKind
from kmslab.project import Project, find_project
from tests.checks.fakes import FakeAccess, World

if TYPE_CHECKING:
    from pathlib import Path

SEAT = Seat("a", "1" * 12)


@pytest.fixture
def trainer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """This checkout with a class of one seat on the local engine."""
    monkeypatch.setenv("KMSLAB_HOME", str(tmp_path / "home"))
    project = find_project()
    keep_seats(project, [SEAT])
    keep(project, Chosen(TargetKind.LOCAL, {}))
    return project


@pytest.fixture
def inside(trainer: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    """The same from the seat's shell."""
    folder = seat_folder(class_folder(trainer), SEAT.name)
    folder.mkdir(parents=True)
    monkeypatch.setenv("KMSLAB_HOME", str(folder))
    return find_project()


def test_a_shell_knows_its_seat(trainer: Project, inside: Project) -> None:
    assert shell_of(inside) == Shell(trainer, SEAT.name)
    assert shell_of(trainer) is None


@pytest.mark.parametrize("home", ["class/seats/a", "seats/a", "a", "/", "/a"])
def test_a_folder_that_is_only_called_so_is_no_seat(tmp_path: Path, home: str) -> None:
    assert shell_of(Project(tmp_path, tmp_path / home)) is None


def test_what_changes_the_engine_or_the_class_is_refused_there(inside: Project) -> None:
    for command in (
        lambda: engine.start(0),
        lambda: lab.up(TargetKind.LOCAL, [], port=0),
        lambda: lab.down(TargetKind.LOCAL, [], keep_engine=False, forget=False),
        lambda: lab.down(TargetKind.LOCAL, [], keep_engine=False, forget=True),
    ):
        with pytest.raises(LabError, match="This shell is in seat a of a class") as caught:
            command()
        assert caught.value.exit_code is ExitCode.ENGINE
        assert "kmslab class deploy --only a" in caught.value.hint
    for command in (lambda: classroom.status(None), lambda: classroom.env("a")):
        with pytest.raises(LabError, match="This shell is in seat a: the class is the trainer's"):
            command()


def test_elsewhere_the_engine_is_not_refused_and_nothing_is_told(trainer: Project) -> None:
    refuse_engine(trainer)
    world = World()
    tell_the_class(trainer, FakeAccess(world))
    assert world.requests == []


def test_a_seat_on_aws_is_signed_in_to(trainer: Project) -> None:
    keep(trainer, Chosen(TargetKind.AWS, {}))
    with pytest.raises(LabError, match="This class is on AWS"):
        classroom.env("a")


def test_a_seat_that_the_class_does_not_have(trainer: Project) -> None:
    with pytest.raises(LabError, match="There is no seat b in this class"):
        classroom.env("b")


def test_without_the_engine_there_is_nobody_to_ask(trainer: Project) -> None:
    with pytest.raises(LabError, match="The local engine is not running"):
        target_of(Shell(trainer, "a"))


def test_what_cannot_be_told_stops_no_exercise(inside: Project) -> None:
    tell_the_class(inside, FakeAccess(World().unreachable()))
