"""Environments that a page needs and the lab does not: installed on first use, from lists locked with hashes."""

from __future__ import annotations

import subprocess
import venv
from typing import TYPE_CHECKING

from kmslab.model.errors import ExitCode, LabError

if TYPE_CHECKING:
    from pathlib import Path


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
    python = home / "bin" / "python"
    made_from = home / "requirements.txt"
    wanted = lock.read_text(encoding="utf-8")
    if made_from.is_file() and made_from.read_text(encoding="utf-8") == wanted:
        return python
    venv.create(home, clear=True, with_pip=True)
    done = subprocess.run(  # noqa: S603  # the environment's own pip and our list
        [python, "-m", "pip", "install", "--quiet", "--no-input", "--require-hashes", "-r", str(lock)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        why = (done.stderr.strip().splitlines() or ["pip said nothing"])[-1]
        raise LabError(
            f"{what} could not be installed: {why}",
            hint=f"It comes from PyPI. {without}",
            exit_code=ExitCode.TOOLCHAIN,
        )
    made_from.write_text(wanted, encoding="utf-8")
    return python
