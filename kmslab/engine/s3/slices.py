"""Reads of less than an object: a range of its bytes, or one of its parts, of any version, with GET and HEAD.

Recorded from S3 (LocalStack's ``test_s3.py``: test_range_*; ``test_s3_api.py``: test_get_object_range,
test_get_object_part): a range that is malformed is no range, a part that is not there is told with how many there are,
and an object that was not made of parts is its own first part. A checksum of the whole is told with the whole only; of
a part, where the object's checksum is one of the parts'.
"""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from ministack.services import s3

from kmslab.engine.hooks import extend
from kmslab.engine.s3.errors import error
from kmslab.engine.s3.records import found
from kmslab.engine.s3.uploads import COMPOSITE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from kmslab.engine.s3.calls import Record
    from kmslab.engine.s3.errors import Response

PART = "partNumber"
_RANGE = re.compile(r"bytes=([0-9]*)-([0-9]*)", re.ASCII)
_DIGITS = 18
"""Of a number that counts bytes; more are no range."""
_BOTH = "Cannot specify both Range header and partNumber query parameter"


def _of_range(text: str, size: int) -> slice | None:
    """The bytes of a Range header; None for the whole object.

    Raises:
        ValueError: no byte of the object is in it.
    """
    spelled = _RANGE.fullmatch(text.strip())
    if spelled is None or max(map(len, spelled.groups())) > _DIGITS or not any(spelled.groups()):
        return None
    first, last = (int(one) if one else None for one in spelled.groups())
    if (first is None and not last) or (first is not None and first >= size):
        raise ValueError(text)
    if first is None:
        first, last = max(0, size - (last or 0)), None
    end = size if last is None else min(last + 1, size)
    return slice(first, end) if first < end else None


def _of_part(number: int, record: Record) -> slice | None:
    """The bytes of a part; None for one that is not there."""
    parts = record.get("parts")
    if not parts:
        return slice(0, record["size"]) if number == 1 else None
    start = 0
    for part in parts:
        if part["PartNumber"] == number:
            return slice(start, start + part["Size"])
        start += part["Size"]
    return None


def _asked_for(record: Record, text: str, number: str) -> Any:
    """The bytes that are asked for, None for all of them, or S3's refusal."""
    if text and number:
        return error("InvalidRequest", _BOTH)
    if not record["size"] and number == "1":
        return None
    if number:
        count = str(len(record.get("parts") or ()) or 1)
        told = {"PartNumberRequested": number, "ActualPartCount": count}
        message = "The requested partnumber is not satisfiable"
        return _of_part(int(number), record) or error("InvalidPartNumber", message, 416, **told)
    try:
        return _of_range(text, record["size"])
    except ValueError:
        told = {"ActualObjectSize": str(record["size"]), "RangeRequested": text}
        status, headers, body = error("InvalidRange", "The requested range is not satisfiable", 416, **told)
        return status, {**headers, "Content-Range": f"bytes */{record['size']}"}, body


def _checksums(headers: Mapping[str, str], record: Record, bytes_of: slice, number: str) -> dict[str, str]:
    """The checksums among an answer's headers that fit these bytes."""
    there = {name: text for name, text in headers.items() if name.startswith("x-amz-checksum-")}
    if there and number and record.get("checksum_type") == COMPOSITE:
        part = next(one for one in record["parts"] if one["PartNumber"] == int(number))
        sums = {name: text for name, text in part.items() if name.startswith("Checksum")}
        own = {f"x-amz-checksum-{name.removeprefix('Checksum').lower()}": text for name, text in sums.items()}
        return {**own, "x-amz-checksum-type": COMPOSITE}
    return there if bytes_of == slice(0, record["size"]) else {}


def _read(
    stock: Callable[..., Response],
    bucket_name: str,
    key: str,
    headers: Mapping[str, str] | None = None,
    query_params: Mapping[str, Any] | None = None,
) -> Response:
    """Read all that may be read, and answer with what was asked for of it."""
    given, query = headers or {}, query_params or {}
    text, number = given.get("range", ""), s3._qp(query, PART, "")
    if not text and not number:
        return stock(bucket_name, key, headers, query_params)
    status, answered, body = stock(
        bucket_name,
        key,
        {name: value for name, value in given.items() if name != "range"},
        {name: value for name, value in query.items() if name != PART},
    )
    record = found(bucket_name, key, s3._qp(query, "versionId", ""))
    if status != HTTPStatus.OK or record is None:
        return status, answered, body
    wanted = _asked_for(record, text, number)
    if not isinstance(wanted, slice):
        whole: Response = wanted or (status, answered, body)
        return whole
    kept = {name: value for name, value in answered.items() if not name.startswith("x-amz-checksum-")}
    kept |= _checksums(answered, record, wanted, number)
    kept["Content-Length"] = str(wanted.stop - wanted.start)
    kept["Content-Range"] = f"bytes {wanted.start}-{wanted.stop - 1}/{record['size']}"
    if number and record.get("parts"):
        kept["x-amz-mp-parts-count"] = str(len(record["parts"]))
    return HTTPStatus.PARTIAL_CONTENT, kept, body[wanted]


def install() -> None:
    """Take over where objects are read."""
    extend(s3, "_get_object", "bucket_name", "key", "headers", "query_params")(_read)
    extend(s3, "_head_object", "bucket_name", "key", "headers", "query_params")(_read)
