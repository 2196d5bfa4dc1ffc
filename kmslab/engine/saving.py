"""When the engine saves: what a request changed before it is answered, and everything soon after a change.

A request that may change something is answered once its change is in the journal; requests that end in the same
moment share one commit. The state as a whole is saved when it is quiet, and once more on the way out: that keeps
the journal short.
"""

from __future__ import annotations

import asyncio
import logging
import re
from contextlib import suppress
from http import HTTPStatus
from typing import TYPE_CHECKING

from kmslab.engine import snapshot, state, touched
from kmslab.engine.journal import Journal

if TYPE_CHECKING:
    from collections.abc import Collection, MutableMapping
    from pathlib import Path
    from typing import Any

    from kmslab.engine.server import Application, Receive, Scope, Send
    from kmslab.engine.snapshot import Frozen
    from kmslab.engine.touched import Hand, Place

QUIET_SECONDS = 1.0
"""How long after the last change the state is saved as a whole."""
BUSY_SECONDS = 3.0
"""How long after the first one, when there is no quiet."""
SHARE = 20
"""At most one part in so many of the time goes into it: it takes the longer, the more accounts there are."""
RETRY_SECONDS = 0.1
"""How often a state in motion is looked at again."""
_METHODS = ("GET", "HEAD")
_KMS = "TrentService."
_READING = re.compile(r"Assume|BatchGet|Decode|Describe|Get|List|Lookup|Query|Scan|Simulate|Validate")
"""Operations that change nothing which is kept: sessions of roles are not."""
_SCOPE = re.compile(rb"Credential=[^/]+/\d+/[^/]+/([a-z0-9-]+)/aws4_request")
_STORES = {
    "ebs": ("ec2",),
    "ec2": ("ec2",),
    "iam": ("iam",),
    "s3": ("s3",),
    "secretsmanager": ("secretsmanager",),
    "ssm": ("ssm",),
}
"""Which services' stores a request changes, besides those of `_ANYBODYS`: looked at whole where they note nothing."""
_ANYBODYS = ("kms", "kmslab", "cloudtrail")
"""Stores that requests to other services change as well: keys are used, grants made, events recorded."""
_FORM = b"application/x-www-form-urlencoded"
_ACTION = re.compile(rb"(?:^|&)Action=([A-Za-z]+)")
_STACKS = re.compile(r"Stack|ChangeSet")
"""What is told of a deployment, which goes on without a request, is saved before it is told."""
LOG = logging.getLogger(__name__)


class Saver:
    """Keeps the state of one engine safe. All but the writing of it as a whole happens on the event loop's thread."""

    def __init__(self, folder: Path) -> None:
        """Begin with what the stores hold; to be made on the event loop's thread.

        Args:
            folder: of the state; it exists.
        """
        self._folder = folder
        self._journal = Journal(folder)
        self._changed = asyncio.Event()
        self._last_change = 0.0
        self._digest = ""
        self._writing: asyncio.Future[str] | None = None
        self._commit: asyncio.Task[None] | None = None
        self._services: set[str] = set()
        self._everything = False
        self._notes: set[tuple[Place, Any]] = set()
        self._rest_until = 0.0
        self._took = 0.0

    def watching(self, app: Application) -> Application:
        """Return the application, with every answer held back until what the request changed is in the journal."""

        async def watched(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != "http":
                await app(scope, receive, send)
                return
            with touched.noting() as hand:
                await self._watched(app, _Request(scope, receive), hand, send)

        return watched

    async def _watched(self, app: Application, request: _Request, hand: Hand, send: Send) -> None:
        async def sent(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                succeeded = message["status"] < HTTPStatus.BAD_REQUEST
                if (succeeded and request.may_change()) or request.moved():
                    self.changed()
                    await self.committed(hand.take(), request.services)
            await send(message)

        try:
            await app(request.scope, request.receive, sent)
        finally:
            if request.may_change():
                # What it did after its answer, or before it failed.
                touched.for_the_next(hand.take())

    def changed(self) -> None:
        """Have the state saved as a whole soon."""
        self._last_change = asyncio.get_running_loop().time()
        self._changed.set()

    async def committed(
        self, notes: Collection[tuple[Place, Any]] = (), services: tuple[str, ...] = ()
    ) -> None:
        """Return once what has changed is in the journal.

        Args:
            notes: what may have changed.
            services: whose stores without notes may have changed; none for any.
        """
        self._notes.update(notes)
        self._services.update(services)
        self._everything = self._everything or not services
        if self._commit is None:
            self._commit = asyncio.create_task(self._commit_soon())
        await asyncio.shield(self._commit)

    async def run(self) -> None:
        """Save the state as a whole after changes, until cancelled."""
        while True:
            await self._changed.wait()
            await self._pause()
            self._changed.clear()
            while True:
                began = asyncio.get_running_loop().time()
                if (frozen := _frozen()) is not None:
                    break
                await asyncio.sleep(RETRY_SECONDS)
            if await self._write(frozen):
                # What goes on in the background ends without a request: look again until nothing moves.
                self.changed()
            self._took = asyncio.get_running_loop().time() - began

    async def finish(self) -> None:
        """Save what there is, after `run` was cancelled; half a deployment is left out."""
        if self._writing:
            await asyncio.wait([self._writing])
        await self.committed()
        frozen = _frozen()
        if frozen is None:
            LOG.warning("a deployment was cut short: its stack will be as it was before it")
        else:
            await self._write(frozen)

    async def _commit_soon(self) -> None:
        clock = asyncio.get_running_loop().time
        # Whoever ends meanwhile shares the commit; and commits take half of the time at most.
        await asyncio.sleep(max(0.0, self._rest_until - clock()))
        self._commit = None
        only = () if self._everything else tuple(self._services)
        notes = self._notes
        self._services, self._everything, self._notes = set(), False, set()
        began = clock()
        while True:
            try:
                self._journal.commit(notes, only)
            except RuntimeError:
                # A worker thread changed a store while it was looked at.
                await asyncio.sleep(0)
            except OSError as error:
                LOG.warning("the lab's journal cannot be written: %s", error.strerror)
                break
            else:
                break
        self._rest_until = 2 * clock() - began

    async def _pause(self) -> None:
        clock = asyncio.get_running_loop().time
        rest = SHARE * self._took
        latest = clock() + max(BUSY_SECONDS, rest)
        while (now := clock()) < (due := min(self._last_change + max(QUIET_SECONDS, rest), latest)):
            await asyncio.sleep(due - now)

    async def _write(self, frozen: Frozen) -> bool:
        """Write on another thread; return whether there was anything new."""
        before = self._digest
        # No await since the state was frozen: what the next commit finds belongs to the new journal.
        following = self._journal.rotate()
        self._writing = asyncio.ensure_future(
            asyncio.to_thread(snapshot.write, self._folder, frozen, self._digest, following=following)
        )
        try:
            self._digest = await asyncio.shield(self._writing)
        except OSError as error:
            LOG.warning("the lab's state cannot be saved: %s", error.strerror)
        return self._digest != before


class _Request:
    """What is known of a request: whether it may change something, and where."""

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self.scope, self._receive = scope, receive
        self._method = scope["method"]
        headers = dict(scope["headers"])
        self._target = headers.get(b"x-amz-target", b"").decode("latin-1")
        self._action = self._target.rpartition(".")[2]
        # Only there does a body name its action; an object's content may say anything.
        self._is_form = self._method == "POST" and headers.get(b"content-type", b"").startswith(_FORM)
        self._changes = state.changes()
        self._is_kms = self._target.startswith(_KMS)
        self.services = ("kms",) if self._is_kms else _touched(headers.get(b"authorization", b""))

    async def receive(self) -> MutableMapping[str, Any]:
        """The next part of the request; the first names the action in the query protocol."""
        message = await self._receive()
        if self._is_form and not self._action and (found := _ACTION.search(message.get("body", b""))):
            self._action = found[1].decode()
        return message

    def may_change(self) -> bool:
        """Whether the operation may change what is kept."""
        from kmslab.engine.kms.service import CHANGING

        if self._method in _METHODS:
            return False
        if self._is_kms:
            return self._action in CHANGING
        return not _READING.match(self._action) or bool(_STACKS.search(self._action))

    def moved(self) -> bool:
        """Whether a room said meanwhile that it changed something, in whichever request."""
        return state.changes() != self._changes


def _touched(authorization: bytes) -> tuple[str, ...]:
    """The services whose stores a request may change, by what it is signed for; none for any."""
    scope = _SCOPE.search(authorization)
    own = _STORES.get(scope[1].decode()) if scope else None
    return (*own, *_ANYBODYS) if own else ()


def _frozen() -> Frozen | None:
    """The state of this moment; None while it is in motion."""
    if snapshot.settled():
        # A worker thread changed a dictionary while it was being copied.
        with suppress(RuntimeError):
            return snapshot.freeze()
    return None
