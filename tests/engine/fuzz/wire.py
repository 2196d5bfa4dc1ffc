"""Requests as bytes on a socket, signed or not, right or wrong: what no SDK would send."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from unittest import mock
from urllib.parse import urlsplit

from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as SigningKey

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kmslab.model.target import Credentials
    from tests.engine.conftest import Engine

SECONDS = 15.0
"""Longer than any answer takes: more is a hang."""
JSON_TYPE = "application/x-amz-json-1.1"


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def members(self) -> dict[str, Any]:
        """The body of an answer in JSON."""
        found: dict[str, Any] = json.loads(self.body)
        return found

    @property
    def code(self) -> str:
        """The error code of an answer in JSON; empty for a success."""
        return str(self.members.get("__type", "")).rpartition("#")[2]


class Wire:
    """One connection to the engine's plain HTTP port, opened again whenever the engine closed it."""

    def __init__(self, engine: Engine) -> None:
        self.host = urlsplit(engine.info.plain_http_url).netloc
        self.region = engine.region
        self._connection = self._open()

    def _open(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(self.host, timeout=SECONDS)

    def send(self, method: str, path: str, headers: Mapping[str, str], body: bytes = b"") -> Answer:
        """Send exactly these headers, `Content-Length` and nothing else."""
        with contextlib.suppress(http.client.HTTPException, ConnectionError):
            return self._send(method, path, headers, body)
        self._connection.close()
        self._connection = self._open()
        return self._send(method, path, headers, body)

    def _send(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        self._connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        for name, value in headers.items():
            self._connection.putheader(name, value)
        self._connection.putheader("Content-Length", str(len(body)))
        self._connection.endheaders(body)
        response = self._connection.getresponse()
        return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())

    def signed(
        self,
        service: str,
        who: Credentials,
        method: str = "POST",
        path: str = "/",
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        *,
        ahead: float = 0.0,
    ) -> dict[str, str]:
        """The headers of a rightly signed request.

        Args:
            service: of the credential scope.
            who: signs.
            method: of HTTP.
            path: with its query.
            headers: to be signed too.
            body: of the request.
            ahead: how many seconds the signer's clock is ahead.
        """
        request = AWSRequest(
            method, f"http://{self.host}{path}", {"Host": self.host, **(headers or {})}, body
        )
        key = SigningKey(who.access_key_id, who.secret_access_key, who.session_token or None)
        if service == "s3":
            request.headers["X-Amz-Content-SHA256"] = hashlib.sha256(body).hexdigest()
        kind = S3SigV4Auth if service == "s3" else SigV4Auth
        now = datetime.now(UTC).replace(tzinfo=None) + timedelta(seconds=ahead)
        with mock.patch("botocore.auth.get_current_datetime", return_value=now):
            kind(key, service, self.region).add_auth(request)
        return dict(request.headers.items())

    def call(self, who: Credentials, target: str, body: bytes, service: str = "kms") -> Answer:
        """A rightly signed call of the JSON protocol."""
        headers = {"X-Amz-Target": target, "Content-Type": JSON_TYPE}
        return self.send("POST", "/", self.signed(service, who, headers=headers, body=body), body)
