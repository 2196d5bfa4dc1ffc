"""The S3 request at hand: what its use of a key is bound to, who asks, and the keys that a customer brought."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ministack.services import s3

from kmslab.engine.hooks import extend
from kmslab.engine.s3.customer_keys import decoded
from kmslab.engine.s3.errors import IDS, SERVER, new_ids
from kmslab.engine.s3.headers import CUSTOMER_KEY, SOURCE_CUSTOMER_KEY

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Record = dict[str, Any]

DEFAULT_TYPE = "binary/octet-stream"
"""What S3 takes an object for when nobody says (recorded from S3)."""


@dataclass(frozen=True, slots=True)
class Call:
    """One S3 request.

    Attributes:
        method: HTTP's.
        bucket: of the path.
        key: of the path; empty for bucket-level requests.
        access_key: whose permissions count; also the one that a browser's POST form signs.
        checksum: whether the answer has to include a checksum, which S3 keeps encrypted.
        signature_2: whether it is signed with Signature Version 2, which KMS does not take.
        customer_key: of SSE-C, for what is written or read; empty for none. In memory while the call lasts.
        source_key: of SSE-C, for the source of a copy.
        form: fields of a browser's POST form about encryption, by lower-case name.
        headers: of the request, by lower-case name.
        query: its parameters.
        deletes: whether it removes objects or versions.
        made: MiniStack's record of each object that the call has made.
    """

    method: str
    bucket: str
    key: str
    access_key: str
    checksum: bool
    signature_2: bool = False
    customer_key: bytes = field(default=b"", repr=False)
    source_key: bytes = field(default=b"", repr=False)
    form: Mapping[str, str] = field(default_factory=dict, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    query: Mapping[str, Any] = field(default_factory=dict, repr=False)
    deletes: bool = False
    made: list[Record] = field(default_factory=list, repr=False)


CALL: ContextVar[Call | None] = ContextVar("kmslab_s3_call", default=None)
"""None while another service of MiniStack writes to S3 by itself."""


def _form_of(method: str, key: str, headers: Mapping[str, str], body: bytes) -> dict[str, str]:
    content_type = headers.get("content-type", "")
    if method != "POST" or key or not content_type.startswith("multipart/form-data"):
        return {}
    parts = s3._parse_multipart_form(content_type, body)
    return {
        str(name).lower(): value.decode("utf-8", "replace")
        for name, _, _, value in parts
        if str(name).lower().startswith("x-amz-server-side-encryption")
    }


def call_of(method: str, bucket: str, key: str, headers: dict[str, str], body: bytes, query: Any) -> Call:
    """Describe a request."""
    form = _form_of(method, key, headers, body)
    return Call(
        method=method,
        bucket=bucket,
        key=key,
        access_key=s3._request_access_key(method, key, headers, query, body) or "",
        checksum=headers.get("x-amz-checksum-mode", "").upper() == "ENABLED"
        or "Checksum" in headers.get("x-amz-object-attributes", ""),
        signature_2=headers.get("authorization", "").startswith("AWS ") or "AWSAccessKeyId" in query,
        customer_key=decoded(headers.get(CUSTOMER_KEY) or form.get(CUSTOMER_KEY, "")),
        source_key=decoded(headers.get(SOURCE_CUSTOMER_KEY, "")),
        form=form,
        headers=headers,
        query=query,
        deletes=method == "DELETE" or (method == "POST" and not key and "delete" in query),
    )


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
        if key and "content-type" not in headers and (method == "PUT" or "uploads" in query_params):
            headers = {**headers, "content-type": DEFAULT_TYPE}
        token, ids = CALL.set(call_of(method, bucket, key, headers, body, query_params)), new_ids()
        named = IDS.set(ids)
        try:
            status, answered, told = stock(method, bucket, key, headers, body, query_params)
        finally:
            CALL.reset(token)
            IDS.reset(named)
        own = {"Server": SERVER, "x-amz-request-id": ids[0], "x-amz-id-2": ids[1]}
        return status, {**own, **answered}, told
