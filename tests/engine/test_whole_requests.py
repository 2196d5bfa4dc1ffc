"""Short requests are read without Hypercorn, and only where nobody could read them otherwise."""

from __future__ import annotations

import asyncio
import json
import socket
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from kmslab.engine import whole_requests
from tests.engine.fuzz.wire import JSON_TYPE, SECONDS, Wire

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.engine.conftest import Engine

GOOD = ("Host: x", "X-Amz-Target: TrentService.ListKeys", "Content-Length: 2")


def head(*lines: str, first: str = "POST / HTTP/1.1") -> bytes:
    return "\r\n".join([first, *lines]).encode("latin-1") + b"\r\n\r\n"


def test_a_request_as_an_sdk_sends_it_is_read() -> None:
    data = head(*GOOD, "Connection: Keep-Alive", "User-Agent: \tBoto3 (x; y) ") + b"{}"
    headers, start, end = whole_requests.begun(data) or pytest.fail("left to Hypercorn")
    assert data[start:end] == b"{}"
    assert dict(headers) == {
        b"host": b"x",
        b"x-amz-target": b"TrentService.ListKeys",
        b"content-length": b"2",
        b"connection": b"Keep-Alive",
        b"user-agent": b"Boto3 (x; y)",
    }


def test_a_body_may_follow_its_head() -> None:
    data = head(*GOOD)
    found = whole_requests.begun(data)
    assert found is not None
    assert found[1:] == (len(data), len(data) + 2)


@pytest.mark.parametrize(
    "data",
    [
        head(*GOOD)[:-2],
        head(*GOOD, first="GET / HTTP/1.1"),
        head(*GOOD, first="POST /x HTTP/1.1"),
        head(*GOOD, first="POST / HTTP/1.0"),
        head(*GOOD[1:]),
        head(*GOOD[:2]),
        head(*GOOD, "Content-Length: 2"),
        head(*GOOD, "X-A: 1", "x-a: 2"),
        head(*GOOD, " folded"),
        head(*GOOD, "X-A : 1"),
        head(*GOOD, "X-A: \0"),
        head(*GOOD, "X-A"),
        head(*GOOD, "Transfer-Encoding: chunked"),
        head(*GOOD, "Expect: 100-continue"),
        head(*GOOD, "Connection: close"),
        head(*GOOD[:2], "Content-Length: -2"),
        head(*GOOD[:2], "Content-Length: +2"),
        head(*GOOD[:2], "Content-Length: 999999"),
        head("Host: x", "X-Amz-Target: Logs_20140328.StartLiveTail", "Content-Length: 2"),
        head(*GOOD).replace(b"\r\n", b"\n"),
    ],
)
def test_everything_else_is_hypercorns(data: bytes) -> None:
    assert whole_requests.begun(data + b"{}") is None


def answered(*messages: dict[str, Any]) -> bytes:
    written: list[bytes] = []
    exchange = whole_requests.Exchange([], b"", written.append)

    async def send() -> None:
        for message in messages:
            await exchange.send(message)

    asyncio.run(send())
    return b"".join(written)


def test_an_answer_is_written_whole_with_its_own_length() -> None:
    start = {
        "type": "http.response.start",
        "status": 403,
        "headers": [(b"X-A", b"1"), (b"Content-Length", b"9")],
    }
    first, last = {"body": b"ab", "more_body": True}, {"body": b"cd"}
    parts = [{"type": "http.response.body", **one} for one in (first, last)]
    assert answered(start, *parts) == b"HTTP/1.1 403 Forbidden\r\nX-A: 1\r\ncontent-length: 4\r\n\r\nabcd"


def test_a_header_of_an_answer_cannot_bring_another() -> None:
    start = {"type": "http.response.start", "status": 200, "headers": [(b"X-A", b"1\r\nX-B: 2")]}
    with pytest.raises(ValueError, match="one line"):
        answered(start, {"type": "http.response.body", "body": b""})


@pytest.fixture
def connection(engine: Engine) -> Iterator[socket.socket]:
    host, port = urlsplit(engine.info.plain_http_url).netloc.split(":")
    with socket.create_connection((host, int(port)), timeout=SECONDS) as one:
        yield one


def signed(engine: Engine, operation: str, members: dict[str, Any], *more: str) -> bytes:
    body = json.dumps(members).encode()
    given = {"X-Amz-Target": f"TrentService.{operation}", "Content-Type": JSON_TYPE}
    headers = Wire(engine).signed("kms", engine.administrator, headers=given, body=body)
    lines = [f"{name}: {value}" for name, value in headers.items()]
    return head(*lines, *more, f"Content-Length: {len(body)}") + body


def answer(connection: socket.socket) -> tuple[int, dict[str, Any]]:
    """Read one answer, and nothing of the next: its status and members."""
    top, body = b"", b""
    while not top.endswith(b"\r\n\r\n"):
        top += connection.recv(1) or pytest.fail(f"the connection ended: {top!r}")
    fields = dict(line.lower().split(b": ", 1) for line in top.split(b"\r\n")[1:-2])
    while missing := int(fields[b"content-length"]) - len(body):
        body += connection.recv(missing) or pytest.fail(f"the connection ended: {body!r}")
    members: dict[str, Any] = json.loads(body)
    return int(top.split(b" ")[1]), members


def test_requests_of_both_kinds_share_a_connection(engine: Engine, connection: socket.socket) -> None:
    """Ours and Hypercorn's in turn, a head and a body apart, two at once: each is answered, in its order."""
    ours = signed(engine, "ListKeys", {"Limit": 1})
    hypercorns = signed(engine, "GenerateRandom", {"NumberOfBytes": 8}, "TE: trailers")
    for _ in range(2):
        for request, member in ((ours, "Keys"), (hypercorns, "Plaintext"), (ours, "Keys")):
            connection.sendall(request)
            status, members = answer(connection)
            assert (status, member in members) == (200, True)
    middle = ours.index(b"\r\n\r\n") + 4
    connection.sendall(ours[:middle])
    connection.sendall(ours[middle:])
    assert answer(connection)[0] == 200
    connection.sendall(ours + hypercorns)
    assert "Keys" in answer(connection)[1]
    assert "Plaintext" in answer(connection)[1]


def test_a_request_does_not_inherit_who_asked_before_it(engine: Engine, connection: socket.socket) -> None:
    connection.sendall(signed(engine, "ListKeys", {}))
    assert answer(connection)[0] == 200
    unsigned = (
        "Host: x",
        "X-Amz-Target: TrentService.ListKeys",
        f"Content-Type: {JSON_TYPE}",
        "Content-Length: 2",
    )
    connection.sendall(head(*unsigned) + b"{}")
    status, members = answer(connection)
    assert (status, members["__type"]) == (400, "MissingAuthenticationTokenException")


def test_kms_decorates_its_answers_as_aws_does(engine: Engine, connection: socket.socket) -> None:
    for signer in (signed(engine, "ListKeys", {}), signed(engine, "DescribeKey", {"KeyId": "nobody"})):
        connection.sendall(signer)
        data = connection.recv(65536)
        names = sorted(line.split(b":")[0].lower() for line in data.split(b"\r\n\r\n")[0].split(b"\r\n")[1:])
        assert names == [
            *(b"cache-control", b"content-length", b"content-type", b"date", b"expires", b"pragma"),
            b"x-amzn-requestid",
        ]
