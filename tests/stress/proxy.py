"""A proxy between the verifier and its target that spoils a share of the answers.

Runs in a process of its own (`python -m tests.stress.proxy`), so that it does not compete with the verifier
for Python's lock. It stands in for a bad day on AWS: errors are spelled as each service spells them.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import ssl
import subprocess
import sys
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.request import urlopen

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kmslab.model.target import Target

HANG_SECONDS = 60.0
"""Longer than any client of a test waits: an answer that never comes."""
SLOW_SECONDS = 0.5
COUNT = b"GET /spoiled "
"""A question to the proxy itself: how many requests it has spoiled."""
IGNORED = frozenset({b"expect", b"connection"})
"""Headers that are between the client and the proxy only; neither is signed (botocore.auth)."""


class Trouble(StrEnum):
    """What happens to a request that is drawn."""

    THROTTLED = "throttled"
    SERVER_ERROR = "server-error"
    RESET = "reset"
    """The connection breaks before the target has seen the request."""
    LOST_ANSWER = "lost-answer"
    """The connection breaks after the target has done what was asked."""
    SLOW = "slow"
    TIMEOUT = "timeout"
    EXPIRED = "expired"
    """The credentials have expired."""


CODES = {
    Trouble.THROTTLED: {"s3": (503, "SlowDown"), "ec2": (503, "RequestLimitExceeded")},
    Trouble.SERVER_ERROR: {"s3": (500, "InternalError")},
    Trouble.EXPIRED: {
        "s3": (400, "ExpiredToken"),
        "sts": (403, "ExpiredToken"),
        "iam": (403, "ExpiredToken"),
    },
}
USUAL = {
    Trouble.THROTTLED: (400, "ThrottlingException"),
    Trouble.SERVER_ERROR: (500, "InternalFailure"),
    Trouble.EXPIRED: (400, "ExpiredTokenException"),
}


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request: its head without the headers that stay here, and its whole body."""

    method: bytes
    head: bytes
    body: bytes

    @property
    def service(self) -> str:
        """The service that the signature is for; S3 where there is none (presigned, anonymous)."""
        scope = self.head.partition(b"Credential=")[2].partition(b",")[0].split(b"/")
        return scope[3].decode() if len(scope) > 3 else "s3"

    @property
    def is_json(self) -> bool:
        """Whether errors come as JSON (else XML)."""
        return b"x-amz-target" in self.head.lower() or self.service == "ebs"


def refusal(request: Request, trouble: Trouble) -> bytes:
    """The whole HTTP response with which the service of the request says what is wrong."""
    status, code = CODES[trouble].get(request.service, USUAL[trouble])
    text = "injected"
    if request.is_json:
        kind, body = "application/x-amz-json-1.1", json.dumps({"__type": code, "message": text})
    elif request.service == "s3":
        kind, body = "application/xml", f"<Error><Code>{code}</Code><Message>{text}</Message></Error>"
    elif request.service == "ec2":
        error = f"<Error><Code>{code}</Code><Message>{text}</Message></Error>"
        kind, body = "text/xml", f"<Response><Errors>{error}</Errors><RequestID>x</RequestID></Response>"
    else:
        error = f"<Error><Type>Sender</Type><Code>{code}</Code><Message>{text}</Message></Error>"
        kind, body = "text/xml", f"<ErrorResponse>{error}<RequestId>x</RequestId></ErrorResponse>"
    if request.method == b"HEAD":
        body = ""
    return (
        f"HTTP/1.1 {status} injected\r\ncontent-type: {kind}\r\nx-amzn-errortype: {code}\r\n"
        f"content-length: {len(body)}\r\n\r\n{body}"
    ).encode()


class Proxy:
    """Relays requests to one target and spoils a share of them."""

    def __init__(
        self, upstream: tuple[str, int], ca: Path, trouble: list[Trouble], share: float, seed: int
    ) -> None:
        self.upstream = upstream
        self.trust = ssl.create_default_context(cafile=str(ca))
        self.trouble = trouble
        self.share = share
        self.spoiled = 0
        self.dice = random.Random(seed)  # noqa: S311  # luck for a test, not a secret

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection, until either side ends it or it breaks."""
        upstream = _Upstream(self.upstream, self.trust)
        try:
            while request := await _read_request(reader, writer):
                answer = await self._answer(request, upstream)
                if answer is None:
                    break
                writer.write(answer)
                await writer.drain()
        finally:
            writer.close()
            upstream.close()

    async def _answer(self, request: Request, upstream: _Upstream) -> bytes | None:
        """The response to a request; None: the connection breaks."""
        if request.head.startswith(COUNT):
            return b"HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\n%8d" % self.spoiled
        drawn = self.dice.choice(self.trouble) if self.dice.random() < self.share else None
        self.spoiled += drawn is not None
        if drawn is Trouble.SLOW:
            await asyncio.sleep(SLOW_SECONDS)
        if drawn is Trouble.TIMEOUT:
            await asyncio.sleep(HANG_SECONDS)
        if drawn in (Trouble.TIMEOUT, Trouble.RESET):
            return None
        if drawn in CODES:
            return refusal(request, drawn)
        answer = await upstream.ask(request)
        return None if drawn is Trouble.LOST_ANSWER else answer


class _Upstream:
    """The connection to the target, made when it is first needed."""

    def __init__(self, place: tuple[str, int], trust: ssl.SSLContext) -> None:
        self.place = place
        self.trust = trust
        self.streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, request: Request) -> bytes:
        if self.streams is None:
            self.streams = await asyncio.open_connection(*self.place, ssl=self.trust, limit=2**24)
        reader, writer = self.streams
        writer.write(request.head + b"\r\n\r\n" + request.body)
        await writer.drain()
        return await _read_response(reader, request.method)

    def close(self) -> None:
        if self.streams:
            self.streams[1].close()


async def _read_head(reader: asyncio.StreamReader) -> bytes:
    with suppress(asyncio.IncompleteReadError, ConnectionError, ssl.SSLError):
        return (await reader.readuntil(b"\r\n\r\n"))[:-4]
    return b""


def _header(head: bytes, name: bytes) -> bytes:
    for line in head.split(b"\r\n")[1:]:
        key, _, value = line.partition(b":")
        if key.strip().lower() == name:
            return value.strip()
    return b""


async def _read_body(reader: asyncio.StreamReader, head: bytes) -> bytes:
    if b"chunked" in _header(head, b"transfer-encoding"):
        parts = []
        while True:
            line = await reader.readuntil(b"\r\n")
            parts.append(line)
            size = int(line.split(b";")[0], 16)
            parts.append(await reader.readexactly(size + 2))
            if not size:
                return b"".join(parts)
    return await reader.readexactly(int(_header(head, b"content-length") or 0))


async def _read_request(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Request | None:
    head = await _read_head(reader)
    if not head:
        return None
    if _header(head, b"expect"):
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        await writer.drain()
    first, *lines = head.split(b"\r\n")
    kept = [line for line in lines if line.partition(b":")[0].strip().lower() not in IGNORED]
    return Request(first.split(b" ")[0], b"\r\n".join([first, *kept]), await _read_body(reader, head))


async def _read_response(reader: asyncio.StreamReader, method: bytes) -> bytes:
    head = await _read_head(reader)
    if not head:
        raise ConnectionResetError("the target hung up")
    status = int(head.split(b" ")[1])
    bodiless = method == b"HEAD" or status in (204, 304)
    return head + b"\r\n\r\n" + (b"" if bodiless else await _read_body(reader, head))


@dataclass(frozen=True, slots=True)
class Spoiled:
    """A target behind the proxy.

    Attributes:
        target: through the proxy. Plain HTTP goes past it.
    """

    target: Target

    def count(self) -> int:
        """How many requests have been spoiled."""
        assert self.target.endpoint_url
        trust = ssl.create_default_context(cafile=str(self.target.ca_bundle))
        with urlopen(f"{self.target.endpoint_url}/spoiled", context=trust) as answer:  # noqa: S310  # https
            return int(answer.read())


@contextmanager
def spoiled(target: Target, share: float, *trouble: Trouble, seed: int = 1) -> Iterator[Spoiled]:
    """Put a proxy before a local target.

    Args:
        target: of the local engine.
        share: of the requests that are spoiled, 0 to 1.
        trouble: what happens to them, drawn evenly.
        seed: of the draw.
    """
    assert target.endpoint_url
    assert target.ca_bundle
    folder = target.ca_bundle.parent
    command = [
        sys.executable,
        "-m",
        "tests.stress.proxy",
        target.endpoint_url,
        str(folder),
        str(share),
        str(seed),
    ]
    root = Path(__file__).parents[2]
    with subprocess.Popen([*command, *trouble], cwd=root, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603  # our own module
        try:
            assert process.stdout
            port = int(process.stdout.readline())
            yield Spoiled(replace(target, endpoint_url=f"https://127.0.0.1:{port}"))
        finally:
            process.kill()


async def _main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("folder", type=Path)
    parser.add_argument("share", type=float)
    parser.add_argument("seed", type=int)
    parser.add_argument("trouble", type=Trouble, nargs="*")
    given = parser.parse_args()
    host, port = given.url.removeprefix("https://").split(":")
    proxy = Proxy((host, int(port)), given.folder / "ca.pem", given.trouble, given.share, given.seed)
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(given.folder / "server.pem", given.folder / "server-key.pem")

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, ssl.SSLError, asyncio.IncompleteReadError):
            await proxy.serve(reader, writer)

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls, limit=2**24)
    print(server.sockets[0].getsockname()[1], flush=True)  # noqa: T201  # how the test learns the port
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_main())
