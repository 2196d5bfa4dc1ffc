"""When the engine saves: soon after a change, never while idle, and once more on its way out."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from typing import TYPE_CHECKING

from kmslab.engine import snapshot

if TYPE_CHECKING:
    from pathlib import Path

    from kmslab.engine.server import Application, Receive, Scope, Send

QUIET_SECONDS = 1.0
"""How long after the last request the state is saved."""
BUSY_SECONDS = 3.0
"""How long after the first one, when there is no quiet."""
RETRY_SECONDS = 0.1
"""How often a state in motion is looked at again."""
_READING = ("GET", "HEAD")
LOG = logging.getLogger(__name__)


class Saver:
    """Keeps the state of one engine safe. All but the writing happens on the event loop's thread."""

    def __init__(self, folder: Path) -> None:
        """Begin with nothing to save; to be made on the event loop's thread.

        Args:
            folder: of the state; it exists.
        """
        self._folder = folder
        self._changed = asyncio.Event()
        self._last_change = 0.0
        self._digest = ""
        self._writing: asyncio.Future[str] | None = None

    def watching(self, app: Application) -> Application:
        """Return the application, with every request that may change something noticed."""

        async def watched(scope: Scope, receive: Receive, send: Send) -> None:
            try:
                await app(scope, receive, send)
            finally:
                if scope["type"] == "http" and scope["method"] not in _READING:
                    self.changed()

        return watched

    def changed(self) -> None:
        """Have the state saved soon."""
        self._last_change = asyncio.get_running_loop().time()
        self._changed.set()

    async def run(self) -> None:
        """Save after changes, until cancelled."""
        while True:
            await self._changed.wait()
            await self._pause()
            self._changed.clear()
            while (frozen := _frozen()) is None:
                await asyncio.sleep(RETRY_SECONDS)
            if await self._write(frozen):
                # What goes on in the background ends without a request: look again until nothing moves.
                self._changed.set()

    async def finish(self) -> None:
        """Save what there is, after `run` was cancelled; half a deployment is left out with all since it began."""
        if self._writing:
            await asyncio.wait([self._writing])
        frozen = _frozen()
        if frozen is None:
            LOG.warning("a deployment was cut short: the lab will be as it was saved before it")
        else:
            await self._write(frozen)

    async def _pause(self) -> None:
        clock = asyncio.get_running_loop().time
        latest = clock() + BUSY_SECONDS
        while (now := clock()) < (due := min(self._last_change + QUIET_SECONDS, latest)):
            await asyncio.sleep(due - now)

    async def _write(self, frozen: bytes) -> bool:
        """Write on another thread; return whether there was anything new."""
        before = self._digest
        self._writing = asyncio.ensure_future(
            asyncio.to_thread(snapshot.write, self._folder, frozen, self._digest)
        )
        try:
            self._digest = await asyncio.shield(self._writing)
        except OSError as error:
            LOG.warning("the lab's state cannot be saved: %s", error.strerror)
        return self._digest != before


def _frozen() -> bytes | None:
    """The state of this moment; None while it is in motion."""
    if snapshot.settled():
        # A worker thread changed a dictionary while it was being copied.
        with suppress(RuntimeError):
            return snapshot.freeze()
    return None
