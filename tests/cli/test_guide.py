"""`kmslab guide`: which page is meant, what is opened, how it ends. How the pages look was seen in a real browser."""

from __future__ import annotations

import gc
import json
import os
import signal
import subprocess
import time
import urllib.request
import webbrowser
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from kmslab.commands import guide
from kmslab.guides import building
from kmslab.model.errors import LabError
from tests.conftest import KMSLAB

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from kmslab.project import Project


@pytest.mark.parametrize("word", ["05-s3", "05-s3.md", "lab_guides/05-s3.md", "5", "05", "s3", "S3"])
def test_a_page_can_be_meant_in_many_ways(word: str) -> None:
    assert guide._stem(word) == "05-s3"


def test_appendices_are_pages_too() -> None:
    assert guide._stem("glossary") == guide._stem("c") == "C-glossary"


@pytest.mark.parametrize(
    ("word", "hint"), [("rotatoin", "04-rotation"), ("99", "Choose from 01-orientation")]
)
def test_a_page_that_is_none_is_told_with_similar_ones(word: str, hint: str) -> None:
    with pytest.raises(LabError, match=f"No page is called {word}") as told:
        guide._stem(word)
    assert hint in told.value.hint


class Browser:
    def __init__(self) -> None:
        self.opened: list[str] = []
        self.collects = False


@pytest.fixture
def browser(project: Project, monkeypatch: pytest.MonkeyPatch) -> Browser:
    seen = Browser()
    (project.root / "lab_guides").mkdir()
    monkeypatch.setattr(guide, "find_project", lambda: project)
    monkeypatch.setattr(building, "build", lambda *_: True)
    monkeypatch.setattr(webbrowser, "open", seen.opened.append)

    @contextmanager
    def interrupted(_site: Path, port: int, _checkpoints: Any) -> Iterator[Any]:
        class Server:
            server_address = ("127.0.0.1", port or 4711)

            def serve_forever(self) -> None:
                seen.collects = gc.isenabled()
                raise KeyboardInterrupt

        yield Server()

    monkeypatch.setattr(guide, "serving", interrupted)
    return seen


def test_it_collects_garbage_while_it_serves(browser: Browser) -> None:
    """The command line switches that off, for commands that end soon."""
    gc.disable()
    try:
        guide.run("s3", 0, browser=False, build_only=False)
        assert browser.collects
    finally:
        gc.enable()


def test_it_opens_the_page_and_ends_cleanly(browser: Browser, capsys: pytest.CaptureFixture[str]) -> None:
    guide.run("s3", 0, browser=True, build_only=False)
    assert browser.opened == ["http://127.0.0.1:4711/05-s3.html"]
    said = capsys.readouterr()
    assert said.out == "http://127.0.0.1:4711/05-s3.html  (Ctrl-C ends it)\n"
    assert "The pages are closed." in said.err


def test_it_opens_nothing_if_asked(browser: Browser, capsys: pytest.CaptureFixture[str]) -> None:
    guide.run("", 8080, browser=False, build_only=False)
    assert browser.opened == []
    assert "http://127.0.0.1:8080/index.html" in capsys.readouterr().out


def test_it_builds_and_stops_if_asked(browser: Browser, capsys: pytest.CaptureFixture[str]) -> None:
    guide.run("", 0, browser=True, build_only=True)
    assert browser.opened == []
    assert capsys.readouterr().out.startswith("The site is in ")


@pytest.mark.usefixtures("interruptible")
def test_the_real_command_serves_and_ends_at_ctrl_c(tmp_path: Path) -> None:
    """On the site that `make test` has built; the home is empty, so nothing is passed yet."""
    environment = {**os.environ, "KMSLAB_HOME": str(tmp_path)}
    process = subprocess.Popen(  # noqa: S603  # our own script
        [KMSLAB, "guide", "--no-browser", "7"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout
        url = process.stdout.readline().split()[0]  # after a first build, which installs MkDocs
        assert url.endswith("/07-envelope.html")
        with urllib.request.urlopen(url, timeout=10) as page:  # noqa: S310  # loopback
            assert b"Envelope encryption" in page.read()
        checkpoints = f"{url.rpartition('/')[0]}/checkpoints.json"
        with urllib.request.urlopen(checkpoints, timeout=10) as answer:  # noqa: S310  # loopback
            assert json.load(answer)["07-envelope"] == {"state": "open", "failed": []}
        process.send_signal(signal.SIGINT)
        started = time.monotonic()
        assert process.wait(timeout=20) == 0
        assert time.monotonic() - started < 10
        assert process.stderr
        assert "The pages are closed." in process.stderr.read()
    finally:
        process.kill()
        process.communicate()
