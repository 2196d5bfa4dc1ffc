"""boto3 clients for probes: any credentials, nothing tried twice, nothing validated before it is sent.

`kmslab.lab.Access` makes patient clients for the lab's personas. A probe wants to see what the target itself
answers to a wrong request, and at once.
"""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from kmslab import sessions
from kmslab.probe.model import CouldNotLook

if TYPE_CHECKING:
    from kmslab.model.target import Credentials, Target

CONNECT_SECONDS = 3
READ_SECONDS = 12
"""How long one call may take. An emulator that hangs is told from one that makes an RSA key of 4,096 bits."""
CONNECTIONS = 32


class Clients:
    """Clients of one target, each made once and shared; thread-safe."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self._lock = threading.Lock()
        self._made: dict[Any, Any] = {}
        self._sessions: dict[Credentials | None, Any] = {}
        self._connections: dict[bool, Any] = {}
        self._loader: Any = None

    def get(
        self, service: str, credentials: Credentials | None, *, region: str = "", plain_http: bool = False
    ) -> Any:
        """Return a client.

        Args:
            service: botocore's name.
            credentials: whose; None for boto3's default chain.
            region: another Region than the target's.
            plain_http: without TLS.

        Raises:
            CouldNotLook: the target has no endpoint without TLS.
        """
        key = (service, credentials, region or self.target.region, plain_http)
        found = self._made.get(key)
        if found is None:
            with self._lock:  # a boto3 session is not thread-safe while it makes a client
                found = self._made.get(key) or self._make(*key)
                self._made[key] = found
        return found

    def _make(self, service: str, credentials: Credentials | None, region: str, plain_http: bool) -> Any:
        from botocore.loaders import create_loader

        target = self.target
        if plain_http and not target.plain_http_url:
            raise CouldNotLook("this target has no plain HTTP endpoint that is known")
        self._loader = self._loader or create_loader()
        if credentials not in self._sessions:
            given = credentials and replace(credentials)
            self._sessions[credentials] = sessions.as_operator(self._loader, target.region, given)
        client = self._sessions[credentials].client(
            service,
            region_name=region,
            endpoint_url=target.plain_http_url if plain_http else target.endpoint_url,
            verify=str(target.ca_bundle) if target.ca_bundle else None,
            config=self._config(service),
        )
        # All services answer at one host: its connections are shared, each costs a TLS handshake.
        endpoint = client._endpoint  # botocore has no parameter for it
        endpoint.http_session = self._connections.setdefault(plain_http, endpoint.http_session)
        return client

    def _config(self, service: str) -> Any:
        from botocore.config import Config

        return Config(
            retries={"total_max_attempts": 1},
            connect_timeout=CONNECT_SECONDS,
            read_timeout=READ_SECONDS,
            max_pool_connections=CONNECTIONS,
            signature_version="s3v4" if service == "s3" else None,
            user_agent="kmslab",
            parameter_validation=False,
            s3={"addressing_style": "path"},
        )
