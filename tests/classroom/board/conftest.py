from __future__ import annotations

import asyncio
import http.client
import json
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from kmslab.classroom.board import serving
from kmslab.classroom.board.course import Claim, Course, Rates
from kmslab.classroom.events import append
from kmslab.classroom.seats import Seat, class_folder, keep_seats
from kmslab.project import Project

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

HOSTILE = """<script>alert("x")</script><img src=http://evil.example/a.png>&'"]]>"""
COURSE = Course(
    {"keys": "02-first-key", "grants": "02-first-key", "s3": "05-s3"},
    {
        "keys.rotation": Claim("Every key rotates.", "04-rotation"),
        "s3.reader": Claim("Reading an object needs the key.", "05-s3"),
    },
    {"s3.default-encryption-is-sse-s3": "The bucket encrypts with a key of Amazon S3."},
    Rates(0.02, 0.5, 0.05, charged=True),
)
SEATS = tuple(
    Seat(name, f"70000000000{at}", "eu-central-1", learner)
    for at, (name, learner) in enumerate((("ada", "Ada L."), ("bob", ""), ("cy", HOSTILE)), 1)
)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    made = Project(tmp_path, tmp_path / "home")
    keep_seats(made, SEATS)
    return made


def clock(minute: int) -> str:
    return f"2026-11-22T10:{minute:02}:00.000Z"


def told(minute: int, seat: str, kind: str, **more: Any) -> dict[str, Any]:
    return {"at": clock(minute), "seat": seat, "kind": kind, **more}


def verified(minute: int, seat: str, topic: str, *failed: str, errors: int = 0) -> dict[str, Any]:
    verdicts = {"PASS": 3, "FAIL": len(failed), "ERROR": errors, "UNPROVABLE": 0}
    return told(minute, seat, "verify.topic", topic=topic, verdicts=verdicts, failed=[*failed])


def tell(project: Project, *events: dict[str, Any]) -> None:
    for one in events:
        append(class_folder(project), one)


@dataclass(frozen=True)
class Asking:
    """A board that is served, asked as a browser would, or as somebody who is up to something."""

    address: str

    @property
    def port(self) -> int:
        return int(self.address.split(":")[2].partition("/")[0])

    @property
    def origin(self) -> str:
        return self.address.partition("/board")[0]

    @property
    def base(self) -> str:
        return self.address.removeprefix(self.origin)

    def ask(
        self, path: str, *, method: str = "GET", host: str = "", body: object = None, **headers: str
    ) -> tuple[int, dict[str, str], str]:
        with self.opened(path, method=method, host=host, body=body, **headers) as answer:
            return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read().decode()

    def post(self, path: str, body: object, **headers: str) -> tuple[int, str]:
        answer = self.ask(self.base + path, method="POST", body=body, **{"Origin": self.origin, **headers})
        return answer[0], answer[2]

    def opened(
        self, path: str, *, method: str = "GET", host: str = "", body: object = None, **headers: str
    ) -> AbstractContextManager[http.client.HTTPResponse]:
        """The answer while it is still coming."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        data = None if body is None else json.dumps(body).encode()
        named = {"Content-Type": "application/json"} if data is not None else {}
        named |= {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(
            method, path, data, {"Host": host or f"127.0.0.1:{self.port}", "Connection": "close", **named}
        )
        return connection.getresponse()

    def seat(self, name: str) -> str:
        """The path of a learner's page."""
        lines = self.ask(f"{self.base}/seats.csv")[2].splitlines()
        return next(line for line in lines if line.startswith(f"{name},")).rpartition(self.origin)[2]


@pytest.fixture
def served(project: Project) -> Iterator[Asking]:
    with Served(project) as address:
        yield Asking(address)


class Served:
    """Serves a board in a thread with a loop of its own."""

    def __init__(self, project: Project, port: int = 0) -> None:
        self._project, self._port = project, port
        self._ready = threading.Event()
        self._address = ""
        self._end: Callable[[], object] = lambda: None
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))

    async def _serve(self) -> None:
        stop, loop = asyncio.Event(), asyncio.get_running_loop()
        self._end = lambda: loop.call_soon_threadsafe(stop.set)

        def ready(address: str) -> None:
            self._address = address
            self._ready.set()

        await serving.run(self._project, COURSE, serving.listen(self._port), ready, stop)

    def __enter__(self) -> str:
        self._thread.start()
        assert self._ready.wait(30)
        return self._address

    def __exit__(self, *_: object) -> None:
        self._end()
        self._thread.join(30)
        assert not self._thread.is_alive()
