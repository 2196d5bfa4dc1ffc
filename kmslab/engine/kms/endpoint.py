"""KMS requests on a way of their own: who asks, and then the KMS service, without looking for another one.

MiniStack would first ask two dozen of its services whether a request is theirs, and decorate the answer for
browsers. What it does for a KMS request, in its words, is here: account and Region, signature, answer.
"""

from __future__ import annotations

import json
import time
import uuid
from email.utils import formatdate
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from ministack import app
from ministack.core import iam_evaluator, responses, router
from ministack.core.sigv4 import decode_header_value

from kmslab.engine.authorization.caller import CALLER, REQUEST_ID
from kmslab.engine.kms import service

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, MutableMapping

    Message = MutableMapping[str, Any]
    Answer = tuple[int, dict[str, str], bytes]

_TARGET = b"TrentService."
_SIGNATURE = b"AWS4-HMAC-SHA256 "
_ENCODED = frozenset({b"content-encoding", b"x-amz-decoded-content-length"})


def serves(scope: Mapping[str, Any]) -> bool:
    """Whether a request is one of KMS as its SDKs send it: signed in its headers, each of which is there once.

    Args:
        scope: of ASGI.
    """
    given = dict(scope["headers"])
    return (
        given.get(b"x-amz-target", b"").startswith(_TARGET)
        and given.get(b"authorization", b"").startswith(_SIGNATURE)
        and len(given) == len(scope["headers"])
        and given.keys().isdisjoint(_ENCODED)
        and not scope["query_string"]
    )


async def application(
    scope: Mapping[str, Any],
    receive: Callable[[], Awaitable[Message]],
    send: Callable[[Message], Awaitable[None]],
) -> None:
    """Answer a request that `serves` is true for: ASGI."""
    parts: list[bytes] = []
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return  # the client has gone before it had asked
        parts.append(message.get("body", b""))
        if not message.get("more_body", False):
            break
    request_id = str(uuid.uuid4())
    status, headers, body = await _answer(scope, b"".join(parts), request_id)
    headers |= {
        "x-amzn-RequestId": request_id,
        "Date": _date(int(time.time())),
        "Content-Length": str(len(body)),
    }
    encoded = [(name.encode("ascii"), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": encoded})
    await send({"type": "http.response.body", "body": body})


@lru_cache(maxsize=1)
def _date(now: int) -> str:
    return formatdate(now, usegmt=True)


async def _answer(scope: Mapping[str, Any], body: bytes, request_id: str) -> Answer:
    headers = {name.decode("latin-1"): decode_header_value(value) for name, value in scope["headers"]}
    access_key = router.extract_access_key_id(headers)
    CALLER.set(access_key)
    REQUEST_ID.set(request_id)
    client = scope["client"][0]
    responses.set_request_client_ip(client)
    iam_evaluator.pin_request_origin(client, scope["scheme"] == "https")
    try:
        responses.set_request_account_id(iam_evaluator.find_iam_access_key_account(access_key) or access_key)
    except iam_evaluator.AmbiguousAccessKeyError:
        members = {
            "__type": "UnrecognizedClientException",
            "message": "The security token included in the request is invalid.",
        }
        return 400, {"Content-Type": "application/x-amz-json-1.1"}, json.dumps(members).encode()
    responses.set_request_region(router.extract_region(headers))
    method, path = scope["method"], scope["path"]
    iam_evaluator._verified_key.set("")
    iam_evaluator._anonymous.set(False)
    iam_evaluator._signed_request.set(
        iam_evaluator.SignedRequest(access_key, method, path, {}, headers, body)
    )
    if failure := iam_evaluator.check_credentials(access_key, "kms"):
        refused: Answer = app._credential_failure("kms", "", request_id, failure, headers)
        return refused
    return await service.handle_request(None, method, path, headers, body, {})
