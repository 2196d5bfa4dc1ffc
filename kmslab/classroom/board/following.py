"""Follows the class's files and wakes whoever waits for a change."""

from __future__ import annotations

import asyncio
import secrets
from contextlib import suppress
from typing import TYPE_CHECKING

from kmslab.classroom.board.state import begin, fold
from kmslab.classroom.events import FILE, read
from kmslab.classroom.seats import class_folder, load_seats, seats_file
from kmslab.model.errors import LabError

if TYPE_CHECKING:
    from pathlib import Path

    from kmslab.project import Project

INTERVAL = 0.2
"""Seconds between two looks at the files: half of them is what an update waits on average."""


class Follower:
    """The class as its files say, kept up to date by `follow`.

    Attributes:
        folder: of the class.
        seats: of the class, by name.
        state: as of the last look.
        generation: of the files: another one means that nothing of before holds.
        stopping: whether waiters are to go.
    """

    def __init__(self, project: Project) -> None:
        self._project = project
        self.folder = class_folder(project)
        self.stopping = False
        self._changed = asyncio.Condition()
        self._begin()

    def _begin(self) -> None:
        self._signs = _signs(seats_file(self._project)), _identity(self.folder / FILE)
        self.seats = {seat.name: seat for seat in load_seats(self._project)}
        self.generation = secrets.token_hex(4)
        self.state = begin(self.seats)
        self.look()

    def look(self) -> bool:
        """Read what is new; return whether anything was.

        Seats that were replaced, or a file of events that is another or shorter, begin a new generation.

        Raises:
            LabError: the seats cannot be read; everything is as it was: somebody is writing them.
            OSError: the events cannot be read.
        """
        if self._signs != (now := (_signs(seats_file(self._project)), _identity(self.folder / FILE))):
            first_events = self._signs[0] == now[0] and self._signs[1] is None
            self._signs = now
            if not first_events:
                self._begin()
                return True
        events, offset = read(self.folder, self.state.version)
        if offset < self.state.version:  # cut short in place
            self._begin()
            return True
        if offset == self.state.version:
            return False
        self.state = fold(self.state, events, offset)
        return True

    async def follow(self) -> None:
        """Look again and again until cancelled; files that cannot be read now may be readable later."""
        while True:
            await asyncio.sleep(INTERVAL)
            with suppress(OSError, LabError):
                if self.look():
                    await self._wake()

    async def stop(self) -> None:
        """Let every waiter go."""
        self.stopping = True
        await self._wake()

    async def beyond(self, generation: str, version: int, patience: float) -> bool:
        """Wait for something newer than a version; return whether there is, or only time went by.

        Args:
            generation: see `Follower`.
            version: of the state that is known already.
            patience: seconds to wait at most.
        """

        def newer() -> bool:
            return self.stopping or self.generation != generation or self.state.version > version

        async with self._changed:
            try:
                await asyncio.wait_for(self._changed.wait_for(newer), patience)
            except TimeoutError:
                return False
        return True

    async def _wake(self) -> None:
        async with self._changed:
            self._changed.notify_all()


def _signs(file: Path) -> tuple[int, int, int] | None:
    try:
        found = file.stat()
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


def _identity(file: Path) -> int | None:
    try:
        return file.stat().st_ino
    except FileNotFoundError:
        return None
