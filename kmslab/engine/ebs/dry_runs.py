"""DryRun: EC2 says whether it would, and does nothing; MiniStack does it.

EC2 API Reference, "Common query parameters", DryRun, and "Error codes": who may not is refused before
(UnauthorizedOperation), who may is told DryRunOperation. Message and status as users report them.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from ministack.services import ec2

from kmslab.engine.hooks import extend

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

WOULD_HAVE = "Request would have succeeded, but DryRun flag is set."


async def _handle_request(
    stock: Callable[..., Any],
    method: str,
    path: str,
    headers: Mapping[str, str],
    body: bytes,
    query_params: Mapping[str, Any],
) -> Any:
    """Answer a dry run of an operation that there is."""
    if "DryRun" in query_params or b"DryRun" in (body or b""):
        given = {**query_params, **parse_qs((body or b"").decode(errors="replace"))}
        if ec2._p(given, "DryRun").lower() == "true" and ec2._p(given, "Action") in ec2._ACTION_MAP:
            return ec2._error("DryRunOperation", WOULD_HAVE, HTTPStatus.PRECONDITION_FAILED.value)
    return await stock(method, path, headers, body, query_params)


def install() -> None:
    """Come before every operation of EC2."""
    extend(ec2, "handle_request", "method", "path", "headers", "body", "query_params")(_handle_request)
