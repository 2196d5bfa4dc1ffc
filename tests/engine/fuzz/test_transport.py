"""HTTP that no SDK sends: other methods and types, huge headers, bodies that are slow, cut short or in bad chunks."""

from __future__ import annotations

import contextlib
import socket
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from tests.engine.fuzz.wire import JSON_TYPE, SECONDS

if TYPE_CHECKING:
    from tests.engine.conftest import Engine
    from tests.engine.fuzz.wire import Wire

LIST_KEYS = {"X-Amz-Target": "TrentService.ListKeys", "Content-Type": JSON_TYPE}


def alive(wire: Wire, target: Engine) -> bool:
    """Whether the engine still answers a good request."""
    return wire.call(target.administrator, "TrentService.ListKeys", b"{}").status == 200


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "FOO"])
def test_kms_knows_no_other_method(wire: Wire, target: Engine, method: str) -> None:
    headers = wire.signed("kms", target.administrator, method, "/", LIST_KEYS, b"{}")
    answer = wire.send(method, "/", headers, b"{}")
    assert (answer.status, answer.code) == (400, "UnknownOperationException")


@pytest.mark.parametrize("kind", ["", "text/plain", "application/json", "application/x-www-form-urlencoded"])
def test_kms_knows_no_other_content_type(wire: Wire, target: Engine, kind: str) -> None:
    given = {**LIST_KEYS, "Content-Type": kind}
    answer = wire.send(
        "POST", "/", wire.signed("kms", target.administrator, headers=given, body=b"{}"), b"{}"
    )
    assert (answer.status, answer.code) == (400, "UnknownOperationException")


@pytest.mark.parametrize(
    "name", ["TrentService.Nope", "TrentService.", "TrentService", "Nope.ListKeys", "", "x" * 9000]
)
def test_an_unknown_target_is_an_unknown_operation(wire: Wire, target: Engine, name: str) -> None:
    answer = wire.call(target.administrator, name, b"{}")
    assert (answer.status, answer.code) == (400, "UnknownOperationException")


def test_another_path_is_an_unknown_operation(wire: Wire, target: Engine) -> None:
    headers = wire.signed("kms", target.administrator, "POST", "/keys", LIST_KEYS, b"{}")
    answer = wire.send("POST", "/keys", headers, b"{}")
    assert (answer.status, answer.code) == (400, "UnknownOperationException")


def test_answers_of_the_json_protocol_carry_nothing_of_s3_or_a_browser(wire: Wire, target: Engine) -> None:
    for name in ("TrentService.ListKeys", "TrentService.Nope"):
        answer = wire.call(target.administrator, name, b"{}")
        assert not [
            h
            for h in answer.headers
            if h.startswith("access-control-") or h in ("x-amz-id-2", "x-amz-request-id")
        ]
        assert answer.headers["x-amzn-requestid"]


def raw(target: Engine, data: bytes) -> bytes:
    """Send bytes in two parts and return what comes back before the connection ends."""
    host, port = urlsplit(target.info.plain_http_url).netloc.split(":")
    with socket.create_connection((host, int(port)), timeout=SECONDS) as connection:
        middle = len(data) // 2
        connection.sendall(data[:middle])
        received = b""
        # The engine may hang up as soon as it has seen enough.
        with contextlib.suppress(ConnectionError):
            connection.sendall(data[middle:])
            with contextlib.suppress(OSError):  # ENOTCONN: it has
                connection.shutdown(socket.SHUT_WR)
            while part := connection.recv(65536):
                received += part
        return received


def head(*lines: str) -> bytes:
    names = [
        "POST / HTTP/1.1",
        "Host: x",
        "Connection: close",
        *(f"{k}: {v}" for k, v in LIST_KEYS.items()),
        *lines,
    ]
    return "\r\n".join(names).encode() + b"\r\n\r\n"


GARBAGE = {
    "no http at all": b"\x16\x03\x01\x00\x05hello\r\n\r\n",
    "no version": b"GET /\r\n\r\n",
    "huge header": head("X-Big: " + "a" * 100_000),
    "many headers": head(*(f"X-{n}: {n}" for n in range(5000))),
    "bad chunks": head("Transfer-Encoding: chunked") + b"zz\r\nnope\r\n0\r\n\r\n",
    "chunk of a wrong length": head("Transfer-Encoding: chunked") + b"5\r\n{}\r\n0\r\n\r\n",
    "huge chunk length": head("Transfer-Encoding: chunked") + b"f" * 40 + b"\r\n{}",
    "body cut short": head("Content-Length: 1000") + b"{}",
    "negative length": head("Content-Length: -1") + b"{}",
    "two lengths": head("Content-Length: 2", "Content-Length: 3") + b"{}x",
    "length and chunks": head("Content-Length: 2", "Transfer-Encoding: chunked") + b"2\r\n{}\r\n0\r\n\r\n",
    "no end of line": b"POST / HTTP/1.1",
    "zero bytes": head("X-Zero: \0") + b"{}",
    "unknown encoding": head("Content-Encoding: gzip", "Content-Length: 2") + b"{}",
    "bad path": b"POST /%zz%ff%00?%ff=%fe HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
    "bad query": b"GET /?\xff\xfe=1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
}


@pytest.mark.parametrize("kind", GARBAGE)
def test_garbage_is_refused_and_the_engine_lives(wire: Wire, target: Engine, kind: str) -> None:
    answer = raw(target, GARBAGE[kind])
    assert not answer or answer.startswith(b"HTTP/1.1 4"), answer[:300]
    assert b"Traceback" not in answer
    assert alive(wire, target)


def test_a_slow_body_holds_up_nobody(wire: Wire, target: Engine) -> None:
    body = b'{"Limit": 1}'
    headers = wire.signed("kms", target.administrator, headers=LIST_KEYS, body=body)
    lines = [f"{name}: {value}" for name, value in headers.items()]
    request = "\r\n".join(["POST / HTTP/1.1", *lines, "Connection: close", f"Content-Length: {len(body)}"])
    host, port = urlsplit(target.info.plain_http_url).netloc.split(":")
    with socket.create_connection((host, int(port)), timeout=SECONDS) as slow:
        slow.sendall(request.encode() + b"\r\n\r\n" + body[:3])
        assert all(alive(wire, target) for _ in range(5))
        for byte in body[3:]:
            slow.sendall(bytes([byte]))
        assert slow.recv(65536).startswith(b"HTTP/1.1 200")


def test_a_client_that_leaves_in_the_midst_is_forgotten(wire: Wire, target: Engine) -> None:
    host, port = urlsplit(target.info.plain_http_url).netloc.split(":")
    for _ in range(20):
        with socket.create_connection((host, int(port)), timeout=SECONDS) as leaving:
            leaving.sendall(head("Content-Length: 100000") + b"{")
    assert alive(wire, target)
