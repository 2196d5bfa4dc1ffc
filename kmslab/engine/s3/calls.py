"""The S3 request at hand: what its use of a key is bound to, and who asks."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ministack.services import s3

from kmslab.engine.hooks import extend

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class Call:
    """One S3 request.

    Attributes:
        method: HTTP's.
        bucket: of the path.
        key: of the path; empty for bucket-level requests.
        access_key: whose permissions count; also the one that a browser's POST form signs.
        checksum: whether the answer has to include a checksum, which S3 keeps encrypted.
    """

    method: str
    bucket: str
    key: str
    access_key: str
    checksum: bool


CALL: ContextVar[Call | None] = ContextVar("kmslab_s3_call", default=None)
"""None while another service of MiniStack writes to S3 by itself."""


def install() -> None:
    """Remember the request while S3 works on it."""

    @extend(s3, "_dispatch", "method", "bucket", "key", "headers", "body", "query_params")
    def dispatch(
        stock: Callable[..., Any],
        method: str,
        bucket: str,
        key: str,
        headers: dict[str, str],
        body: bytes,
        query_params: dict[str, Any],
    ) -> Any:
        """Bind the key's use to the object and the caller of the request."""
        access_key = s3._request_access_key(method, key, headers, query_params, body) or ""
        checksum = headers.get("x-amz-checksum-mode", "").upper() == "ENABLED"
        token = CALL.set(Call(method, bucket, key, access_key, checksum))
        try:
            return stock(method, bucket, key, headers, body, query_params)
        finally:
            CALL.reset(token)
