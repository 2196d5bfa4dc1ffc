"""`kmslab class board`: what it knows of the course, and how it refuses."""

from __future__ import annotations

import socket
import stat
from typing import TYPE_CHECKING

import pytest

from kmslab.classroom.classes import Chosen, keep
from kmslab.classroom.seats import Seat, keep_seats
from kmslab.commands import board
from kmslab.model.errors import ExitCode, LabError
from kmslab.model.target import TargetKind
from kmslab.project import HOME_VARIABLE, find_project

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path))


def class_of(kind: TargetKind, **context: str) -> None:
    keep_seats(find_project(), [Seat("ada", "700000000001")])
    keep(find_project(), Chosen(kind, {f"kmslab.{name}": value for name, value in context.items()}))


def test_the_topics_are_those_that_the_class_claims() -> None:
    class_of(TargetKind.LOCAL)
    plain = board.course(find_project())
    class_of(TargetKind.AWS, network="true")
    networked = board.course(find_project())
    assert set(networked.topics) - set(plain.topics) == {"network"}
    assert [*plain.topics.values()] == sorted(plain.topics.values())
    assert plain.topics["s3"] == "05-s3"
    assert plain.rates
    assert networked.rates
    assert (plain.rates.charged, networked.rates.charged) == (False, True)
    assert networked.rates.hour > plain.rates.hour > 0
    assert plain.rates.deployment > 0
    assert 0 < plain.rates.check < plain.rates.deployment


def test_every_check_and_fault_has_its_title() -> None:
    class_of(TargetKind.LOCAL)
    course = board.course(find_project())
    claim = course.claim("keys.every-key-has-its-alias")
    assert (claim.guide, claim.title.endswith(".")) == ("02-first-key", True)
    assert course.claim("no.such").title == "no.such"
    assert course.fault("s3.default-encryption-is-sse-s3") != "s3.default-encryption-is-sse-s3"
    assert course.fault("a mystery") == "a mystery"


def test_without_a_class_nothing_is_served() -> None:
    with pytest.raises(LabError, match="no class") as refused:
        board.run(0, browser=False)
    assert "kmslab class init" in refused.value.hint


def test_a_port_that_is_taken_is_said() -> None:
    class_of(TargetKind.LOCAL)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(LabError, match="cannot be used: address already in use") as refused:
            board.run(taken.getsockname()[1], browser=False)
    assert refused.value.exit_code is ExitCode.BAD_INPUT


def test_the_token_is_in_no_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class_of(TargetKind.LOCAL)
    opened: list[tuple[str, int, str]] = []
    page = tmp_path / "class" / "board.html"

    def serve(
        _project: object, _course: object, listening: socket.socket, ready: Callable[[str], None]
    ) -> None:
        listening.close()
        ready("http://127.0.0.1:1/board/secret")

    def browse(address: str) -> None:
        opened.append((address, stat.S_IMODE(page.stat().st_mode), page.read_text()))

    monkeypatch.setattr("kmslab.classroom.board.serving.serve", serve)
    monkeypatch.setattr("webbrowser.open", browse)
    board.run(0, browser=False)
    assert opened == []
    board.run(0, browser=True)
    ((address, mode, text),) = opened
    assert (address, mode) == (page.as_uri(), 0o600)
    assert "url=http://127.0.0.1:1/board/secret" in text
    assert not page.exists()
