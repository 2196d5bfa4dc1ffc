"""What S3's errors look like: the members beside Code and Message that AWS sends, and none that it does not.

Recorded from S3 by conformance suites: NoSuchBucket names the bucket, NoSuchKey the key, InvalidArgument the
argument; ``Resource``, which the API reference shows in its example, is not sent. The ids of the request and of the host
are those of the answer's headers ("Error Responses").
"""

from __future__ import annotations

import base64
import os
import secrets
import string
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any
from xml.etree.ElementTree import Element, SubElement

from ministack.services import s3

from kmslab.engine.hooks import extend

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Response = tuple[int, dict[str, str], bytes]


SERVER = "AmazonS3"
LETTERS = string.ascii_uppercase + string.digits
IDS: ContextVar[tuple[str, str] | None] = ContextVar("kmslab_s3_ids", default=None)
"""The ids of the request and of the host that answers it, as its headers name them."""


def new_ids() -> tuple[str, str]:
    """Ids of a request and of a host, in S3's form."""
    return "".join(secrets.choice(LETTERS) for _ in range(16)), base64.b64encode(os.urandom(57)).decode()


def error(code: str, message: str, status: int = 400, **members: str) -> Any:
    """An answer of S3.

    Args:
        code: as the API reference spells it.
        message: for people.
        status: of HTTP.
        members: further elements: ``ArgumentName``, ``ArgumentValue``.
    """
    return s3._error(code, message, status, "", members)


def _error(
    _stock: Callable[..., Response],
    code: str,
    message: str,
    status: int,
    resource: str = "",
    extra: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Name the bucket or the key in an element of their own."""
    root = Element("Error")
    SubElement(root, "Code").text = code
    SubElement(root, "Message").text = message
    bucket, _, key = (resource or "").lstrip("/").partition("/")
    named = {"NoSuchBucket": {"BucketName": bucket}, "NoSuchKey": {"Key": key}}.get(code, {})
    for name, text in {**named, **(extra or {})}.items():
        SubElement(root, name).text = text
    SubElement(root, "RequestId").text, SubElement(root, "HostId").text = IDS.get() or new_ids()
    return status, {"Content-Type": "application/xml", **(headers or {})}, s3._xml_body(root)


def _early(stock: Callable[..., Response], code: str, message: str, status: int, **fields: str) -> Response:
    """Say whose answer it is that comes before S3 looks at a request."""
    status, answered, body = stock(code, message, status, **fields)
    return status, {"Server": SERVER, **answered}, body


def install() -> None:
    """Take over where S3's errors are written."""
    extend(s3, "_object_error", "code", "message", "status")(_early)
    extend(s3, "_error", "code", "message", "status", "resource", "extra", "headers")(_error)
