"""Conditions on writes that S3 does not know, and a time to come as a condition on a read.

Recorded from S3 (LocalStack's ``test_s3_api.py``, TestS3ConditionalWrites; ``test_s3.py`` and ``test_s3_preconditions.py``, the
preconditions of GetObject, HeadObject and CopyObject): a write takes ``If-None-Match: *`` or ``If-Match`` with an ETag, not both, and a copy too;
an upload in parts does not complete on a condition when its object was put or deleted since it was begun;
``If-Modified-Since`` with a time to come is no condition.
"""

from __future__ import annotations

from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from ministack.services import s3

from kmslab.engine.hooks import extend
from kmslab.engine.s3.calls import CALL
from kmslab.engine.s3.errors import error
from kmslab.engine.s3.uploads import begun

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from kmslab.engine.s3.calls import Record
    from kmslab.engine.s3.errors import Response

EXISTED = "kmslab_existed"
"""Where an upload's record keeps whether there was an object when it was begun."""
OF_THE_SOURCE = "x-amz-copy-source-"
"""Before the name of a condition that the source of a copy has to meet."""
MATCH, NONE_MATCH, MODIFIED = "If-Match", "If-None-Match", "If-Modified-Since"


def _not_implemented(header: str, why: str) -> Any:
    message = "A header you provided implies functionality that is not implemented"
    return error("NotImplemented", message, 501, Header=header, additionalMessage=why)


def _of_write(
    stock: Callable[..., Response | None], headers: Mapping[str, str], existing_obj: Record | None
) -> Any:
    """Refuse a condition that no write has."""
    match, none_match = (headers.get(name.lower(), "").strip() for name in (MATCH, NONE_MATCH))
    if match and none_match:
        several = "Multiple conditional request headers present in the request"
        return _not_implemented(f"{MATCH},{NONE_MATCH}", several)
    if match == "*" or none_match not in ("", "*"):
        header = NONE_MATCH if none_match else MATCH
        return _not_implemented(header, f"We don't accept the provided value of {header} header for this API")
    if refused := stock(headers, existing_obj):
        return refused
    return _conflict(MATCH if match else NONE_MATCH, existing_obj) if match or none_match else None


def _conflict(condition: str, existing_obj: Record | None) -> Any:
    """S3's answer to an upload in parts whose object was changed while it was under way; None to any other write."""
    call = CALL.get()
    upload_id = s3._qp(call.query, "uploadId", "") if call and call.method == "POST" else ""
    upload = s3._multipart_uploads.get(upload_id) if upload_id else None
    if call is None or upload is None:
        return None
    was_put = existing_obj is not None and existing_obj["last_modified"] > upload["created"]
    was_deleted = existing_obj is None and upload.get(EXISTED)
    if not was_put and not was_deleted:
        return None
    message = "The conditional request cannot succeed due to a conflicting operation against this resource."
    named = {"Condition": condition, "Key": call.key}
    return error("ConditionalRequestConflict", message, 409, **named)


def _create(
    stock: Callable[..., Response], bucket_name: str, key: str, headers: Mapping[str, str]
) -> Response:
    """Remember with an upload whether there was an object when it was begun."""
    existed = key in (s3._buckets.get(bucket_name) or {}).get("objects", {})
    response = stock(bucket_name, key, headers)
    if response[0] == HTTPStatus.OK:
        begun(response[2])[EXISTED] = existed
    return response


def _of_read(
    stock: Callable[..., Response | None],
    headers: Mapping[str, str],
    obj: Record,
    resp_headers: Mapping[str, str],
) -> Any:
    """Leave a time to come out."""
    return stock(_without_what_is_to_come(headers, MODIFIED.lower()), obj, resp_headers)


def _of_source(stock: Callable[..., Response | None], headers: Mapping[str, str], src_obj: Record) -> Any:
    """Leave it out of the conditions of a copy, too."""
    return stock(_without_what_is_to_come(headers, OF_THE_SOURCE + MODIFIED.lower()), src_obj)


def _without_what_is_to_come(headers: Mapping[str, str], condition: str) -> Mapping[str, str]:
    """Headers without a condition whose time has not come yet."""
    since = s3._parse_http_date(headers.get(condition, ""))
    if since is None or since <= datetime.now(UTC):
        return headers
    return {name: text for name, text in headers.items() if name != condition}


def _copy(stock: Callable[..., Response], bucket_name: str, dest_key: str, headers: Mapping[str, str]) -> Any:
    """Hold a copy to the conditions of a write."""
    bucket = s3._buckets.get(bucket_name)
    refused = bucket and s3._check_put_preconditions(headers, bucket["objects"].get(dest_key))
    return refused or stock(bucket_name, dest_key, headers)


def install() -> None:
    """Take over where conditions are looked at."""
    extend(s3, "_check_put_preconditions", "headers", "existing_obj")(_of_write)
    extend(s3, "_check_copy_source_preconditions", "headers", "src_obj")(_of_source)
    extend(s3, "_check_read_preconditions", "headers", "obj", "resp_headers")(_of_read)
    extend(s3, "_create_multipart_upload", "bucket_name", "key", "headers")(_create)
    extend(s3, "_copy_object", "bucket_name", "dest_key", "headers")(_copy)
