"""Connections: one write for an answer, no task for each request's idle timer, and an end with the client.

Hypercorn writes an answer's head and body apart, each a TLS record and a system call, and starts a task after
each request that waits for the connection to have been idle too long; together that is a third of what a call
of KMS costs. It also keeps a connection until that timer ends even if the client closed it at once: with TLS
each holds a third of a megabyte, and a hundred clients that come and go would hold 35 MB for a minute.
"""

from __future__ import annotations

import asyncio
from asyncio import sslproto
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from hypercorn.asyncio import run
from hypercorn.asyncio.tcp_server import TCPServer
from hypercorn.events import RawData, Updated

from kmslab.engine.hooks import IncompatibleMiniStackError, replace_value

if TYPE_CHECKING:
    from hypercorn.events import Event

_SMALL = 2**16
"""Bytes that may wait for the rest of their answer; more is written at once, at the client's pace."""
READ_BYTES = 2**15
"""What asyncio makes room for whenever it reads from TLS, and once more for each connection: two records, of
which OpenSSL hands out one at a time. Its own 256 KiB are fresh pages from the system each time, half of what
a call of KMS cost."""


class Connection(TCPServer):
    """A connection that ends with its client."""

    def __init__(self, *arguments: Any) -> None:
        """Take what Hypercorn gives."""
        super().__init__(*arguments)
        self._waiting = bytearray()
        self._idle_since: float | None = self.loop.time()

    async def protocol_send(self, event: Event) -> None:
        """Write small parts together when the answer's task has had its turn."""
        if isinstance(event, RawData) and len(event.data) < _SMALL:
            if not self._waiting:
                self.loop.call_soon(self._flush)
            self._waiting += event.data
            return
        if isinstance(event, Updated):
            self._idle_since = self.loop.time() if event.idle else None
            if not self.context.terminated.is_set():
                return
        if isinstance(event, RawData):
            self._flush()
        await super().protocol_send(event)

    def _flush(self) -> None:
        if self._waiting:
            data = bytes(self._waiting)
            self._waiting.clear()
            # The client has gone: the reading side notices.
            with suppress(ConnectionError, RuntimeError):
                self.writer.write(data)

    async def _read_data(self) -> None:
        await super()._read_data()
        await self.idle_task.stop()

    async def _close(self) -> None:
        self._flush()
        await super()._close()

    async def _idle_timeout(self) -> None:
        """End the connection when it was idle for too long, or is idle as the engine stops."""
        patience = self.config.keep_alive_timeout
        while not self.context.terminated.is_set():
            idle = self.loop.time() - (self._idle_since or self.loop.time())
            if idle >= patience:
                break
            with suppress(TimeoutError):
                await asyncio.wait_for(self.context.terminated.wait(), patience - idle)
        if self._idle_since is not None:
            await asyncio.shield(asyncio.create_task(self._initiate_server_close()))


def install() -> None:
    """Serve with connections of ours, and read no more at a time than there can be."""
    if not isinstance(getattr(sslproto.SSLProtocol, "max_size", None), int):
        raise IncompatibleMiniStackError("asyncio.sslproto.SSLProtocol.max_size is gone")
    sslproto.SSLProtocol.max_size = READ_BYTES
    replace_value(run, "TCPServer", Connection, "one write an answer, and an end with the client")
