"""Where the lab lives: AWS, the local engine, or another endpoint."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


class TargetKind(StrEnum):
    """The kinds of target that ``--target`` and ``--endpoint-url`` choose between."""

    AWS = "aws"
    LOCAL = "local"
    ENDPOINT = "endpoint"


@dataclass(frozen=True, slots=True)
class Credentials:
    """Credentials in memory; never written, never printed."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Target:
    """One place where the lab can be deployed.

    Attributes:
        kind: AWS, local engine or another endpoint.
        region: the Region, as AWS spells it (``eu-central-1``).
        endpoint_url: None on AWS; else the TLS endpoint of every service.
        plain_http_url: the same target without TLS, where it answers so; None: derive AWS's own.
        ca_bundle: the CA that signed the endpoint's certificate; None for the machine's own.
        credentials: the operator's; None: boto3's default chain.
        settle_seconds: how long its changes of permissions may take to count, where that is not of its kind: a
            local engine that plays eventual consistency.
    """

    kind: TargetKind
    region: str
    endpoint_url: str | None = None
    plain_http_url: str | None = None
    ca_bundle: Path | None = None
    credentials: Credentials | None = None
    settle_seconds: float = 0.0
