"""What the board's buttons do: a nudge is an event, a reset is the command that one would type."""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from kmslab.classroom.board.state import Phase
from kmslab.classroom.events import append, event

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kmslab.classroom.board.following import Follower
    from kmslab.project import Project

AT_ONCE = 2
"""Resets that run side by side; the others wait."""
_KEPT = 4096
"""Bytes of what a failed command said last."""


def reset_command(seat: str) -> list[str]:
    """What resets a seat, as an argument list."""
    return [str(Path(sys.executable).with_name("kmslab")), "class", "reset", seat]


def nudge(folder: Path, seat: str, text: str) -> None:
    """Tell a learner something.

    Args:
        folder: of the class.
        seat: its name.
        text: one line.

    Raises:
        OSError: the events cannot be written.
    """
    append(folder, event(seat, "nudge", text=text))


class Resets:
    """The resets that the board has begun. The command writes the events; the board only begins it.

    Attributes:
        running: names of the seats that are being reset or wait for it.
    """

    def __init__(self, project: Project, follower: Follower) -> None:
        self._project = project
        self._follower = follower
        self._gate = asyncio.Semaphore(AT_ONCE)
        self._tasks: dict[str, asyncio.Task[None]] = {}

    @property
    def running(self) -> frozenset[str]:
        """See the class."""
        return frozenset(self._tasks)

    def begin(self, seat: str) -> bool:
        """Begin to reset a seat; return whether it was not being reset already."""
        if seat in self._tasks:
            return False
        task = asyncio.create_task(self._reset(seat))
        self._tasks[seat] = task
        task.add_done_callback(lambda _: self._tasks.pop(seat, None))
        return True

    def abandon(self) -> None:
        """Begin no more; what runs goes on by itself, since half a reset helps nobody."""
        for task in list(self._tasks.values()):
            task.cancel()

    async def _reset(self, seat: str) -> None:
        async with self._gate:
            try:
                code, said = await _run(reset_command(seat), self._project.root)
            except OSError as error:
                code, said = -1, f"kmslab: {error.strerror or error}"
        if code == 0:
            return
        self._follower.look()
        if self._follower.state.seats[seat].phase is not Phase.RESET_FAILED:
            # It ended before it could say so itself: a wrong setting, a missing command, a kill.
            why = said or f"kmslab class reset ended with {code}"
            append(self._follower.folder, event(seat, "reset.failed", why=why))


async def _run(command: Sequence[str], folder: Path) -> tuple[int, str]:
    """Run a command in a session of its own, so that Ctrl-C for the board is none for it.

    Returns: its exit code, and the line in which it says what is wrong.

    Raises:
        OSError: it cannot be started.
    """
    # Into a file, not a pipe: a reset that outlives the board can go on telling what it does.
    with tempfile.TemporaryFile() as told:
        process = await asyncio.create_subprocess_exec(
            *command,
            cwd=folder,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=told,
            start_new_session=True,
        )
        code = await process.wait()
        told.seek(max(0, told.seek(0, os.SEEK_END) - _KEPT))
        lines = [line.strip() for line in told.read().decode(errors="replace").splitlines() if line.strip()]
    wrong = [line for line in lines if line.startswith("error:")] or lines
    return code, wrong[-1].removeprefix("error:").strip() if wrong else ""
