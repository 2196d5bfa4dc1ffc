"""One command at a time works on a lab, and one that was killed leaves a mark."""

from __future__ import annotations

import fcntl
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from kmslab.model.errors import ExitCode, LabError
from kmslab.project import private, write_private

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kmslab.project import Project

UNFINISHED = "unfinished"
"""File in the lab's home while checks run or stacks are destroyed."""


@contextmanager
def unfinished(project: Project) -> Iterator[None]:
    """Leave a mark while something is under way that a killed process cannot clear away.

    Whoever holds the lab's lock and finds the mark knows that its maker was killed, or failed.
    """
    mark = project.home / UNFINISHED
    write_private(mark, "")
    yield
    mark.unlink(missing_ok=True)


@contextmanager
def exclusively(project: Project, *, patience: float = 0.0) -> Iterator[None]:
    """Hold the lab's lock: two commands that change it would undo each other's work.

    Args:
        project: whose lab it is.
        patience: seconds to wait for another command to end.

    Raises:
        LabError: another command holds it still.
    """
    deadline = time.monotonic() + patience
    with open(project.ensure_home() / "lock", "w", encoding="utf-8", opener=private) as lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError as error:
                if time.monotonic() >= deadline:
                    raise LabError(
                        "Another kmslab command is working on this lab.",
                        hint="Wait for it to end, or stop it with Ctrl-C.",
                        exit_code=ExitCode.DEPLOYMENT,
                    ) from error
            time.sleep(0.2)
        yield
