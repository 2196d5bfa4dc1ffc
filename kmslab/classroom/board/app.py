"""The board as a web application: pages, changes as server-sent events, and the two buttons."""

from __future__ import annotations

import asyncio
import csv
import io
import json
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from kmslab.classroom.board.actions import Resets, nudge
from kmslab.classroom.board.guard import HOST, Guard
from kmslab.classroom.board.pages import LONGEST_NUDGE, Pages, assets
from kmslab.classroom.board.state import BUSY

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from starlette.requests import Request

    from kmslab.classroom.board.course import Course
    from kmslab.classroom.board.following import Follower
    from kmslab.classroom.board.tokens import Tokens
    from kmslab.project import Project

HEARTBEAT = 15.0
"""Seconds after which a stream without news says that it is still there: a browser that is gone is noticed."""
LARGEST_BODY = 4096
"""Bytes of what a button sends."""
STREAMS = 1000
"""Pages that may be kept up to date at once; each costs a task and nothing that grows."""


def application(project: Project, follower: Follower, tokens: Tokens, course: Course, port: int) -> Guard:
    """The board's application.

    Args:
        project: where a reset runs.
        follower: of the class; it is kept up to date as long as the application lives.
        tokens: of the class.
        course: what is shown of checks and faults.
        port: that the server listens on.
    """
    board = _Board(project, follower, tokens, course, port)
    routes = [
        Route("/", board.door),
        Route("/assets/{name}", board.asset),
        Route("/board/{token}", board.page),
        Route("/board/{token}/events", board.events),
        Route("/board/{token}/seats.csv", board.addresses),
        Route("/board/{token}/seat/{seat}", board.drawer),
        Route("/board/{token}/nudge", board.nudge, methods=["POST"]),
        Route("/board/{token}/reset", board.reset, methods=["POST"]),
        Route("/seat/{seat}/{token}", board.seat_page),
        Route("/seat/{seat}/{token}/events", board.seat_events),
    ]
    starlette = Starlette(
        routes=routes, lifespan=board.lifespan, exception_handlers={HTTPException: _in_one_line}
    )
    return Guard(starlette, port)


class _Board:
    def __init__(
        self, project: Project, follower: Follower, tokens: Tokens, course: Course, port: int
    ) -> None:
        self._follower = follower
        self._tokens = tokens
        self._pages = Pages(follower, course)
        self._resets = Resets(project, follower)
        self._assets = assets()
        self._origin = f"http://{HOST}:{port}"
        self._streams = 0

    @asynccontextmanager
    async def lifespan(self, _app: Starlette) -> AsyncIterator[None]:
        following = asyncio.create_task(self._follower.follow())
        yield
        following.cancel()
        self._resets.abandon()

    async def door(self, _request: Request) -> Response:
        """Where the board's address is after it is open, so that a projector shows no token: a reload goes on."""
        return HTMLResponse(self._pages.door())

    async def asset(self, request: Request) -> Response:
        if (found := self._assets.get(request.path_params["name"])) is None:
            raise HTTPException(404)
        return Response(found[0], media_type=found[1])

    # The trainer's.

    def _for_trainer(self, request: Request) -> str:
        """Return the base of the trainer's addresses, if the request has the token."""
        if not self._tokens.is_trainer(request.path_params["token"]):
            raise HTTPException(404)
        return f"/board/{self._tokens.trainer}"

    def _known(self, seat: object) -> str:
        if not isinstance(seat, str) or seat not in self._follower.seats:
            raise HTTPException(404, "There is no such seat.")
        return seat

    async def page(self, request: Request) -> Response:
        return HTMLResponse(self._pages.board(self._for_trainer(request)))

    async def events(self, request: Request) -> Response:
        self._for_trainer(request)
        return self._stream(request, self._pages.change, lambda: self._follower.state.version)

    async def drawer(self, request: Request) -> Response:
        self._for_trainer(request)
        name = self._known(request.path_params["seat"])
        return HTMLResponse(self._pages.drawer(name, self._seat_path(name)))

    async def addresses(self, request: Request) -> Response:
        """A file of the seats with their learners' addresses, to hand out."""
        self._for_trainer(request)
        text = io.StringIO(newline="")
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(("seat", "learner", "address"))
        for seat in self._follower.seats.values():
            learner = f"'{seat.learner}" if seat.learner[:1] in "=+-@" else seat.learner
            writer.writerow((seat.name, learner, self._origin + self._seat_path(seat.name)))
        return Response(text.getvalue(), media_type="text/csv")

    async def nudge(self, request: Request) -> Response:
        self._for_trainer(request)
        given = await _body(request)
        name = self._known(given.get("seat"))
        text = " ".join(str(given.get("text") or "").split())
        if not 0 < len(text) <= LONGEST_NUDGE or not text.isprintable():
            raise HTTPException(422, f"A nudge has 1 to {LONGEST_NUDGE} characters.")
        try:
            nudge(self._follower.folder, name, text)
        except OSError as error:
            raise HTTPException(507, f"The nudge could not be kept: {error.strerror or error}.") from error
        return JSONResponse({"said": f"{name} was nudged."})

    async def reset(self, request: Request) -> Response:
        self._for_trainer(request)
        name = self._known((await _body(request)).get("seat"))
        phase = self._follower.state.seats[name].phase
        if phase in BUSY:
            raise HTTPException(409, f"{name} is {phase} now: wait until that is over.")
        if not self._resets.begin(name):
            raise HTTPException(409, f"{name} is being reset already.")
        return JSONResponse({"said": f"The reset of {name} has begun."}, 202)

    # The learner's.

    def _seat_path(self, name: str) -> str:
        return f"/seat/{name}/{self._tokens.of_seat(name)}"

    def _for_learner(self, request: Request) -> str:
        name: str = request.path_params["seat"]
        if not self._tokens.is_of_seat(name, request.path_params["token"]):
            raise HTTPException(404)
        return self._known(name)

    async def seat_page(self, request: Request) -> Response:
        name = self._for_learner(request)
        return HTMLResponse(self._pages.seat(name, self._seat_path(name)))

    async def seat_events(self, request: Request) -> Response:
        name = self._for_learner(request)
        return self._stream(
            request,
            lambda _: self._pages.seat_change(name),
            lambda: self._follower.state.seats[name].changed,
        )

    # Both.

    def _stream(
        self, request: Request, change: Callable[[int], dict[str, Any]], changed: Callable[[], int]
    ) -> Response:
        """Keep one page up to date.

        Args:
            request: says what the page shows: ``Last-Event-ID`` of a reconnection, or ``since``.
            change: what changed since a version.
            changed: the version in which the page's subject changed last.
        """
        if self._streams >= STREAMS:
            raise HTTPException(503, "Too many pages are open.")
        since = request.headers.get("last-event-id") or request.query_params.get("since", "")
        generation, _, version = since.partition(":")
        if not version.isascii() or not version.isdigit():
            raise HTTPException(400, "The address says not since when.")
        return StreamingResponse(
            self._changes(generation, int(version), change, changed), media_type="text/event-stream"
        )

    async def _changes(
        self,
        generation: str,
        version: int,
        change: Callable[[int], dict[str, Any]],
        changed: Callable[[], int],
    ) -> AsyncIterator[str]:
        follower = self._follower
        self._streams += 1
        try:
            yield "retry: 1000\nevent: hello\ndata: {}\n\n"
            while not follower.stopping:
                if follower.generation != generation:
                    yield "event: anew\ndata: {}\n\n"
                    return
                now = follower.state.version
                if changed() > version:
                    told = json.dumps(change(version), ensure_ascii=False, separators=(",", ":"))
                    yield f"event: change\nid: {generation}:{now}\ndata: {told}\n\n"
                version = now
                if not await follower.beyond(generation, version, HEARTBEAT):
                    yield ": still here\n\n"
        finally:
            self._streams -= 1


async def _body(request: Request) -> dict[str, Any]:
    """What a button sends: a small JSON object."""
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
        raise HTTPException(415)
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > LARGEST_BODY:
            raise HTTPException(413)
    try:
        given = json.loads(body)
    except ValueError as error:
        raise HTTPException(400, "That is not JSON.") from error
    if not isinstance(given, dict):
        raise HTTPException(400, "That is not an object.")
    return given


async def _in_one_line(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101  # for mypy: it is registered for no other
    if error.status_code == HTTPStatus.NOT_FOUND and error.detail == HTTPStatus.NOT_FOUND.phrase:
        words = "Nothing is at this address. kmslab class board prints the one that there is.\n"
        return PlainTextResponse(words, HTTPStatus.NOT_FOUND)
    return PlainTextResponse(f"{error.detail}\n", error.status_code, headers=error.headers)
