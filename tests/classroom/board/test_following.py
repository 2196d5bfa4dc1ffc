"""The files of a class are followed, whatever becomes of them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from kmslab.classroom.board.following import INTERVAL, Follower
from kmslab.classroom.board.state import Phase
from kmslab.classroom.events import FILE, append
from kmslab.classroom.seats import class_folder, keep_seats, seats_file
from kmslab.model.errors import LabError
from tests.classroom.board.conftest import SEATS, tell, told

if TYPE_CHECKING:
    from kmslab.project import Project


def phase(follower: Follower, seat: str = "ada") -> Phase:
    return follower.state.seats[seat].phase


def test_what_was_there_and_what_comes_is_seen(project: Project) -> None:
    tell(project, told(1, "ada", "deploy.started"))
    follower = Follower(project)
    assert [*follower.seats] == ["ada", "bob", "cy"]
    assert phase(follower) is Phase.DEPLOYING
    generation, version = follower.generation, follower.state.version
    assert not follower.look()
    tell(project, told(2, "ada", "deploy.done"))
    assert follower.look()
    assert phase(follower) is Phase.READY
    assert follower.generation == generation
    assert follower.state.version > version
    assert not follower.look()


def test_the_first_event_is_no_new_class(project: Project) -> None:
    follower = Follower(project)
    generation = follower.generation
    tell(project, told(1, "ada", "deploy.started"))
    assert follower.look()
    assert phase(follower) is Phase.DEPLOYING
    assert follower.generation == generation


def test_an_unfinished_line_waits_for_its_end(project: Project) -> None:
    follower = Follower(project)
    file = class_folder(project) / FILE
    file.write_bytes(b'{"at":"2026-11-22T10:00:00Z","seat":"ada",')
    assert not follower.look()
    with file.open("ab") as more:
        more.write(b'"kind":"deploy.started"}\n')
    assert follower.look()
    assert phase(follower) is Phase.DEPLOYING


def test_another_file_of_events_begins_anew(project: Project) -> None:
    tell(project, told(1, "ada", "deploy.started"))
    follower = Follower(project)
    generation = follower.generation
    other = class_folder(project) / "other"
    append(other, told(1, "bob", "deploy.started"))
    append(other, told(2, "bob", "deploy.done", seconds=3.0))
    (other / FILE).replace(class_folder(project) / FILE)
    assert follower.look()
    assert (phase(follower), phase(follower, "bob")) == (Phase.WAITING, Phase.READY)
    assert follower.generation != generation


def test_a_file_that_was_cut_short_begins_anew(project: Project) -> None:
    tell(project, told(1, "ada", "deploy.started"), told(2, "ada", "deploy.done"))
    follower = Follower(project)
    generation = follower.generation
    (class_folder(project) / FILE).write_bytes(b"")
    assert follower.look()
    assert phase(follower) is Phase.WAITING
    assert follower.generation != generation


def test_other_seats_begin_anew_and_half_a_file_of_seats_is_passed_over(project: Project) -> None:
    follower = Follower(project)
    generation = follower.generation
    seats_file(project).write_text("seat,acc")
    with pytest.raises(LabError):
        follower.look()
    assert [*follower.seats] == ["ada", "bob", "cy"]
    keep_seats(project, SEATS[:2])
    assert follower.look()
    assert [*follower.seats] == ["ada", "bob"]
    assert follower.generation != generation


def test_who_waits_is_woken(project: Project) -> None:
    async def story() -> None:
        follower = Follower(project)
        following = asyncio.create_task(follower.follow())
        generation, version = follower.generation, follower.state.version
        assert not await follower.beyond(generation, version, 0.01)
        waiting = asyncio.create_task(follower.beyond(generation, version, 60))
        seats = seats_file(project).read_text()
        seats_file(project).write_text("half a li")
        await asyncio.sleep(2 * INTERVAL)  # it looks at that at least once, and goes on
        seats_file(project).write_text(seats)
        tell(project, told(1, "ada", "deploy.started"))
        assert await waiting
        assert phase(follower) is Phase.DEPLOYING
        assert await follower.beyond("another", follower.state.version, 60)
        waiting = asyncio.create_task(follower.beyond(follower.generation, follower.state.version, 60))
        await follower.stop()
        assert await waiting
        following.cancel()

    asyncio.run(story())
