"""HTTP as every SDK speaks it to a JSON or query service: a short POST to ``/``, answered at once and whole.

Hypercorn takes any request there is, which costs more than all that KMS does for it. What is read here leaves no
room for a second opinion: a head in one piece, each header once, a body of the length that is named. Everything
else is left to Hypercorn, and so is every refusal.
"""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, MutableMapping

    Message = MutableMapping[str, Any]

_FIELDS = rb"(?:[!#$%&'*+.^_`|~0-9A-Za-z-]+:[^\x00-\x08\x0a-\x1f\x7f]*\r\n)+"
"""RFC 9110, 5.1 and 5.5: names are tokens, values are visible."""
_REQUEST = re.compile(rb"POST / HTTP/1\.1\r\n(" + _FIELDS + rb")\r\n")
_BREAK = re.compile(rb"[\r\n\0]")
_LONGEST = 5
"""Digits of a length: longer bodies are better read as they come."""
_ELSEWHERE = frozenset({b"expect", b"te", b"trailer", b"transfer-encoding", b"upgrade"})
"""Headers that change how a request or its answer is sent."""
_KEPT = b"keep-alive"
_HELD_OPEN = b"Logs_20140328.StartLiveTail"
"""The one operation whose answer has no end."""
_PHRASES = {status.value: status.phrase.encode() for status in HTTPStatus}

Headers = list[tuple[bytes, bytes]]


def begun(data: bytes) -> tuple[Headers, int, int] | None:
    """What was read where a request begins: headers, names in lower case; where the body begins, and where it ends.

    None when the request is Hypercorn's.
    """
    head = _REQUEST.match(data)
    if head is None:
        return None
    lines = (line.partition(b":") for line in head[1].split(b"\r\n") if line)
    headers = [(name.lower(), value.strip(b" \t")) for name, _, value in lines]
    given = dict(headers)
    length = given.get(b"content-length", b"")
    if (
        len(given) < len(headers)
        or b"host" not in given
        or given.get(b"connection", _KEPT).lower() != _KEPT
        or not given.keys().isdisjoint(_ELSEWHERE)
        or given.get(b"x-amz-target") == _HELD_OPEN
        or not length.isdigit()
        or len(length) > _LONGEST
    ):
        return None
    return headers, head.end(), head.end() + int(length)


class Exchange:
    """One whole request and its answer, as ASGI sees them."""

    def __init__(
        self, headers: Headers, body: bytes, write: Callable[[bytes], None], **connection: Any
    ) -> None:
        """Begin.

        Args:
            headers: as `begun` returned them.
            body: of the request.
            write: takes the answer.
            connection: ``scheme``, ``client`` and ``server`` of the scope.
        """
        self._body, self._write = body, write
        self._start: Message = {}
        self._parts: list[bytes] = []
        self.answered = False
        self.scope: Message = {
            "type": "http",
            "http_version": "1.1",
            "asgi": {"spec_version": "2.1", "version": "3.0"},
            "method": "POST",
            "path": "/",
            "raw_path": b"/",
            "query_string": b"",
            "root_path": "",
            "headers": headers,
            "extensions": {},
            **connection,
        }

    async def receive(self) -> Message:
        """The whole body; a second call is told that there is nothing more to come."""
        body, self._body = self._body, b""
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(self, message: Message) -> None:
        """Write the answer once it is complete."""
        if message["type"] == "http.response.start":
            self._start = message
            return
        self._parts.append(message.get("body", b""))
        if not message.get("more_body", False):
            self.answer(self._start["status"], self._start["headers"], b"".join(self._parts))

    def answer(self, status: int, headers: Headers, body: bytes) -> None:
        """Write an answer.

        Raises:
            ValueError: a header would be more than one line.
        """
        if _BREAK.search(b"".join([name + value for name, value in headers])):
            raise ValueError("a header of an answer is not one line")
        fields = b"".join(
            [b"%b: %b\r\n" % header for header in headers if header[0].lower() != b"content-length"]
        )
        line = b"HTTP/1.1 %d %b\r\n" % (status, _PHRASES.get(status, b""))
        self._write(b"%b%bcontent-length: %d\r\n\r\n%b" % (line, fields, len(body), body))
        self.answered = True
