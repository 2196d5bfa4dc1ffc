"""What a trail may be called, and how CloudTrail says that there is none.

CloudTrail API Reference, "CreateTrail", Name; the sentences as moto's test suite and users report them (read
2026-11-22). Every refusal of CloudTrail has the status 400.
"""

from __future__ import annotations

import json
import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from ministack.core.responses import get_account_id
from ministack.services import cloudtrail

from kmslab.engine.hooks import extend

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

SHORTEST, LONGEST = 3, 128
ADDRESS = re.compile(r"\d+\.\d+\.\d+\.\d+")
NAMED_AS_GIVEN = "GetTrail"
"""The operation that names an unknown trail as the request does; the others tell its ARN."""


def refusal(name: str) -> Any:
    """CloudTrail's answer to a name that no trail may have; None when it may."""
    why = ""
    if len(name) < SHORTEST:
        why = f"Trail name too short. Minimum allowed length: {SHORTEST} characters. {_length(name)}"
    elif len(name) > LONGEST:
        why = f"Trail name too long. Maximum allowed length: {LONGEST} characters. {_length(name)}"
    elif not re.match(r"[0-9a-zA-Z]", name):
        why = "Trail name must starts with a letter or number."
    elif not re.match(r"[0-9a-zA-Z]", name[-1]):
        why = "Trail name must ends with a letter or number."
    elif not re.fullmatch(r"[-._0-9a-zA-Z]+", name):
        why = (
            "Trail name or ARN can only contain uppercase letters, lowercase letters, numbers, periods (.), "
            "hyphens (-), and underscores (_)."
        )
    elif re.search(r"[-._]{2}", name):
        why = "Trail name cannot contain adjacent periods (.), hyphens (-), or underscores (_)."
    elif ADDRESS.fullmatch(name):
        why = "Trail name cannot be in the format of an IP address."
    return cloudtrail._err("InvalidTrailNameException", why) if why else None


def _length(name: str) -> str:
    return f"Specified name length: {len(name)} characters."


async def _handle_request(
    stock: Callable[..., Any],
    method: str,
    path: str,
    headers: Mapping[str, str],
    body_bytes: bytes,
    query_params: Mapping[str, Any],
) -> Any:
    """Refuse a name that cannot be, and tell what MiniStack refuses as CloudTrail does."""
    operation, asked = headers.get("x-amz-target", "").rpartition(".")[2], _members(body_bytes)
    name = str(asked.get("Name", asked.get("TrailName")) or "").strip()
    if name and not name.startswith("arn:") and operation != "CreateTrail" and (refused := refusal(name)):
        return refused
    status, answer_headers, content = await stock(method, path, headers, body_bytes, query_params)
    if status < HTTPStatus.BAD_REQUEST:
        return status, answer_headers, content
    error = json.loads(content)
    code, message = error["__type"], error["message"]
    if code == "TrailNotFoundException":
        named = (
            name if name.startswith("arn:") or operation == NAMED_AS_GIVEN else cloudtrail._trail_arn(name)
        )
        message = f"Unknown trail: {named} for the user: {get_account_id()}"
    elif code == "TrailAlreadyExistsException":
        message = f"Trail {name.rpartition('/')[2]} already exists for customer: {get_account_id()}"
    return cloudtrail._err(code, message)


def _members(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body or b"{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def install() -> None:
    """Come before every operation, and after it."""
    extend(cloudtrail, "handle_request", "method", "path", "headers", "body_bytes", "query_params")(
        _handle_request
    )
