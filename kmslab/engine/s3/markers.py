"""Delete markers: nothing but a deletion can be done with one.

Recorded from S3 (LocalStack's ``test_s3_api.py``, test_object_tagging_versioned; ``test_s3.py``,
test_put_object_acl_on_delete_marker, TestS3ObjectLockRetention): tags, permissions and locks of a delete marker are
refused by their method; a read of permissions without a version finds no object.
"""

from __future__ import annotations

from datetime import UTC, datetime
from inspect import signature
from typing import TYPE_CHECKING, Any

from ministack.services import s3

from kmslab.engine.hooks import extend
from kmslab.engine.s3.errors import error
from kmslab.engine.s3.markup import children, moment, parsed
from kmslab.engine.s3.records import found, marker_of

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


def _refusing(*, latest: bool) -> Callable[..., Response]:
    """Return what refuses the named delete marker, and, if told so, one that is the latest where none is named."""

    def refuse(stock: Callable[..., Response], *given: Any, **named: Any) -> Response:
        """Refuse what cannot be done with a delete marker."""
        asked = signature(stock).bind(*given, **named).arguments
        refused = _refused(asked["bucket_name"], asked["key"], asked.get("query_params"), latest=latest)
        return refused or stock(*given, **named)

    return refuse


def _is_past(body: bytes) -> bool:
    """Whether a document retains until a time that has passed."""
    root = parsed(body)
    try:
        return root is not None and moment(children(root)["RetainUntilDate"]) < datetime.now(UTC)
    except (KeyError, ValueError):
        return False


def _put_retention(
    stock: Callable[..., Response],
    bucket_name: str,
    key: str,
    body: bytes,
    headers: Mapping[str, str],
    query_params: Query | None = None,
) -> Response:
    """Refuse to retain a delete marker; an empty document ends what may be ended."""
    if refused := _refused(bucket_name, key, query_params, latest=False):
        return refused
    if _is_past(body) and s3._bucket_object_lock.get(bucket_name):
        message = "The retain until date must be in the future!"
        past: Response = error("InvalidArgument", message, ArgumentName="RetainUntilDate")
        return past
    root, record = parsed(body), found(bucket_name, key, s3._qp(query_params or {}, "versionId", ""))
    if root is None or len(root) or record is None or not s3._bucket_object_lock.get(bucket_name):
        return stock(bucket_name, key, body, headers, query_params)
    version = record.get("version_id")
    where = (bucket_name, key, None if version == "null" else version)
    denied: Response | None = s3._check_object_lock(bucket_name, key, headers, where[2])
    if denied:
        return denied
    s3._object_retention.pop(where, None)
    return 200, {}, b""


def install() -> None:
    """Take over where tags, permissions and locks of objects are read and written."""
    of_read, of_write = ("bucket_name", "key", "query_params"), ("bucket_name", "key", "body", "query_params")
    headed = ("bucket_name", "key", "body", "headers", "query_params")
    any_marker, named_marker = _refusing(latest=True), _refusing(latest=False)
    for name in ("_get_object_tagging", "_delete_object_tagging"):
        extend(s3, name, *of_read)(any_marker)
    extend(s3, "_put_object_tagging", *of_write)(any_marker)
    extend(s3, "_put_object_acl", *headed)(any_marker)
    for name in ("_get_object_acl", "_get_object_retention", "_get_object_legal_hold"):
        extend(s3, name, *of_read)(named_marker)
    extend(s3, "_put_object_legal_hold", *of_write)(named_marker)
    extend(s3, "_put_object_retention", *headed)(_put_retention)
