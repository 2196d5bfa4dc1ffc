"""A browser's POST form brings its credentials along: in its fields, not in the request's headers.

S3 API Reference, "POST Object" and "Authenticating Requests in Browser-Based Uploads Using POST (AWS Signature
Version 4)". MiniStack checks the form's signature, its policy's expiry and conditions, and what its signer may do.
Only there: to the request itself nobody has signed, so that it must be let through as far as the form. A form without a
signature of Version 4 is nobody's, and the bucket policy decides.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from kmslab.engine.hooks import extend

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

SIGNING_FIELDS = frozenset({"x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-signature"})
"""One of these is enough for MiniStack to ask for all of them, and for what they sign."""
FORM = "multipart/form-data"
_SIGNED: ContextVar[bool] = ContextVar("kmslab_signed_form", default=False)
"""Whether the request at hand is a form that is signed."""


def _is_signed(method: str, path: str, headers: Mapping[str, str], body: bytes) -> bool:
    """Whether MiniStack will take the request for a signed form."""
    from ministack.services import s3

    content_type = headers.get("content-type", "")
    if method != "POST" or len(path.strip("/").split("/")) != 1 or not content_type.startswith(FORM):
        return False
    return any(name.lower() in SIGNING_FIELDS for name, *_ in s3._parse_multipart_form(content_type, body))


def _resource_arn(
    stock: Callable[..., str],
    service: str,
    method: str,
    path: str,
    headers: Mapping[str, str],
    body: bytes,
    *rest: Any,
) -> str:
    """Notice a form before anybody is asked whether the request may pass."""
    _SIGNED.set(service == "s3" and _is_signed(method, path, headers, body))
    return stock(service, method, path, headers, body, *rest)


def _enforce(
    stock: Callable[..., Any],
    access_key_id: str,
    iam_action: str,
    service: str,
    *rest: Any,
    **named: Any,
) -> Any:
    """Let a signed form through to where its signature is checked."""
    from ministack.core import iam_evaluator

    of_nobody = not access_key_id and iam_evaluator._anonymous.get()
    if service == "s3" and iam_action == "s3:PutObject" and of_nobody and _SIGNED.get():
        return None
    return stock(access_key_id, iam_action, service, *rest, **named)


def install() -> None:
    """Apply the hooks."""
    from ministack.core import iam_actions, iam_evaluator

    extend(iam_actions, "extract_resource_arn", "service", "method", "path", "headers", "body")(_resource_arn)
    extend(iam_evaluator, "enforce", "access_key_id", "iam_action", "service")(_enforce)
