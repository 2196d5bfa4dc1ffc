"""When an object expires by the rules of its bucket, and rules that S3 refuses. Nothing is deleted by them here.

Recorded from S3 (LocalStack's ``test_s3.py``, TestS3BucketLifecycle): the date is told with an object, not with a
version that is named. Amazon S3 User Guide, "Setting a lifecycle configuration": the day is rounded up to midnight UTC;
of several rules the one that expires first counts.
"""

from __future__ import annotations

import secrets
from datetime import UTC, datetime, time, timedelta
from email.utils import format_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from ministack.services import s3

from kmslab.engine.hooks import extend
from kmslab.engine.s3.errors import error
from kmslab.engine.s3.markup import children, moment, name_of, parsed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from xml.etree.ElementTree import Element

    from kmslab.engine.s3.calls import Record
    from kmslab.engine.s3.errors import Response

    Query = Mapping[str, Any]

EXPIRATION = "x-amz-expiration"
_OF_THE_WHOLE = frozenset({"x-id", "partNumber"})
"""Parameters with which a read is one of the object all the same."""
_ID_BYTES = 36


def _midnight_after(moment: datetime) -> datetime:
    return datetime.combine(moment.date() + timedelta(days=1), time(), UTC)


def _expires(rule: Mapping[str, Any], made: datetime) -> datetime | None:
    """When a rule deletes what was made at some time; None when it does not, or not within ten thousand years."""
    expiration = rule.get("Expiration", {})
    if days := expiration.get("Days"):
        try:
            return _midnight_after(made + timedelta(days=days))
        except OverflowError:
            return None
    return moment(expiration["Date"]) if expiration.get("Date") else None


def _is_of(rule: Mapping[str, Any], key: str, size: int, tags: Mapping[str, str]) -> bool:
    """Whether an object falls under a rule."""
    chosen = rule.get("Filter", {})
    chosen = {**chosen, **chosen.get("And", {})}
    wanted = [*chosen.get("Tags", []), *([chosen["Tag"]] if "Tag" in chosen else [])]
    return (
        rule.get("Status") == "Enabled"
        and key.startswith(chosen.get("Prefix", ""))
        and all(tags.get(tag["Key"]) == tag["Value"] for tag in wanted)
        and size > chosen.get("ObjectSizeGreaterThan", -1)
        and size < chosen.get("ObjectSizeLessThan", size + 1)
    )


def expiration_of(bucket: str, key: str, record: Record) -> str:
    """What S3 tells of an object's end: the date and the rule; empty when no rule ends it."""
    made = moment(record["last_modified"])
    tags = s3._object_tags.get((bucket, key, record.get("version_id"))) or {}
    ends = [
        (end, rule.get("ID", ""))
        for rule in s3._bucket_lifecycle.get(bucket) or ()
        if _is_of(rule, key, record["size"], tags) and (end := _expires(rule, made))
    ]
    if not ends:
        return ""
    end, identifier = min(ends)
    return f'expiry-date="{format_datetime(end, usegmt=True)}", rule-id="{quote(identifier, safe="")}"'


def _dispatch(
    stock: Callable[..., Response],
    method: str,
    bucket: str,
    key: str,
    headers: dict[str, str],
    body: bytes,
    query_params: Query,
) -> Response:
    """Tell with an object when it expires."""
    status, answered, told = stock(method, bucket, key, headers, body, query_params)
    further = query_params.keys() - _OF_THE_WHOLE
    completes = method == "POST" and further == {"uploadId"}
    is_object = completes or (method in ("GET", "HEAD", "PUT") and not further)
    if not is_object or status not in (HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT):
        return status, answered, told
    record = (s3._buckets.get(bucket) or {}).get("objects", {}).get(key)
    if record and s3._bucket_lifecycle.get(bucket) and (expiration := expiration_of(bucket, key, record)):
        answered = {**answered, EXPIRATION: expiration}
    return status, answered, told


def _unfit(rule: Element) -> Any:
    """S3's answer to a rule that it does not take; None to one that it takes."""
    parts = {name_of(node): node for node in rule}
    chosen = [name_of(node) for node in parts.get("Filter", ())]
    old = children(parts["NoncurrentVersionExpiration"]) if "NoncurrentVersionExpiration" in parts else None
    end = children(parts["Expiration"]) if "Expiration" in parts else {}
    malformed = (
        "Status" not in parts
        or not parts.keys() & {"Filter", "Prefix"}
        or len(chosen) > 1
        or (old is not None and "NoncurrentDays" not in old)
        or ("ExpiredObjectDeleteMarker" in end and end.keys() & {"Days", "Date"})
    )
    if malformed:
        return error("MalformedXML", s3._MALFORMED_XML)
    tags = [children(node).get("Key") for node in rule.iter() if name_of(node) == "Tag"]
    if len(set(tags)) < len(tags):
        return error("InvalidRequest", "Duplicate Tag Keys are not allowed.")
    return _not_midnight(end["Date"]) if end.get("Date") else None


def _not_midnight(date: str) -> Any:
    """S3's answer to a date that is none, or has a time; None to one that it takes."""
    try:
        told = moment(date)
    except ValueError:
        return error("MalformedXML", s3._MALFORMED_XML)
    if told.time() == time():
        return None
    named = {"ArgumentName": "Date", "ArgumentValue": date}
    return error("InvalidArgument", "'Date' must be at midnight GMT", 400, **named)


def _put(stock: Callable[..., Response], name: str, body: bytes) -> Any:
    """Refuse rules that are none, and give those an id that have none."""
    root = parsed(body)
    rules = [node for node in root if name_of(node) == "Rule"] if root is not None else []
    if name in s3._buckets and not rules:
        return error("MalformedXML", s3._MALFORMED_XML)
    if name in s3._buckets and (refused := next(filter(None, map(_unfit, rules)), None)):
        return refused
    before = s3._bucket_lifecycle.get(name)
    response = stock(name, body)
    kept = s3._bucket_lifecycle.get(name)
    if isinstance(kept, str):  # numbers that are none: MiniStack keeps what it does not understand
        s3._bucket_lifecycle.pop(name)
        if before is not None:
            s3._bucket_lifecycle[name] = before
        return error("MalformedXML", s3._MALFORMED_XML)
    for rule in kept or ():
        rule.setdefault("ID", secrets.token_urlsafe(_ID_BYTES))
    return response


def install() -> None:
    """Take over where rules are put, and where objects are told of."""
    extend(s3, "_dispatch", "method", "bucket", "key", "headers", "body", "query_params")(_dispatch)
    extend(s3, "_put_bucket_lifecycle", "name", "body")(_put)
