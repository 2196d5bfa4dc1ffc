"""What a signature has to cover: the body, the headers that steer the request, its service, a date that is one.

MiniStack chooses a service by `X-Amz-Target` and does not ask which one the signature is for. It believes the body's hash that a header names, and does not ask which headers were signed: with a
captured request somebody could send another body, or add a header that changes what the request means. Source:
IAM User Guide, "Create a signed AWS API request"; S3 API Reference, "Authenticating Requests".
"""

from __future__ import annotations

import hashlib
import re
import time
from itertools import islice
from typing import TYPE_CHECKING, Any

from kmslab.engine.hooks import add_entry, extend
from kmslab.engine.protocols import TARGETS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_BASIC_FORMAT = re.compile(r"\d{8}T\d{6}Z")
_HASH = "x-amz-content-sha256"
_UNSIGNED = "UNSIGNED-PAYLOAD"
_STREAMING = "STREAMING-"
_UNSIGNED_ALLOWED = ("s3", "ebs")
"""Services with operations whose body may stay unsigned: botocore's ``v4-unsigned-body``, and S3's own rules."""
_S3_MISMATCH = (
    "XAmzContentSHA256Mismatch",
    400,
    "The provided 'x-amz-content-sha256' header does not match what was computed.",
)
_S3_NOT_SIGNED = ("AccessDenied", 403, "There were headers present in the request which were not signed")
_REMEMBERED_SECONDS = 86400.0
_AT_A_TIME = 100
"""Sessions that are forgotten with one new session, at most."""
_MISMATCH = ("SignatureDoesNotMatch", 403, "InvalidSignatureException")


def _failure(
    stock: Callable[..., tuple[str, str] | None],
    signature: Any,
    secret: str,
    method: str,
    raw_path: str,
    query_params: Mapping[str, Any],
    headers: Mapping[str, Any],
    body: bytes,
    *,
    presigned: bool = False,
    explain: bool = False,
) -> tuple[str, str] | None:
    """Look at what the signature covers before it is computed."""
    from ministack.core.sigv4 import SIGNATURE_MISMATCH

    if not _BASIC_FORMAT.fullmatch(signature.amz_date):
        return "IncompleteSignature", (
            f"Date must be in ISO-8601 'basic format'. Got '{signature.amz_date}'. "
            "See http://en.wikipedia.org/wiki/ISO_8601"
        )
    service = TARGETS.get(str(headers.get("x-amz-target", "")).rpartition(".")[0])
    if service and signature.service != service:
        return "SignatureDoesNotMatch", f"Credential should be scoped to correct service: '{service}'. "
    if not _covers_headers(signature, headers):
        return "HeadersNotSigned", SIGNATURE_MISMATCH
    failure = stock(
        signature,
        secret,
        method,
        raw_path,
        query_params,
        headers,
        body,
        presigned=presigned,
        explain=explain,
    )
    if not failure and not _covers_body(signature, headers, body):
        return "PayloadHashMismatch", SIGNATURE_MISMATCH
    return failure


def _covers_headers(signature: Any, headers: Mapping[str, Any]) -> bool:
    """Whether the host and what steers the request are signed: ``x-amz-target``, and all of ``x-amz-`` for S3."""
    signed = set(signature.signed_headers.split(";"))
    steering = {
        name
        for name in headers
        if name == "x-amz-target"
        or (signature.service == "s3" and name.startswith("x-amz-") and name != _HASH)
    }
    return "host" in signed and steering <= signed


def _covers_body(signature: Any, headers: Mapping[str, Any], body: bytes) -> bool:
    given = str(headers.get(_HASH) or "")
    if not given or given.startswith(_STREAMING):
        return True  # the body's own hash was signed, or each chunk is
    if given == _UNSIGNED:
        return signature.service in _UNSIGNED_ALLOWED
    return given.lower() == hashlib.sha256(body).hexdigest()


def _evict(_stock: Callable[[], None]) -> None:
    """Remember sessions that have ended for a day at least: their holders are told that they have.

    The oldest are looked at until one is to be kept: each new session asks, and a class has thousands.
    """
    from ministack.services import sts

    forgotten = time.time() - _REMEMBERED_SECONDS
    for key, session in list(islice(sts._sessions.items(), _AT_A_TIME)):
        if isinstance(end := session.get("Expiration"), (int, float)) and end >= forgotten:
            break
        sts._sessions.pop(key, None)


def install() -> None:
    """Apply the hooks."""
    from ministack.core import iam_actions, sigv4
    from ministack.services import sts

    extend(sts, "_evict_expired_sessions")(_evict)

    purpose = "how a service says that a signature does not cover the request"
    add_entry(iam_actions, "_AUTH_FAILURES", "PayloadHashMismatch", (*_MISMATCH, _S3_MISMATCH), purpose)
    add_entry(iam_actions, "_AUTH_FAILURES", "HeadersNotSigned", (*_MISMATCH, _S3_NOT_SIGNED), purpose)
    extend(
        sigv4,
        "header_signature_failure",
        "signature",
        "secret",
        "method",
        "raw_path",
        "query_params",
        "headers",
        "body",
    )(_failure)
