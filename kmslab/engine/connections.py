"""Connections: let go of when the client has gone, and not a keep-alive timeout later.

Hypercorn keeps a connection's task until its idle timer ends even if the client closed it at once. With TLS
each holds a third of a megabyte: a hundred clients that come and go in seconds would hold 35 MB for a minute.
"""

from __future__ import annotations

from hypercorn.asyncio import run
from hypercorn.asyncio.tcp_server import TCPServer

from kmslab.engine.hooks import replace_value


class Connection(TCPServer):
    """A connection that ends with its client."""

    async def _read_data(self) -> None:
        await super()._read_data()
        await self.idle_task.stop()


def install() -> None:
    """Serve with connections of ours."""
    replace_value(run, "TCPServer", Connection, "end a connection's idle timer when its client has gone")
