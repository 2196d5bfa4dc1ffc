"""SSE-KMS and DSSE-KMS: S3 uses the key as the caller on every write and read, and the key has to be usable.

S3 User Guide, "Using server-side encryption with AWS KMS keys": the encryption context is the object's
ARN, or the bucket's ARN with an S3 Bucket Key; PUT needs ``kms:GenerateDataKey``, GET and the source of
a copy ``kms:Decrypt``, a multipart upload both. DSSE-KMS has no Bucket Key.
"""

from __future__ import annotations

import base64
import json
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from ministack.services import s3

from kmslab.engine.authorization.on_behalf import use_key
from kmslab.engine.hooks import extend, replace_value
from kmslab.engine.s3.calls import CALL
from kmslab.engine.s3.configuration import SSE_C, Encryption, encryption_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from kmslab.engine.events import Refusal

    Headers = Mapping[str, str]
    Stock = Callable[..., Any]

SSE = "x-amz-server-side-encryption"
KEY = "x-amz-server-side-encryption-aws-kms-key-id"
BUCKET_KEY = "x-amz-server-side-encryption-bucket-key-enabled"
CONTEXT = "x-amz-server-side-encryption-context"
"""Further pairs of the encryption context, JSON in base64 (S3 API Reference, "PutObject")."""
CUSTOMER_ALGORITHM = "x-amz-server-side-encryption-customer-algorithm"
KMS_KINDS = ("aws:kms", "aws:kms:dsse")
MANAGED_KEY = "alias/aws/s3"

BUCKET_KEY_SECONDS = 300.0
"""How long S3 is taken to reuse a bucket-level key before it asks KMS again; AWS does not publish it."""
_bucket_key_calls: dict[tuple[str, str, str, str], float] = {}


def use_key_for(
    operation: str, sse: Headers, *, bucket: str = "", key: str = ""
) -> tuple[str, tuple[Any, ...] | None]:
    """Use the key of an object, or of an upload, for the request at hand.

    Args:
        operation: ``GenerateDataKey`` or ``Decrypt``.
        sse: the object's encryption headers.
        bucket: the object's bucket when it is not the request's: the source of a copy.
        key: its key likewise.

    Returns: the key's ARN and None, or an empty string and the S3 error.
    """
    key_ref = sse.get(KEY) or MANAGED_KEY
    call = CALL.get()
    if call is None:
        record, refusal = use_key("s3", operation, key_ref, None, internal=True, log=False)
        return (record["Arn"], None) if record else ("", _error(refusal, "/"))
    bucket, key = bucket or call.bucket, key or call.key
    reused = sse.get(BUCKET_KEY) == "true"
    context = context_of(bucket, key, sse)
    recently = (key_ref, bucket, call.access_key, operation)
    asks_kms = (
        not reused
        or time.monotonic() - _bucket_key_calls.get(recently, -BUCKET_KEY_SECONDS) >= BUCKET_KEY_SECONDS
    )
    record, refusal = use_key("s3", operation, key_ref, context, access_key=call.access_key, log=asks_kms)
    if record is None:
        return "", _error(refusal, f"/{bucket}/{key}")
    if reused and asks_kms:
        _bucket_key_calls[recently] = time.monotonic()
    return record["Arn"], None


def context_of(bucket: str, key: str, sse: Headers) -> dict[str, str]:
    """The encryption context of an object: its ARN or its bucket's, and what the writer added.

    Raises:
        ValueError: what was added is not an object in JSON and base64.
    """
    arn = f"arn:aws:s3:::{bucket}" if sse.get(BUCKET_KEY) == "true" else f"arn:aws:s3:::{bucket}/{key}"
    added = json.loads(base64.b64decode(sse[CONTEXT], validate=True)) if sse.get(CONTEXT) else {}
    if not isinstance(added, dict):
        raise ValueError(CONTEXT)  # noqa: TRY004  # what the header holds is wrong, not what was passed here
    return {"aws:s3:arn": arn, **added}


def _error(refusal: Refusal | None, resource: str) -> tuple[Any, ...]:
    """S3 passes a denial on as AccessDenied and every other KMS error under KMS's own code."""
    code, message = (refusal.code, refusal.message) if refusal else ("InternalFailure", "")
    if refusal and refusal.denied:
        error: tuple[Any, ...] = s3._error("AccessDenied", message, 403, resource)
    else:
        error = s3._error(f"KMS.{code}", message, 400, resource)
    return error


def _resolve_write(stock: Stock, headers: Headers, bucket_name: str) -> tuple[dict[str, str] | None, Any]:
    """Encrypt a write under the key of the request or the bucket; refuse what the bucket blocks."""
    configured = encryption_of(bucket_name)
    if headers.get(CUSTOMER_ALGORITHM) and SSE_C in configured.blocked:
        message = "This bucket has blocked uploads that use server-side encryption with customer-provided keys (SSE-C)."
        return None, s3._error("AccessDenied", message, 403, f"/{bucket_name}")
    given = headers.get(SSE, "")
    if headers.get(KEY) and given not in KMS_KINDS:
        message = (
            "Server Side Encryption with AWS KMS managed key requires HTTP header "
            "x-amz-server-side-encryption : aws:kms or aws:kms:dsse"
        )
        return None, s3._error("InvalidArgument", message, 400, f"/{bucket_name}")
    kind = given or ("" if headers.get(CUSTOMER_ALGORITHM) else configured.algorithm)
    if kind not in KMS_KINDS:
        resolved: tuple[dict[str, str] | None, Any] = stock(headers, bucket_name)
        return resolved
    if given and any(name.startswith(CUSTOMER_ALGORITHM.removesuffix("-algorithm")) for name in headers):
        refused: tuple[None, Any] = (None, s3._error("InvalidArgument", _INCOMPATIBLE, 400))
        return refused
    wanted = {SSE: kind, KEY: headers.get(KEY, "") if given else configured.key}
    if added := headers.get(CONTEXT):
        wanted[CONTEXT] = added
    if kind == "aws:kms" and _bucket_key_wanted(headers, configured):
        wanted[BUCKET_KEY] = "true"
    try:
        arn, error = use_key_for("GenerateDataKey", wanted)
    except ValueError:
        message = "The header x-amz-server-side-encryption-context shall be Base64-encoded UTF-8 JSON."
        return None, s3._error("InvalidArgument", message, 400)
    return (None, error) if error else ({**wanted, KEY: arn}, None)


_INCOMPATIBLE = (
    "Server Side Encryption with Customer provided key is incompatible with the encryption method specified."
)


def _bucket_key_wanted(headers: Headers, configured: Encryption) -> bool:
    asked = headers.get(BUCKET_KEY, "").lower()
    return asked == "true" or (not asked and configured.bucket_key)


def _check_read(stock: Stock, headers: Headers, obj: dict[str, Any]) -> Any:
    """A GET decrypts; a HEAD only when it has to show a checksum."""
    if refused := stock(headers, obj):
        return refused
    sse, call = s3._stored_sse_headers(obj), CALL.get()
    if sse.get(SSE) in KMS_KINDS and call and (call.method == "GET" or call.checksum):
        return use_key_for("Decrypt", sse)[1]
    return None


def _check_copy_source(stock: Stock, headers: Headers, src_obj: dict[str, Any]) -> Any:
    """The source of a copy is decrypted under its own key."""
    if refused := stock(headers, src_obj):
        return refused
    sse = s3._stored_sse_headers(src_obj)
    if sse.get(SSE) not in KMS_KINDS:
        return None
    source = unquote(headers.get("x-amz-copy-source", "").split("?")[0]).lstrip("/")
    bucket, _, key = source.partition("/")
    return use_key_for("Decrypt", sse, bucket=bucket, key=key)[1]


def _check_part(stock: Stock, headers: Headers, upload: dict[str, Any]) -> Any:
    """A part is encrypted under the upload's key, the completion decrypts the parts."""
    if refused := stock(headers, upload):
        return refused
    sse, call = s3._stored_sse_headers(upload), CALL.get()
    if sse.get(SSE) not in KMS_KINDS:
        return None
    return use_key_for("GenerateDataKey" if call and call.method == "PUT" else "Decrypt", sse)[1]


def install() -> None:
    """Take over the places where S3 decides about encryption."""
    stored = (*s3._SSE_STORED_HEADERS, BUCKET_KEY, CONTEXT)
    replace_value(
        s3, "_SSE_STORED_HEADERS", stored, "remember the Bucket Key and what was added to the context"
    )
    extend(s3, "_resolve_sse_write_headers", "headers", "bucket_name")(_resolve_write)
    extend(s3, "_check_sse_read_headers", "headers", "obj")(_check_read)
    extend(s3, "_check_sse_c_copy_source", "headers", "src_obj")(_check_copy_source)
    extend(s3, "_check_sse_c_part", "headers", "upload")(_check_part)
