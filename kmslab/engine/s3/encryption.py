"""SSE-KMS and DSSE-KMS: S3 uses the key as the caller on every write and read, and the key has to be usable.

S3 User Guide, "Using server-side encryption with AWS KMS keys": the encryption context is the object's
ARN, or the bucket's ARN with an S3 Bucket Key; PUT needs ``kms:GenerateDataKey``, GET and the source of
a copy ``kms:Decrypt``, a multipart upload both. DSSE-KMS has no Bucket Key.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from ministack.services import s3

from kmslab.engine.authorization.caller import caller_arn
from kmslab.engine.authorization.on_behalf import use_key
from kmslab.engine.events import Refusal
from kmslab.engine.hooks import extend, replace_value
from kmslab.engine.kms import records, specs
from kmslab.engine.s3.calls import CALL
from kmslab.engine.s3.configuration import SSE_C, Encryption, encryption_of
from kmslab.engine.s3.errors import error
from kmslab.engine.s3.headers import (
    BUCKET_KEY,
    CONTEXT,
    CUSTOMER,
    KEY,
    KMS_KINDS,
    SSE,
    SSE_S3,
    context_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from kmslab.engine.kms.records import KeyRecord

    Headers = Mapping[str, str]
    Stock = Callable[..., Any]

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
        return _answer(operation, record, refusal)
    if call.signature_2:
        message = "Requests specifying Server Side Encryption with AWS KMS managed keys require AWS Signature Version 4."
        return "", error("InvalidArgument", message, ArgumentName="Authorization", ArgumentValue="null")
    bucket, key = bucket or call.bucket, key or call.key
    reused = sse.get(BUCKET_KEY) == "true"
    context = context_of(bucket, key, sse)
    recently = (key_ref, bucket, call.access_key, operation)
    asks_kms = (
        not reused
        or time.monotonic() - _bucket_key_calls.get(recently, -BUCKET_KEY_SECONDS) >= BUCKET_KEY_SECONDS
    )
    record, refusal = use_key("s3", operation, key_ref, context, access_key=call.access_key, log=asks_kms)
    if record and reused and asks_kms:
        _bucket_key_calls[recently] = time.monotonic()
    return _answer(operation, record, refusal)


def _answer(
    operation: str, record: KeyRecord | None, refusal: Refusal | None
) -> tuple[str, tuple[Any, ...] | None]:
    """The key's ARN, or what S3 makes of KMS's refusal: a denial is its own, else it passes KMS's code on."""
    if record and records.is_symmetric(record):
        return record["Arn"], None
    if record:
        refusal = Refusal("InvalidKeyUsageException", _unfit(record, operation))
    code, message = (refusal.code, refusal.message) if refusal else ("InternalFailure", "")
    if refusal and refusal.denied:
        return "", error("AccessDenied", message, 403)
    return "", error(f"KMS.{code}", message)


def _unfit(key: KeyRecord, operation: str) -> str:
    """Why a key that is not a symmetric encryption key is no use to S3."""
    if key["KeyUsage"] != specs.ENCRYPT_DECRYPT:
        return f"{key['Arn']} key usage is {key['KeyUsage']} which is not valid for {operation}."
    return f"{key['Arn']} is not a symmetric encryption key: {operation} needs one."


def _resolve_write(stock: Stock, headers: Headers, bucket_name: str) -> tuple[dict[str, str] | None, Any]:
    """Encrypt a write under the key of the request or the bucket; refuse what the bucket blocks."""
    call = CALL.get()
    headers = {**headers, **(call.form if call else {})}
    given, configured = headers.get(SSE), encryption_of(bucket_name)
    brought = any(name.startswith(CUSTOMER) for name in headers)
    if refusal := _unsupported(given, headers, brought=brought):
        return None, refusal
    if brought:
        stored, refusal = stock(headers, bucket_name)
        if refusal is None and SSE_C in configured.blocked:
            refusal = _blocked(bucket_name)
        return (None, refusal) if refusal else (stored, None)
    kind = given or configured.algorithm
    if kind == SSE_S3:
        return {SSE: SSE_S3}, None
    wanted = {SSE: kind, KEY: headers.get(KEY, "") if given else configured.key}
    if added := headers.get(CONTEXT):
        wanted[CONTEXT] = added
    if kind == "aws:kms" and _bucket_key_wanted(headers, configured):
        wanted[BUCKET_KEY] = "true"
    try:
        arn, refusal = use_key_for("GenerateDataKey", wanted)
    except ValueError:
        message = (
            f"The header '{CONTEXT}' shall be Base64-encoded UTF-8 string holding JSON which represents a "
            "string-string map"
        )
        return None, error("InvalidArgument", message)
    return (None, refusal) if refusal else ({**wanted, KEY: arn}, None)


def _unsupported(given: str | None, headers: Headers, *, brought: bool) -> Any:
    """Why S3 does not take the kind of encryption that a write asks for; None when it does."""
    if given is not None and brought:
        message = "Server Side Encryption with Customer provided key is incompatible with the encryption method specified"
        return error("InvalidArgument", message, ArgumentName=SSE, ArgumentValue=given)
    if given is not None and given not in (SSE_S3, *KMS_KINDS):
        message = "The encryption method specified is not supported"
        return error("InvalidArgument", message, ArgumentName=SSE, ArgumentValue=given)
    if headers.get(KEY) and given not in KMS_KINDS:
        message = f"Server Side Encryption with AWS KMS managed key requires HTTP header {SSE} : aws:kms"
        return error("InvalidArgument", message)
    return None


def _blocked(bucket: str) -> Any:
    """S3's answer to SSE-C in a bucket that blocks it (S3 User Guide, "Troubleshoot access denied errors")."""
    call = CALL.get()
    who, key = (caller_arn(call.access_key), call.key) if call else ("anonymous", "")
    message = (
        f'User: {who} is not authorized to perform: s3:PutObject on resource: "arn:aws:s3:::{bucket}/{key}" because '
        "this bucket has blocked upload requests that specify Server Side Encryption with Customer provided keys "
        "(SSE-C). Please specify a different server-side encryption type"
    )
    return error("AccessDenied", message, 403)


def _bucket_key_wanted(headers: Headers, configured: Encryption) -> bool:
    asked = headers.get(BUCKET_KEY, "").lower()
    return asked == "true" or (not asked and configured.bucket_key)


def _out_of_place(headers: Headers) -> Any:
    """S3's answer to a read or a part that says how to encrypt; None when it does not."""
    for name in (SSE, KEY, CONTEXT, BUCKET_KEY):
        if name in headers:
            message = f"{name} header is not supported for this operation."
            return error("InvalidArgument", message, ArgumentName=name, ArgumentValue=headers[name])
    return None


def _check_read(stock: Stock, headers: Headers, obj: dict[str, Any]) -> Any:
    """A GET decrypts; a HEAD only when it has to show a checksum."""
    if refused := _out_of_place(headers) or stock(headers, obj):
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
    call = CALL.get()
    completes = call is not None and call.method == "POST"
    if not completes and (refused := _out_of_place(headers)):
        return refused
    # API reference, CompleteMultipartUpload: SSE-C's key is needed for an upload with checksums only.
    needs_key = (
        not completes or upload.get("checksum_algorithm") or any(n.startswith(CUSTOMER) for n in headers)
    )
    if needs_key and (refused := stock(headers, upload)):
        return refused
    sse = s3._stored_sse_headers(upload)
    if sse.get(SSE) not in KMS_KINDS:
        return None
    return use_key_for("Decrypt" if completes else "GenerateDataKey", sse)[1]


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
