"""Copies that S3 refuses: onto themselves without a change, from no source, with another customer's key.

Recorded from S3 (LocalStack's ``test_s3.py``: test_s3_copy_object_in_place and its neighbours,
test_s3_copy_object_src_not_exists, test_s3_copy_object_wrong_format, test_copy_object_with_sse_c; ``test_s3_api.py``,
test_upload_part_copy_range; TestS3ObjectLockRetention): an object is copied
onto itself only to change its metadata, storage class, website redirect or encryption, and a default encryption
that was ever put counts as one.
"""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote

from ministack.services import s3

from kmslab.engine.hooks import extend
from kmslab.engine.s3.errors import error
from kmslab.engine.s3.headers import CUSTOMER_ALGORITHM, SSE, SSE_S3
from kmslab.engine.s3.records import found, marker_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from kmslab.engine.s3.errors import Response

    Headers = Mapping[str, str]

CHANGES = (SSE, CUSTOMER_ALGORITHM, "x-amz-storage-class", "x-amz-website-redirect-location")
"""Headers of a copy that make it more than the object that it is of."""
ILLEGAL = (
    "This copy request is illegal because it is trying to copy an object to itself without changing the object's "
    "metadata, storage class, website redirect location or encryption attributes."
)
RANGE = "x-amz-copy-source-range"
NO_RANGE = (
    f"The {RANGE} value must be of the form bytes=first-last where first and last are the zero-based offsets of the first "
    "and last bytes to copy"
)
_RANGE = re.compile(r"bytes=([0-9]{1,18})-([0-9]{1,18})", re.ASCII)
OF_A_MARKER = "The source of a copy request may not specifically refer to a delete marker by version id."


def source_of(headers: Headers) -> tuple[str, str, str]:
    """The bucket, the key and the version that a copy is of; an empty key when the header names none."""
    path, _, query = headers.get("x-amz-copy-source", "").lstrip("/").partition("?")
    bucket, _, key = unquote(path).partition("/")
    return bucket, key, parse_qs(query).get("versionId", [""])[0]


def _changes_nothing(bucket: str, key: str, headers: Headers) -> bool:
    """Whether a copy would make of an object what it is."""
    source_bucket, source_key, version = source_of(headers)
    record = (s3._buckets.get(bucket) or {}).get("objects", {}).get(key)
    if (source_bucket, source_key) != (bucket, key) or record is None or version:
        return False
    if headers.get("x-amz-metadata-directive", "").upper() == "REPLACE" or any(map(headers.get, CHANGES)):
        return False
    was = s3._stored_sse_headers(record)
    is_default = was.get(SSE, SSE_S3) == SSE_S3 and CUSTOMER_ALGORITHM not in was
    return is_default and not s3._bucket_encryption.get(bucket)


def _copy_object(stock: Callable[..., Response], bucket_name: str, dest_key: str, headers: Headers) -> Any:
    """Refuse a copy that is none."""
    bucket, key, version = source_of(headers)
    if not key:
        where = "x-amz-copy-source"
        message = "Invalid copy source object key"
        return error("InvalidArgument", message, ArgumentName=where, ArgumentValue=where)
    if version and marker_of(bucket, key, version):
        return error("InvalidRequest", OF_A_MARKER)
    if _changes_nothing(bucket_name, dest_key, headers):
        return error("InvalidRequest", ILLEGAL)
    status, answered, body = stock(bucket_name, dest_key, headers)
    if status == HTTPStatus.OK:
        _lock_as_asked(bucket_name, dest_key, headers)
    return plainly((status, answered, body))


def _lock_as_asked(bucket: str, key: str, headers: Headers) -> None:
    """A copy has not the locks of its source, but those of its request and of its bucket."""
    version = (found(bucket, key, "") or {}).get("version_id")
    for store in (s3._object_retention, s3._object_legal_hold):
        store.pop((bucket, key, version), None)
    s3._apply_object_lock_from_headers(bucket, key, headers, version)


def _copy_part(
    stock: Callable[..., Response],
    bucket_name: str,
    dest_key: str,
    query_params: Mapping[str, Any],
    headers: Headers,
) -> Any:
    """Refuse a range that is none, or none of the source."""
    text = headers.get(RANGE, "")
    if not text or bucket_name not in s3._buckets:
        return stock(bucket_name, dest_key, query_params, headers)
    spelled = _RANGE.fullmatch(text)
    first, last = (int(one) for one in spelled.groups()) if spelled else (1, 0)
    named = {"ArgumentName": RANGE, "ArgumentValue": text}
    if first > last:
        return error("InvalidArgument", NO_RANGE, 400, **named)
    record = found(*source_of(headers))
    if record and first >= record["size"]:
        return error("InvalidRequest", "The specified copy range is invalid for the source object size")
    if record and last >= record["size"]:
        message = f"Range specified is not valid for source object of size: {record['size']}"
        return error("InvalidArgument", message, 400, **named)
    return stock(bucket_name, dest_key, query_params, headers)


def plainly(response: Response) -> Response:
    """Who brings another customer's key for a source, or for attributes, is told no more than that."""
    if response[0] == HTTPStatus.FORBIDDEN and b"the correct secret key" in response[2]:
        told: Response = error("AccessDenied", "Access Denied", 403)
        return told
    return response


def install() -> None:
    """Take over where a copy begins."""
    extend(s3, "_copy_object", "bucket_name", "dest_key", "headers")(_copy_object)
    extend(s3, "_upload_part_copy", "bucket_name", "dest_key", "query_params", "headers")(_copy_part)
