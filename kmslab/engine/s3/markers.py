"""Delete markers: nothing but a deletion can be done with one.

Recorded from S3 (LocalStack's ``test_s3_api.py``, test_object_tagging_versioned; ``test_s3.py``,
test_put_object_acl_on_delete_marker): tags and permissions of a delete marker are refused by their method; a read of
permissions without a version finds no object.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ministack.services import s3

from kmslab.engine.hooks import extend
from kmslab.engine.s3.records import marker_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from kmslab.engine.s3.errors import Response

    Query = Mapping[str, Any]


def _refused(bucket: str, key: str, query: Query | None, *, latest: bool = True) -> Response | None:
    """S3's answer to a request about a delete marker; None to any other."""
    version = s3._qp(query or {}, "versionId", "")
    marker = marker_of(bucket, key, version) if version or latest else None
    refusal: Response | None = s3._delete_marker_read_refused(marker) if marker else None
    return refusal


def _tags(
    stock: Callable[..., Response], bucket_name: str, key: str, query_params: Query | None = None
) -> Response:
    """Refuse to read or to remove the tags of a delete marker."""
    return _refused(bucket_name, key, query_params) or stock(bucket_name, key, query_params)


def _put_tags(
    stock: Callable[..., Response],
    bucket_name: str,
    key: str,
    body: bytes,
    query_params: Query | None = None,
) -> Response:
    """Refuse tags for a delete marker."""
    return _refused(bucket_name, key, query_params) or stock(bucket_name, key, body, query_params)


def _acl(
    stock: Callable[..., Response], bucket_name: str, key: str, query_params: Query | None = None
) -> Response:
    """Refuse to read the permissions of a delete marker that is named."""
    return _refused(bucket_name, key, query_params, latest=False) or stock(bucket_name, key, query_params)


def _put_acl(
    stock: Callable[..., Response],
    bucket_name: str,
    key: str,
    body: bytes,
    headers: Mapping[str, str],
    query_params: Query | None = None,
) -> Response:
    """Refuse permissions for a delete marker."""
    return _refused(bucket_name, key, query_params) or stock(bucket_name, key, body, headers, query_params)


def install() -> None:
    """Take over where tags and permissions of objects are read and written."""
    for name in ("_get_object_tagging", "_delete_object_tagging"):
        extend(s3, name, "bucket_name", "key", "query_params")(_tags)
    extend(s3, "_put_object_tagging", "bucket_name", "key", "body", "query_params")(_put_tags)
    extend(s3, "_get_object_acl", "bucket_name", "key", "query_params")(_acl)
    extend(s3, "_put_object_acl", "bucket_name", "key", "body", "headers", "query_params")(_put_acl)
