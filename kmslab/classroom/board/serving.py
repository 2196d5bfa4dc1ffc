"""Serves the board on loopback until it is told to stop."""

from __future__ import annotations

import asyncio
import signal
import socket
from typing import TYPE_CHECKING

from kmslab.classroom.board.app import application
from kmslab.classroom.board.following import Follower
from kmslab.classroom.board.guard import HOST
from kmslab.classroom.board.tokens import tokens

if TYPE_CHECKING:
    from collections.abc import Callable

    from kmslab.classroom.board.course import Course
    from kmslab.project import Project

_GRACE_SECONDS = 2.0
"""That an answer which is under way has at the end."""
_WAITING = 256
"""Connections that may wait to be taken: a class that opens its pages at once."""


def listen(port: int) -> socket.socket:
    """Take a port on loopback; 0: a free one.

    Raises:
        OSError: the port cannot be used.
    """
    taken = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind((HOST, port))
        taken.listen(_WAITING)
    except OSError:
        taken.close()
        raise
    return taken


def serve(project: Project, course: Course, listening: socket.socket, ready: Callable[[str], None]) -> None:
    """Serve the board of the project's class until SIGINT or SIGTERM.

    Args:
        project: whose class it is.
        course: what is shown of checks and faults.
        listening: as `listen` returns it; closed at the end.
        ready: called with the trainer's address once it is served.

    Raises:
        LabError: there is no class, or its folder cannot be written.
    """

    async def until_signal() -> None:
        stop = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        await run(project, course, listening, ready, stop)

    with listening:
        asyncio.run(until_signal())


async def run(
    project: Project,
    course: Course,
    listening: socket.socket,
    ready: Callable[[str], None],
    stop: asyncio.Event,
) -> None:
    """Serve until `stop` is set; the rest as `serve`."""
    from hypercorn.asyncio import serve as hypercorn_serve
    from hypercorn.config import Config

    follower = Follower(project)
    secret = tokens(follower.folder)
    port = listening.getsockname()[1]

    config = Config()
    config.bind = [f"fd://{listening.detach()}"]  # Hypercorn closes it
    config.accesslog = None
    config.loglevel = "ERROR"
    config.include_server_header = False
    config.graceful_timeout = _GRACE_SECONDS
    config.shutdown_timeout = _GRACE_SECONDS

    async def told_to_stop() -> None:
        await stop.wait()
        await follower.stop()  # the streams end by themselves

    app = application(project, follower, secret, course, port)
    # The socket listens already: a browser that is quicker than Hypercorn waits in its queue.
    ready(f"http://{HOST}:{port}/board/{secret.trainer}")
    await hypercorn_serve(app, config, shutdown_trigger=told_to_stop)  # type: ignore[arg-type]  # its own Protocol types
