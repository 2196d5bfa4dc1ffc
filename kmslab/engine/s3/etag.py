"""The ETag of an object under a key is not the MD5 digest of its content.

Amazon S3 API Reference, "Object": so it is for SSE-S3 alone, with a KMS key or a customer's it is another one
each time. An MD5 beside the ciphertext would let whoever lists a bucket test a guess at what an object holds.
"""

from __future__ import annotations

import hashlib
import os
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from ministack.services import s3

from kmslab.engine.hooks import extend
from kmslab.engine.s3.calls import CALL, DEFAULT_TYPE
from kmslab.engine.s3.configuration import encryption_of
from kmslab.engine.s3.headers import CUSTOMER_ALGORITHM, KMS_KINDS, SSE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from kmslab.engine.s3.calls import Record
    from kmslab.engine.s3.errors import Response

MD5_BYTES = 16
MOST_CHECKSUMMED = 262_144
"""Bytes of an object that gets S3's own checksum, CRC-64/NVME, when its writer sends none. S3 gives every object
one (S3 User Guide, "Checking object integrity"); in Python it takes 60 ns a byte, too long for larger ones."""


def says_nothing() -> str:
    """An ETag of an object under a key, in its quotes."""
    return f'"{os.urandom(MD5_BYTES).hex()}"'


def under_a_key(record: Mapping[str, Any]) -> bool:
    """Whether an object, version or upload is under a KMS key or a customer's."""
    sse = s3._stored_sse_headers(record)
    return sse.get(SSE) in KMS_KINDS or CUSTOMER_ALGORITHM in sse


def amend(bucket: str, key: str, record: Record, **members: object) -> None:
    """Change what describes an object that was just made, in memory and on the disk: its ``etag``, ``checksums``."""
    record.update(members)
    for version in s3._object_versions.get((bucket, key)) or []:
        if version["version_id"] == (record.get("version_id") or "null"):
            version.update(members)
    s3._persist_object(bucket, key, record)


def _record(
    stock: Callable[..., Record], body: bytes, headers: Mapping[str, str], *rest: Any, **named: Any
) -> Record:
    """Give what a client puts under a key an ETag that says nothing, and everything a type."""
    record, call = stock(body, headers, *rest, **named), CALL.get()
    fields = {**headers, **(call.form if call else {})}
    brought = bool(fields.get(CUSTOMER_ALGORITHM))
    kind = fields.get(SSE) or (encryption_of(call.bucket).algorithm if call and not brought else "")
    if kind in KMS_KINDS or brought:
        record["etag"] = says_nothing()
    if "content-type" not in headers:
        record["content_type"] = DEFAULT_TYPE
    if call:
        if not record["checksums"] and len(body) <= MOST_CHECKSUMMED:
            record["checksums"] = {"CRC64NVME": s3._compute_s3_checksum("CRC64NVME", body)}
        call.made.append(record)
    return record


def _copy(
    stock: Callable[..., Response], bucket_name: str, dest_key: str, headers: Mapping[str, str]
) -> Response:
    """Give the copy an ETag of its own: the digest of its content, or one that says nothing."""
    source = unquote(headers.get("x-amz-copy-source", "").split("?")[0]).lstrip("/").partition("/")
    before = (s3._buckets.get(source[0]) or {}).get("objects", {}).get(source[2])
    was_digest = before is not None and not under_a_key(before) and "-" not in before["etag"]
    status, answered, body = stock(bucket_name, dest_key, headers)
    if status != HTTPStatus.OK:
        return status, answered, body
    made = s3._buckets[bucket_name]["objects"][dest_key]
    if under_a_key(made):
        etag = says_nothing()
    elif was_digest and "versionId" not in headers.get("x-amz-copy-source", ""):
        return status, answered, body
    else:
        # S324: S3's own ETag.
        etag = f'"{hashlib.md5(s3._read_body(bucket_name, dest_key, made)).hexdigest()}"'  # noqa: S324
    old = made["etag"]
    amend(bucket_name, dest_key, made, etag=etag)
    return status, answered, in_place_of(body, old, etag)


def in_place_of(body: bytes, old: str, new: str) -> bytes:
    """An answer in XML with another ETag."""
    return body.replace(old.strip('"').encode(), new.strip('"').encode())


def install() -> None:
    """Take over where the record of a new object is made, and where one is copied."""
    extend(s3, "_build_object_record", "body", "headers")(_record)
    extend(s3, "_copy_object", "bucket_name", "dest_key", "headers")(_copy)
