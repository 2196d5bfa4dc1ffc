"""Which Python an emulator is given."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from benchmarks import emulators

if TYPE_CHECKING:
    from pathlib import Path

NEWER = (sys.version_info.major, sys.version_info.minor + 1)


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is the whole path, and two versions of Python that there may be."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(emulators, "NEWEST_PYTHON", NEWER[1] + 1)
    return tmp_path


def interpreter(path: Path, minor: int, code: int = 0) -> str:
    file = path / f"python3.{minor}"
    file.write_text(f"#!/bin/sh\nexit {code}\n")
    file.chmod(0o755)
    return str(file)


def emulator(python: tuple[int, int]) -> emulators.Emulator:
    return emulators.Emulator("one", ("one",), {}, python=python)


def test_ours_will_do_for_most(path: Path) -> None:
    interpreter(path, sys.version_info.minor)
    assert emulators.python_for(emulator(sys.version_info[:2])) == ""


def test_a_newer_one_is_looked_for_on_the_path(path: Path) -> None:
    interpreter(path, sys.version_info.minor)
    found = interpreter(path, NEWER[1] + 1)
    assert emulators.python_for(emulator(NEWER)) == found


def test_one_that_does_not_run_is_passed_over(path: Path) -> None:
    interpreter(path, NEWER[1], code=127)
    found = interpreter(path, NEWER[1] + 1)
    assert emulators.python_for(emulator(NEWER)) == found


def test_without_one_the_emulator_is_not_probed(path: Path) -> None:
    interpreter(path, NEWER[1], code=127)
    with pytest.raises(RuntimeError, match=rf"one needs one of python3.{NEWER[1]}, .* on the path"):
        emulators.python_for(emulator(NEWER))
