"""Listings of objects and versions: each with its checksum's algorithm, as recorded from S3.

LocalStack's ``test_s3_list_operations.py`` and its snapshot (2025): ``ChecksumAlgorithm`` and ``ChecksumType`` beside
the ETag.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote
from xml.etree.ElementTree import Element

from ministack.services import s3

from kmslab.engine.hooks import extend
from kmslab.engine.s3.answers import found
from kmslab.engine.s3.markup import children, parsed, written
from kmslab.engine.s3.uploads import FULL_OBJECT

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from kmslab.engine.s3.errors import Response

ENTRIES = ("}Contents", "}Version")
LISTINGS = ("_list_objects_v1", "_list_objects_v2", "_list_object_versions")


def _tell(entry: Element, bucket: str, encoded: bool) -> None:
    """Add to an entry what S3 knows of the object's checksum."""
    shown = children(entry)
    key = unquote(shown["Key"]) if encoded else shown["Key"]
    record = found(bucket, key, shown.get("VersionId", ""))
    if record is None or not record.get("checksums"):
        return
    kind = record.get("checksum_type") or FULL_OBJECT
    added = [*(("ChecksumAlgorithm", name) for name in record["checksums"]), ("ChecksumType", kind)]
    place = list(shown).index("ETag") + 1
    for name, text in reversed(added):
        node = Element(f"{{{s3.S3_NS}}}{name}")
        node.text = text
        entry.insert(place, node)


def _list(stock: Callable[..., Response], bucket_name: str, query_params: Mapping[str, Any]) -> Response:
    """Complete the entries of a listing."""
    status, answered, body = stock(bucket_name, query_params)
    root = parsed(body)
    if status != HTTPStatus.OK or root is None:
        return status, answered, body
    encoded = children(root).get("EncodingType") == "url"
    for entry in [node for node in root if node.tag.endswith(ENTRIES)]:
        _tell(entry, bucket_name, encoded)
    return status, answered, written(root)


def install() -> None:
    """Take over where objects are listed."""
    for name in LISTINGS:
        extend(s3, name, "bucket_name", "query_params")(_list)
