"""Environments that a page needs and the lab does not: installed on first use, from lists locked with hashes."""

from __future__ import annotations

import fcntl
import subprocess
import venv
from contextlib import contextmanager
from typing import TYPE_CHECKING

from kmslab.model.errors import ExitCode, LabError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def in_turn(made: Path) -> Iterator[None]:
    """Let one process at a time make what several may need at once; the next waits, and finds it made.

    Args:
        made: what is made, a file or a folder; it may not be there yet. The lock lies beside it.

    Raises:
        LabError: the folder of what is made cannot be written.
    """
    beside = made.with_name(f"{made.name}.lock")
    try:
        made.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = beside.open("w")
    except OSError as error:
        raise LabError(
            f"Cannot write {beside}: {(error.strerror or str(error)).lower()}.",
            hint="Use a checkout that you may write to.",
        ) from error
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def install(home: Path, lock: Path, what: str, *, without: str) -> Path:
    """Return the Python of an environment; it is made if it is missing or made from another list.

    Args:
        home: the environment's folder.
        lock: the list, with hashes.
        what: how people call what is installed.
        without: what to do where it cannot be had, a sentence.

    Raises:
        LabError: it cannot be installed.
    """
    with in_turn(home):
        return _made(home, lock, what, without)


def _made(home: Path, lock: Path, what: str, without: str) -> Path:
    python = home / "bin" / "python"
    made_from = home / "requirements.txt"
    wanted = lock.read_text(encoding="utf-8")
    if made_from.is_file() and made_from.read_text(encoding="utf-8") == wanted:
        return python
    try:
        venv.create(home, clear=True, with_pip=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise _refused(what, f"no environment can be made in {home}", without) from error
    done = subprocess.run(  # noqa: S603  # the environment's own pip and our list
        [python, "-m", "pip", "install", "--quiet", "--no-input", "--require-hashes", "-r", str(lock)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise _refused(what, (done.stderr.strip().splitlines() or ["pip said nothing"])[-1], without)
    made_from.write_text(wanted, encoding="utf-8")
    return python


def _refused(what: str, why: str, without: str) -> LabError:
    return LabError(
        f"{what} could not be installed: {why}",
        hint=f"It comes from PyPI. {without}",
        exit_code=ExitCode.TOOLCHAIN,
    )
