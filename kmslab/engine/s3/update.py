"""UpdateObjectEncryption: an object's data key moves to another KMS key, and nothing is copied.

Amazon S3 API Reference, "UpdateObjectEncryption": from SSE-S3 or SSE-KMS to SSE-KMS under the ARN of a key
of the account; version id, ETag and dates stay. The caller needs ``s3:UpdateObjectEncryption`` and
``kms:Encrypt``, ``kms:Decrypt``, ``kms:GenerateDataKey`` and ``kms:ReEncrypt*``; which of them on which key
is not published: here what opens is asked of the old key, what seals of the new one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from xml.etree.ElementTree import ParseError, fromstring

from ministack.core import iam_actions
from ministack.services import s3

from kmslab.engine.hooks import add_entry, extend
from kmslab.engine.s3.encryption import BUCKET_KEY, CUSTOMER_ALGORITHM, KEY, SSE, use_key_for

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Response = tuple[int, dict[str, str], bytes]

OPENS, SEALS = ("Decrypt", "ReEncryptFrom"), ("GenerateDataKey", "Encrypt", "ReEncryptTo")
SUPPORTED = "Only source objects encrypted with SSE-S3 or SSE-KMS are supported."


def update_object_encryption(bucket: str, key: str, version_id: str, body: bytes) -> Response:
    """Put the current version of an object under another key; older versions are not emulated (501)."""
    stored = s3._ensure_bucket(bucket)
    if stored is None:
        return _response(s3._no_such_bucket(bucket))
    obj = stored["objects"].get(key)
    if obj is None:
        return _refused("NoSuchKey", "The specified key does not exist.", 404)
    wanted = _wanted(body)
    if refusal := _unsupported(obj, version_id, wanted):
        return refusal
    old = s3._stored_sse_headers(obj)
    needed = [(name, old) for name in OPENS if old.get(SSE) == "aws:kms"] + [(name, wanted) for name in SEALS]
    for operation, sse in needed:
        if refused := use_key_for(operation, sse)[1]:
            return _response(refused)
    _put_under(stored, bucket, key, obj, wanted)
    return 200, {}, b""


def _unsupported(obj: Mapping[str, Any], version_id: str, wanted: Mapping[str, str]) -> Response | None:
    """What S3 answers to a source or a target that the operation does not know."""
    old = s3._stored_sse_headers(obj)
    if CUSTOMER_ALGORITHM in old or old.get(SSE, "AES256") not in ("AES256", "aws:kms"):
        message = (
            "The UpdateObjectEncryption operation doesn't support source objects with the encryption type"
        )
        return _refused("InvalidRequest", f"{message} DSSE-KMS or SSE-C. {SUPPORTED}")
    if not wanted.get(KEY, "").startswith("arn:"):
        message = "Requests that modify an object's encryption type to SSE-KMS require a valid"
        return _refused(
            "InvalidRequest", f"{message} Amazon Web Services KMS key Amazon Resource Name (ARN)."
        )
    if version_id and version_id != obj.get("version_id"):
        return _refused("NotImplemented", "UpdateObjectEncryption of an older version is not emulated.", 501)
    return None


def _wanted(body: bytes) -> dict[str, str]:
    """The encryption headers that an object under the requested key carries; empty for another request."""
    try:
        root = fromstring(body)  # noqa: S314  # the parser resolves no external entities
    except ParseError:
        return {}
    found = {node.tag.rsplit("}", 1)[-1]: (node.text or "").strip() for node in root.iter()}
    if "SSE-KMS" not in found:
        return {}
    bucket_key = {BUCKET_KEY: "true"} if found.get("BucketKeyEnabled") == "true" else {}
    return {SSE: "aws:kms", KEY: found.get("KMSKeyArn", ""), **bucket_key}


def _put_under(
    stored: dict[str, Any], bucket: str, key: str, obj: dict[str, Any], wanted: Mapping[str, str]
) -> None:
    """Write the object anew under its new key; all that describes it but the encryption stays."""
    obj["body"] = s3._read_body(bucket, key, obj)
    versions = s3._object_versions.get((bucket, key)) or []
    same = (v for v in versions if v["version_id"] == (obj.get("version_id") or "null"))
    for record in (obj, *same):
        kept = {
            name: value
            for name, value in record["preserved_headers"].items()
            if name not in (SSE, KEY, BUCKET_KEY)
        }
        record["preserved_headers"] = {**kept, **wanted}
    s3._persist_version_state(bucket, key, stored)


def _refused(code: str, message: str, status: int = 400) -> Response:
    return _response(s3._error(code, message, status))


def _response(answer: Any) -> Response:
    response: Response = answer
    return response


def _dispatch(
    stock: Callable[..., Response],
    method: str,
    bucket: str,
    key: str,
    headers: dict[str, str],
    body: bytes,
    query_params: dict[str, Any],
) -> Response:
    """Serve the operation; MiniStack would take its body for the object's new content."""
    if method == "PUT" and key and "encryption" in query_params:
        return update_object_encryption(bucket, key, s3._qp(query_params, "versionId", ""), body)
    return stock(method, bucket, key, headers, body, query_params)


def install() -> None:
    """Serve the operation, under its own IAM action: MiniStack knows the bucket's only."""
    extend(s3, "_dispatch", "method", "bucket", "key", "headers", "body", "query_params")(_dispatch)
    action = {"PUT": "UpdateObjectEncryption"}
    add_entry(iam_actions, "_S3_OBJECT_QUERY_ACTIONS", "encryption", action, "UpdateObjectEncryption")
