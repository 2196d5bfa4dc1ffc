"""Connections: short requests answered here, one write an answer, no timer task for each, and an end with the client.

Hypercorn writes an answer's head and body apart, each a TLS record and a system call, and starts a task after
each request that waits for the connection to have been idle too long; with its reading of HTTP (see
`whole_requests`) that is half of what a call of KMS costs. It also keeps a connection until that timer ends even
if the client closed it at once: with TLS each holds a third of a megabyte, and a hundred clients that come and go
would hold 35 MB for a minute.
"""

from __future__ import annotations

import asyncio
import logging
from asyncio import sslproto
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import h11
from hypercorn.asyncio import run
from hypercorn.asyncio.tcp_server import MAX_RECV, TCPServer
from hypercorn.events import Closed, RawData, Updated

from kmslab.engine import whole_requests
from kmslab.engine.hooks import IncompatibleMiniStackError, replace_value

if TYPE_CHECKING:
    from hypercorn.events import Event

LOG = logging.getLogger(__name__)
_SMALL = 2**16
"""Bytes that may wait for the rest of their answer; more is written at once, at the client's pace."""
READ_BYTES = 2**15
"""What asyncio makes room for whenever it reads from TLS, and once more for each connection: two records, of
which OpenSSL hands out one at a time. Its own 256 KiB are fresh pages from the system each time, half of what
a call of KMS cost."""


class Connection(TCPServer):
    """A connection that answers short requests by itself, and ends with its client."""

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
        # What a request sets in its context is not the next one's: each is read and answered in a task of its own.
        with suppress(OSError):
            while not self.reader.at_eof():
                await asyncio.create_task(self._turn())
        await self.protocol.handle(Closed())
        await self.idle_task.stop()

    async def _turn(self) -> None:
        data = await self.reader.read(MAX_RECV)
        if not (self._between_requests() and await self._answered(data)):
            await self.protocol.handle(RawData(data))

    def _between_requests(self) -> bool:
        """Whether Hypercorn has answered whatever it was given: a request begins with the next byte."""
        http: Any = getattr(self.protocol.protocol, "connection", None)
        return (
            isinstance(http, h11.Connection)
            and http.our_state is h11.IDLE
            and http.their_state is h11.IDLE
            and not http.trailing_data[0]
        )

    async def _answered(self, data: bytes) -> bool:
        """Answer the request that begins with the data, if it is a short one; else leave it to Hypercorn."""
        request = whole_requests.begun(data)
        if request is None:
            return False
        headers, start, end = request
        self._idle_since = None
        while len(data) < end and (more := await self.reader.read(MAX_RECV)):
            data += more
        if len(data) == end:
            await self._exchange(headers, data[start:])
        else:
            await self.protocol.handle(RawData(data))
        return True

    async def _exchange(self, headers: whole_requests.Headers, body: bytes) -> None:
        http: Any = self.protocol
        exchange = whole_requests.Exchange(
            headers,
            body,
            self.writer.write,
            scheme="https" if http.ssl else "http",
            client=http.client,
            server=http.server,
        )
        try:
            await http.app(exchange.scope, exchange.receive, exchange.send, None, None)
        except Exception:
            LOG.exception("a request failed")
            if not exchange.answered:
                exchange.answer(500, [], b"")
        self._idle_since = self.loop.time()
        await self.writer.drain()

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
