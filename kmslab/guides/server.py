"""Serves the site to the reader's own browser: on loopback, and nothing in it may ask anyone else."""

from __future__ import annotations

import json
from contextlib import contextmanager
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

HOST = "127.0.0.1"
CHECKPOINTS = "/checkpoints.json"
POLICY = (
    "default-src 'none'; script-src 'self' 'unsafe-inline' blob:; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; font-src 'self'; connect-src 'self'; worker-src 'self' blob:; base-uri 'self'; "
    "form-action 'self'; frame-ancestors 'none'"
)
"""A page may load what this server has, and nothing else (Material keeps some of its script in its pages)."""


class _Handler(SimpleHTTPRequestHandler):
    server: _Server

    def __init__(self, *arguments: Any, **options: Any) -> None:
        server = arguments[2]
        super().__init__(*arguments, directory=str(server.site), **options)

    def do_GET(self) -> None:  # the name that http.server calls
        if not self._is_for_us():
            return
        if self.path.partition("?")[0] != CHECKPOINTS:
            super().do_GET()
            return
        body = json.dumps(self.server.checkpoints()).encode()
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_HEAD(self) -> None:  # the name that http.server calls
        if self._is_for_us():
            super().do_HEAD()

    def _is_for_us(self) -> bool:
        """Refuse a name that leads here but is not ours: a page of somebody else's may not read the progress."""
        port = self.server.server_address[1]
        if self.headers.get("Host") in {f"{HOST}:{port}", f"localhost:{port}"}:
            return True
        self.send_error(HTTPStatus.MISDIRECTED_REQUEST)
        return False

    def end_headers(self) -> None:
        self.send_header("Cache-Control", "no-store")
        self.send_header("Content-Security-Policy", POLICY)
        self.send_header("Referrer-Policy", "no-referrer")
        self.send_header("X-Content-Type-Options", "nosniff")
        super().end_headers()

    def list_directory(self, path: Any) -> None:
        """Show no folder: the site has a page for each address."""
        del path
        self.send_error(HTTPStatus.NOT_FOUND)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # as http.server calls it
        """Say nothing: the terminal is the learner's."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, site: Path, port: int, checkpoints: Callable[[], object]) -> None:
        self.site = site
        self.checkpoints = checkpoints
        super().__init__((HOST, port), _Handler)


@contextmanager
def serving(site: Path, port: int, checkpoints: Callable[[], object]) -> Iterator[_Server]:
    """Hold the port and serve once ``serve_forever`` is called; the port is free again afterwards.

    Args:
        site: the folder of the built site.
        port: on loopback; 0: a free one.
        checkpoints: gives what ``checkpoints.json`` answers.

    Raises:
        OSError: the port is taken.
    """
    with _Server(site, port, checkpoints) as server:
        yield server
