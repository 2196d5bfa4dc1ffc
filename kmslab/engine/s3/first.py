"""Who answers a request before MiniStack looks at it: one after another refuses it, or serves what MiniStack lacks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ministack.services import s3

from kmslab.engine.hooks import extend
from kmslab.engine.s3 import buckets, by_id, choices, limits, update
from kmslab.engine.s3.calls import CALL

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from kmslab.engine.s3.calls import Call
    from kmslab.engine.s3.errors import Response

ANSWERS: tuple[Callable[[Call, bytes], Response | None], ...] = (
    update.answer,
    choices.answer,
    limits.answer,
    by_id.answer,
    buckets.answer,
)
"""Each takes a request and its body, and returns S3's answer, or None for the next one."""


def _dispatch(
    stock: Callable[..., Response],
    method: str,
    bucket: str,
    key: str,
    headers: Mapping[str, str],
    body: bytes,
    query_params: Mapping[str, Any],
) -> Response:
    """Refuse what S3 does not take, and serve what MiniStack would take for something else."""
    if call := CALL.get():
        for answer in ANSWERS:
            if response := answer(call, body):
                return response
    return stock(method, bucket, key, headers, body, query_params)


def install() -> None:
    """Take over before MiniStack looks at a request."""
    extend(s3, "_dispatch", "method", "bucket", "key", "headers", "body", "query_params")(_dispatch)
