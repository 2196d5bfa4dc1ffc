"""The events of a class: whole lines, whoever writes at once, and none read twice."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from kmslab.classroom.events import FILE, append, event, read

if TYPE_CHECKING:
    from pathlib import Path


def test_an_event_says_when_where_and_what() -> None:
    before = datetime.now(UTC)
    one = event("a", "deploy.failed", why="no room")
    assert one == {"at": one["at"], "seat": "a", "kind": "deploy.failed", "why": "no room"}
    assert one["at"].endswith("Z")
    assert len(one["at"]) == len("2026-11-22T08:00:00.000Z")
    assert abs((datetime.fromisoformat(one["at"]) - before).total_seconds()) < 60
    with pytest.raises(ValueError, match="no kind"):
        event("a", "deploy.begun")


def test_events_are_read_from_where_one_was(tmp_path: Path) -> None:
    folder = tmp_path / "class"
    assert read(folder) == ([], 0)
    append(folder, event("a", "deploy.started"))
    first, offset = read(folder)
    assert [one["kind"] for one in first] == ["deploy.started"]
    append(folder, event("a", "deploy.done", seconds=1.5))
    second, end = read(folder, offset)
    assert [(one["kind"], one["seconds"]) for one in second] == [("deploy.done", 1.5)]
    assert read(folder, end) == ([], end)
    assert stat.S_IMODE((folder / FILE).stat().st_mode) == 0o600


def test_an_unfinished_line_is_left_for_later(tmp_path: Path) -> None:
    append(tmp_path, event("a", "nudge", text="Grüße\nund\u2028mehr"))
    whole = (tmp_path / FILE).read_bytes()
    (tmp_path / FILE).write_bytes(whole + whole[:20])
    found, offset = read(tmp_path)
    assert [one["text"] for one in found] == ["Grüße\nund\u2028mehr"]
    assert offset == len(whole)
    with (tmp_path / FILE).open("ab") as file:
        file.write(whole[20:])
    assert len(read(tmp_path, offset)[0]) == 1


def test_a_line_that_is_no_event_is_passed_over_and_a_new_file_begins_anew(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b'{"at":"half\n[1]\n{}\n')
    append(tmp_path, event("a", "down.done", seconds=1))
    found, offset = read(tmp_path)
    assert [one["kind"] for one in found] == ["down.done"]
    (tmp_path / FILE).unlink()
    append(tmp_path, event("b", "nudge"))
    assert [one["seat"] for one in read(tmp_path, offset)[0]] == ["b"]


def test_threads_write_whole_lines(tmp_path: Path) -> None:
    def write(number: int) -> None:
        for step in range(25):
            append(tmp_path, event(f"seat-{number}", "nudge", text="x" * 500, step=step))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(8)))
    found, _ = read(tmp_path)
    assert len(found) == 200
    for number in range(8):
        assert [one["step"] for one in found if one["seat"] == f"seat-{number}"] == list(range(25))
