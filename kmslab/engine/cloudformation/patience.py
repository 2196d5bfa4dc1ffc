"""The CDK CLI looks at a stack every five seconds; an answer that waits for the stack saves the rest of them.

Only the CLI's own question is answered late, and kmslab's, which deploys a class without the CLI: everybody else
sees a stack in progress as it is.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from ministack.services import cloudformation
from ministack.services.cloudformation import handlers

from kmslab.engine.hooks import extend

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

CLIENTS = ("aws-cdk", "kmslab")
"""In the User-Agent of the CLI, and of kmslab."""
SECONDS = 4.0
"""Less than the CLI's own interval, so that it never waits longer than without this."""
INTERVAL = 0.02


def _stack_asked_for(headers: Mapping[str, str], body: bytes) -> str:
    """The stack that somebody waits for; empty for every other request."""
    agent = headers.get("user-agent", "")
    if not any(client in agent for client in CLIENTS) or b"Action=DescribeStacks" not in body:
        return ""
    return parse_qs(body.decode()).get("StackName", [""])[0]


def _in_progress(stack_name: str) -> bool:
    status = str((handlers._resolve_stack(stack_name) or {}).get("StackStatus", ""))
    return status.endswith("_IN_PROGRESS") and status != "REVIEW_IN_PROGRESS"


async def settled(stack_name: str) -> None:
    """Return when the stack is no longer being worked on, or after `SECONDS`."""
    deadline = asyncio.get_running_loop().time() + SECONDS
    while _in_progress(stack_name) and asyncio.get_running_loop().time() < deadline:
        await asyncio.sleep(INTERVAL)


def install() -> None:
    """Answer the CLI when there is something to say."""

    @extend(cloudformation, "handle_request", "method", "path", "headers", "body", "query_params")
    async def handle_request(
        stock: Callable[..., Any],
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: bytes,
        query_params: Mapping[str, Any],
    ) -> Any:
        """Let whoever deploys wait for a stack until it has settled."""
        if stack_name := _stack_asked_for(headers, body):
            await settled(stack_name)
        return await stock(method, path, headers, body, query_params)
