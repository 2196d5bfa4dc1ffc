"""Copies that S3 refuses: onto themselves without a change, from no source, with another customer's key.

Recorded from S3 (LocalStack's ``test_s3.py``: test_s3_copy_object_in_place and its neighbours,
test_s3_copy_object_src_not_exists, test_s3_copy_object_wrong_format, test_copy_object_with_sse_c): an object is copied
onto itself only to change its metadata, storage class, website redirect or encryption, and a default encryption
that was ever put counts as one.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote

from ministack.services import s3

from kmslab.engine.hooks import extend
from kmslab.engine.s3.errors import error
from kmslab.engine.s3.headers import CUSTOMER_ALGORITHM, SSE, SSE_S3

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


def _is_marker(bucket: str, key: str, version: str) -> bool:
    """Whether a version is a delete marker."""
    versions = s3._object_versions.get((bucket, key)) or []
    return any(one["version_id"] == version and one.get("is_delete_marker") for one in versions)


def _copy_object(stock: Callable[..., Response], bucket_name: str, dest_key: str, headers: Headers) -> Any:
    """Refuse a copy that is none."""
    bucket, key, version = source_of(headers)
    if not key:
        where = "x-amz-copy-source"
        message = "Invalid copy source object key"
        return error("InvalidArgument", message, ArgumentName=where, ArgumentValue=where)
    if version and _is_marker(bucket, key, version):
        return error("InvalidRequest", OF_A_MARKER)
    if _changes_nothing(bucket_name, dest_key, headers):
        return error("InvalidRequest", ILLEGAL)
    response = stock(bucket_name, dest_key, headers)
    return plainly(response)


def plainly(response: Response) -> Response:
    """Who brings another customer's key for a source, or for attributes, is told no more than that."""
    if response[0] == HTTPStatus.FORBIDDEN and b"the correct secret key" in response[2]:
        told: Response = error("AccessDenied", "Access Denied", 403)
        return told
    return response


def install() -> None:
    """Take over where a copy begins."""
    extend(s3, "_copy_object", "bucket_name", "dest_key", "headers")(_copy_object)
