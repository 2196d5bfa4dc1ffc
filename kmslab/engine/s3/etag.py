"""The ETag of an object under a KMS key is not the MD5 digest of its content.

Amazon S3 API Reference, "Object": so it is for SSE-S3 and plaintext alone. An MD5 beside the ciphertext
would let whoever lists a bucket test a guess at what an object holds.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from ministack.services import s3

from kmslab.engine.hooks import extend
from kmslab.engine.s3.calls import CALL
from kmslab.engine.s3.configuration import encryption_of
from kmslab.engine.s3.encryption import CUSTOMER_ALGORITHM, KMS_KINDS, SSE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

MD5_BYTES = 16


def _record(
    stock: Callable[..., dict[str, Any]], body: bytes, headers: Mapping[str, str], *rest: Any, **named: Any
) -> dict[str, Any]:
    """Give what a client puts under a key an ETag that says nothing."""
    record = stock(body, headers, *rest, **named)
    call = CALL.get()
    brought = bool(headers.get(CUSTOMER_ALGORITHM))
    kind = headers.get(SSE) or (encryption_of(call.bucket).algorithm if call and not brought else "")
    if kind in KMS_KINDS or brought:
        record["etag"] = f'"{os.urandom(MD5_BYTES).hex()}"'
    return record


def install() -> None:
    """Take over where the record of a new object is made."""
    extend(s3, "_build_object_record", "body", "headers")(_record)
