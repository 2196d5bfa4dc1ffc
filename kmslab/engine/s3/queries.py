"""Numbers in a query that are none, and versions that are none.

Recorded from S3 (backlot#192, LocalStack's ``test_s3_api.py``): a count below zero and one that is no number are
told in two ways, a part's number in a third. What is no version's id is refused; a bucket that never had versions knows
``null`` only.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from ministack.services import s3

from kmslab.engine.hooks import extend
from kmslab.engine.s3.errors import error
from kmslab.engine.s3.version_ids import is_known

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

COUNTS = ("max-keys", "max-parts", "max-uploads", "part-number-marker")
ENCODING = "encoding-type"
BUCKETS = "max-buckets"
PART = "partNumber"
PARTS = 10_000
"""Of an upload, and buckets of a page (Amazon S3 API Reference, "ListBuckets")."""
MOST = 2**31 - 1
_NUMBER = re.compile(r"[+-]?[0-9]+", re.ASCII)


def _number(text: str) -> int | None:
    """An integer of 32 bits; None for anything else."""
    value = int(text) if _NUMBER.fullmatch(text) and len(text) < len(str(MOST)) + 2 else MOST + 1
    return value if -MOST - 1 <= value <= MOST else None


def unfit(query: Mapping[str, Any]) -> Any:
    """S3's answer to a number that is none, or none of those that it takes; None when all are."""
    for name in [one for one in COUNTS if one in query]:
        text = s3._qp(query, name, "")
        value = _number(text) if text else 0
        if value is None:
            message = f"Provided {name} not an integer or within integer range"
            return error("InvalidArgument", message, ArgumentName=name, ArgumentValue=text)
        if value < 0:
            spelled = re.sub("-([a-z])", lambda found: found[1].upper(), name)
            message = f"Argument {spelled} must be an integer between 0 and {MOST}"
            return error("InvalidArgument", message, ArgumentName=spelled, ArgumentValue=text)
    if (encoding := s3._qp(query, ENCODING, "") or "url") != "url":
        message = "Invalid Encoding Method specified in Request"
        return error("InvalidArgument", message, ArgumentName=ENCODING, ArgumentValue=encoding)
    if BUCKETS in query and not 1 <= (_number(text := s3._qp(query, BUCKETS, "") or "1") or 0) <= PARTS:
        message = f"Argument {BUCKETS} must be an integer between 1 and {PARTS}"
        return error("InvalidArgument", message, ArgumentName=BUCKETS, ArgumentValue=text)
    if PART in query and not 1 <= (_number(text := s3._qp(query, PART, "")) or 0) <= PARTS:
        message = f"Part number must be an integer between 1 and {PARTS}, inclusive"
        return error("InvalidArgument", message, ArgumentName=PART, ArgumentValue=text)
    return None


def _no_version(bucket: str, key: str, query: Mapping[str, Any]) -> Any:
    """S3's answer to what is no version's id; None for any other."""
    version = s3._qp(query, "versionId", "") if key else ""
    if not version or bucket not in s3._buckets or is_known(bucket, key, version):
        return None
    named = {"ArgumentName": "versionId", "ArgumentValue": version}
    return error("InvalidArgument", "Invalid version id specified", 400, **named)


def _dispatch(
    stock: Callable[..., Any],
    method: str,
    bucket: str,
    key: str,
    headers: dict[str, str],
    body: bytes,
    query_params: dict[str, Any],
) -> Any:
    """Refuse what S3 does not count with, or does not have; a count without a value is one that was not given."""
    if query_params:
        if refused := unfit(query_params) or _no_version(bucket, key, query_params):
            return refused
        empty = [name for name in COUNTS if name in query_params and not s3._qp(query_params, name, "")]
        query_params = {name: text for name, text in query_params.items() if name not in empty}
    return stock(method, bucket, key, headers, body, query_params)


def install() -> None:
    """Take over before S3 looks at a request."""
    extend(s3, "_dispatch", "method", "bucket", "key", "headers", "body", "query_params")(_dispatch)
