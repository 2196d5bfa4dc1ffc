"""What S3 holds every request to: its keys' length, its metadata's, and whose bucket the client expects.

Amazon S3 User Guide, "Naming Amazon S3 objects" and "Working with object metadata"; API reference, "Error responses",
and of each operation ``x-amz-expected-bucket-owner``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from ministack.services import s3

from kmslab.engine.s3.copies import source_of
from kmslab.engine.s3.errors import error

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kmslab.engine.s3.calls import Call
    from kmslab.engine.s3.errors import Response

    Headers = Mapping[str, str]

KEY_BYTES = 1024
METADATA_BYTES = 2048
METADATA = "x-amz-meta-"
OWNER = "x-amz-expected-bucket-owner"
SOURCE_OWNER = "x-amz-source-expected-bucket-owner"
_ACCOUNT = re.compile(r"[0-9]{12}", re.ASCII)


def _too_much(code: str, message: str, size: int, most: int) -> Any:
    return error(code, message, 400, Size=str(size), MaxSizeAllowed=str(most))


def _too_long(key: str, headers: Headers) -> Any:
    """S3's answer to a key or to metadata that are too long; None when they are not."""
    size = len(key.encode())
    if size > KEY_BYTES:
        return _too_much("KeyTooLongError", "Your key is too long", size, KEY_BYTES)
    given = {name.removeprefix(METADATA): text for name, text in headers.items() if name.startswith(METADATA)}
    size = sum(len(name.encode()) + len(text.encode()) for name, text in given.items())
    if size > METADATA_BYTES:
        message = "Your metadata headers exceed the maximum allowed metadata size"
        return _too_much("MetadataTooLarge", message, size, METADATA_BYTES)
    return None


def _of_another(bucket: str, headers: Headers) -> Any:
    """S3's answer to who expects another owner of a bucket; None to who expects the right one, or none."""
    for name, of in ((OWNER, bucket), (SOURCE_OWNER, source_of(headers)[0])):
        expected = headers.get(name)
        if expected is None:
            continue
        if not _ACCOUNT.fullmatch(expected):
            message = "The value of the expected bucket owner parameter must be an AWS Account ID..."
            return error("InvalidBucketOwnerAWSAccountID", f"{message} [{expected}]")
        if of in s3._buckets and s3._bucket_owner_account(of) != expected:
            return error("AccessDenied", "Access Denied", 403)
    return None


def answer(call: Call, _body: bytes) -> Response | None:
    """Refuse what is too long, and what was meant for another's bucket; None for any other request."""
    refused: Response | None = _too_long(call.key, call.headers) or _of_another(call.bucket, call.headers)
    return refused
