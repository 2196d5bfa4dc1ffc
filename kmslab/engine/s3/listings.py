"""Listings of objects and versions, page by page, as recorded from S3.

LocalStack's ``test_s3_list_operations.py`` and its snapshot (2025): ``ChecksumAlgorithm`` and ``ChecksumType`` beside
the ETag, dates to the second, a version's marker with its key's only; a page of versions goes on where its marker was,
also when that version is gone. The bucket's Region comes with a listing of objects (``test_s3.py``,
test_region_header_exists).
"""

from __future__ import annotations

import base64
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote
from xml.etree.ElementTree import Element, SubElement

from ministack.services import s3

from kmslab.engine.hooks import extend
from kmslab.engine.s3.errors import error
from kmslab.engine.s3.markup import children, name_of, parsed, to_the_second, written
from kmslab.engine.s3.pages import MOST, Asked, add, page_of
from kmslab.engine.s3.records import found
from kmslab.engine.s3.uploads import FULL_OBJECT
from kmslab.engine.s3.version_ids import moment_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from kmslab.engine.s3.calls import Record
    from kmslab.engine.s3.errors import Response

    Query = Mapping[str, Any]

TOKEN = "continuation-token"  # noqa: S105  # a place in a listing, no secret
MARKER = "version-id-marker"


def _checksum_of(record: Record) -> list[tuple[str, str]]:
    """What a listing tells of an object's checksum."""
    names = record.get("checksums") or ()
    kind = ("ChecksumType", record.get("checksum_type") or FULL_OBJECT)
    return [*(("ChecksumAlgorithm", name) for name in names), kind] if names else []


def _tell(entry: Element, bucket: str, encoded: bool) -> None:
    """Add to an entry what S3 knows of the object's checksum, and its date to the second."""
    shown = children(entry)
    for node in [one for one in entry if name_of(one) == "LastModified"]:
        node.text = to_the_second(node.text or "")
    record = found(bucket, unquote(shown["Key"]) if encoded else shown["Key"], "")
    place = list(shown).index("ETag") + 1
    for name, text in reversed(_checksum_of(record or {})):
        node = Element(f"{{{s3.S3_NS}}}{name}")
        node.text = text
        entry.insert(place, node)


def _is_token(text: str) -> bool:
    """Whether a text is a token that a listing of MiniStack's has given."""
    try:
        return bool(base64.b64decode(text, validate=True).decode())
    except ValueError:
        return False


def _list(stock: Callable[..., Response], bucket_name: str, query_params: Query) -> Any:
    """Complete the entries of a listing of objects."""
    if (
        bucket_name in s3._buckets
        and TOKEN in query_params
        and not _is_token(s3._qp(query_params, TOKEN, ""))
    ):
        message = "The continuation token provided is incorrect"
        return error("InvalidArgument", message, ArgumentName=TOKEN)
    most = min(int(s3._qp(query_params, "max-keys", "") or MOST), MOST)
    status, answered, body = stock(bucket_name, {**query_params, "max-keys": [str(most)]})
    root = parsed(body)
    if status != HTTPStatus.OK or root is None:
        return status, answered, body
    answered = {**answered, "x-amz-bucket-region": s3.bucket_region(bucket_name)}
    there = children(root)
    for entry in [node for node in root if name_of(node) == "Contents"]:
        _tell(entry, bucket_name, there.get("EncodingType") == "url")
    for node in list(root):
        # A token goes on where it was given, wherever the listing was to begin.
        if (name_of(node) == "StartAfter" and "ContinuationToken" in there) or (
            not most and name_of(node) in ("NextMarker", "NextContinuationToken")
        ):
            root.remove(node)
        elif not most and name_of(node) == "IsTruncated":
            node.text = "false"
    return status, answered, written(root)


def _versions_of(bucket: str, key: str) -> list[Record]:
    """The versions of a key, the latest first; the object alone where nothing else was ever kept."""
    versions: list[Record] = s3._object_versions.get((bucket, key)) or []
    current = s3._buckets[bucket]["objects"].get(key)
    if not versions and current:
        versions = [{**current, "version_id": current.get("version_id") or "null", "is_latest": True}]
    return versions[::-1]


def _after(versions: list[Record], marker: str) -> list[str]:
    """The ids of versions that come after one, which may be gone."""
    ids = [one["version_id"] for one in versions]
    if marker in ids:
        return ids[ids.index(marker) + 1 :]
    gone = moment_of(marker) or 0
    older = [place for place, one in enumerate(ids) if (moment_of(one) or gone) < gone]
    return ids[older[0] :] if older else []


def _list_versions(stock: Callable[..., Response], bucket_name: str, query_params: Query) -> Any:
    """List versions."""
    if bucket_name not in s3._buckets:
        return stock(bucket_name, query_params)
    asked = Asked.of(query_params, MARKER, "max-keys")
    if asked.id_marker and not asked.key_marker:
        message = "A version-id marker cannot be specified without a key marker."
        named = {"ArgumentName": MARKER, "ArgumentValue": asked.id_marker}
        return error("InvalidArgument", message, 400, **named)
    known = {key for bucket, key in s3._object_versions if bucket == bucket_name}
    keys = sorted(known.union(s3._buckets[bucket_name]["objects"]))
    rest = _after(_versions_of(bucket_name, asked.key_marker), asked.id_marker) if asked.id_marker else []
    things = ((key, one["version_id"], one) for key in keys for one in _versions_of(bucket_name, key))
    page = page_of(things, asked, rest)
    root = Element("ListVersionsResult", xmlns=s3.S3_NS)
    next_key, next_version = None, None
    if page.is_truncated and page.last_is_prefix:
        next_key = asked.spelled(page.prefixes[-1])
    elif page.is_truncated:
        next_key, next_version = asked.spelled(page.entries[-1][0]), page.entries[-1][1]["version_id"]
    add(
        root,
        {
            "Name": bucket_name,
            "Prefix": asked.spelled(asked.prefix),
            "KeyMarker": asked.spelled(asked.key_marker),
            "VersionIdMarker": asked.id_marker,
            "NextKeyMarker": next_key,
            "NextVersionIdMarker": next_version,
            "MaxKeys": str(asked.most),
            "Delimiter": asked.spelled(asked.delimiter) or None,
            "EncodingType": asked.encoding or None,
            "IsTruncated": str(page.is_truncated).lower(),
        },
    )
    for key, version in page.entries:
        _tell_version(root, asked.spelled(key), version)
    for prefix in page.prefixes:
        add(SubElement(root, "CommonPrefixes"), {"Prefix": asked.spelled(prefix)})
    return 200, {"Content-Type": "application/xml"}, s3._xml_body(root)


def _tell_version(root: Element, key: str, version: Record) -> None:
    """Describe a version or a delete marker."""
    is_marker = bool(version.get("is_delete_marker"))
    node = SubElement(root, "DeleteMarker" if is_marker else "Version")
    members = {
        "Key": key,
        "VersionId": version["version_id"],
        "IsLatest": str(bool(version["is_latest"])).lower(),
        "LastModified": to_the_second(version["last_modified"]),
    }
    add(node, members)
    if not is_marker:
        add(node, {"ETag": version["etag"]})
        for name, text in _checksum_of(version):
            add(node, {name: text})
        add(node, {"Size": str(version["size"]), "StorageClass": version.get("storage_class") or "STANDARD"})
    add(SubElement(node, "Owner"), {"ID": s3._canonical_owner_id(), "DisplayName": "ministack"})


def install() -> None:
    """Take over where objects and versions are listed."""
    extend(s3, "_list_objects_v1", "bucket_name", "query_params")(_list)
    extend(s3, "_list_objects_v2", "bucket_name", "query_params")(_list)
    extend(s3, "_list_object_versions", "bucket_name", "query_params")(_list_versions)
