"""The ids of versions, which look like S3's and of which S3 knows whether it has given them.

Recorded from S3 (LocalStack's ``test_s3_api.py``: test_object_version_id_format, test_delete_object_versioned,
test_delete_objects; ``test_s3_list_operations.py``: a page after a version that was deleted meanwhile): 32 letters,
digits, dots and underscores. An id that is none is refused, one whose version is gone is not; a deletion of many
objects tells both in the same way.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import time
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from xml.etree.ElementTree import SubElement, tostring

from ministack.services import s3

from kmslab.engine.hooks import extend
from kmslab.engine.s3.errors import error
from kmslab.engine.s3.markup import children, name_of, parsed, written
from kmslab.engine.s3.records import found

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from kmslab.engine.s3.calls import Record
    from kmslab.engine.s3.errors import Response

BYPASS = "x-amz-bypass-governance-retention"
LENGTH = 32
MOST = 1000
"""Objects of one deletion (Amazon S3 API Reference, "DeleteObjects")."""
_LETTERS = b"._"
_EIGHTH = 8
"""Bytes of each of an id's three parts: what is random, when it was given, and the digest of both."""


def _digest(content: bytes) -> bytes:
    return hashlib.sha256(content).digest()[:_EIGHTH]


def given_now() -> str:
    """A new id."""
    content = os.urandom(_EIGHTH) + time.time_ns().to_bytes(_EIGHTH)
    return base64.b64encode(content + _digest(content), _LETTERS).decode()


def moment_of(version_id: str) -> int | None:
    """When an id was given, in nanoseconds since the epoch; None for what never was one."""
    if len(version_id) != LENGTH or not version_id.isascii():
        return None
    try:
        content = base64.b64decode(version_id, _LETTERS, validate=True)
    except binascii.Error:
        return None
    head = content[: 2 * _EIGHTH]
    return int.from_bytes(head[_EIGHTH:]) if content[2 * _EIGHTH :] == _digest(head) else None


def is_known(bucket: str, key: str, version_id: str) -> bool:
    """Whether a request may name a version: one that is there, one that once was, or ``null``."""
    if version_id == "null" or found(bucket, key, version_id):
        return True
    return bool(s3._bucket_versioning.get(bucket)) and moment_of(version_id) is not None


def _record(
    stock: Callable[..., str | None],
    bucket_name: str,
    key: str,
    prior_obj: Record | None,
    obj: Record,
    data: object,
) -> str | None:
    """Give a version its id; what takes an object's place has none of its tags and permissions."""
    if s3._bucket_versioning.get(bucket_name) != "Enabled":
        for store in (s3._object_tags, s3._object_acl):
            store.pop((bucket_name, key, None), None)
    if stock(bucket_name, key, prior_obj, obj, data) is None:
        return None
    obj["version_id"] = given = given_now()
    s3._object_versions[(bucket_name, key)][-1]["version_id"] = given
    return given


def _mark_deleted(stock: Callable[..., str], bucket_name: str, key: str, prior_obj: Record | None) -> str:
    """Give a delete marker its id, on the disk too."""
    if stock(bucket_name, key, prior_obj) == "null":
        return "null"
    marker = s3._object_versions[(bucket_name, key)][-1]
    marker["version_id"] = given = given_now()
    s3._persist_delete_marker(bucket_name, key, marker)
    return given


def _delete(
    stock: Callable[..., Response],
    bucket_name: str,
    key: str,
    headers: Mapping[str, str] | None = None,
    query_params: Mapping[str, Any] | None = None,
) -> Any:
    """Refuse to pass over locks where there are none."""
    return _bypasses_nothing(bucket_name, headers) or stock(bucket_name, key, headers, query_params)


def _bypasses_nothing(bucket: str, headers: Mapping[str, str] | None) -> Any:
    """S3's answer to a deletion that is to pass over Object Lock in a bucket without; None to any other."""
    if BYPASS not in (headers or {}) or bucket not in s3._buckets or s3._bucket_object_lock.get(bucket):
        return None
    message = f"{BYPASS} is only applicable to Object Lock enabled buckets."
    return error("InvalidArgument", message, ArgumentName=BYPASS)


def _delete_objects(
    stock: Callable[..., Response], bucket_name: str, body: bytes, headers: Mapping[str, str] | None = None
) -> Any:
    """Tell of each version that never was, and delete the rest."""
    if refused := _bypasses_nothing(bucket_name, headers):
        return refused
    root = parsed(body)
    if root is None or bucket_name not in s3._buckets:
        return stock(bucket_name, body, headers)
    if not 0 < sum(name_of(node) == "Object" for node in root) <= MOST:
        return error("MalformedXML", s3._MALFORMED_XML)
    unknown = []
    for node in [one for one in root if name_of(one) == "Object"]:
        named = children(node)
        if (version := named.get("VersionId")) and not is_known(bucket_name, named.get("Key", ""), version):
            unknown.append((named.get("Key", ""), version))
            root.remove(node)
    status, answered, told = stock(bucket_name, tostring(root) if unknown else body, headers)
    answer = parsed(told)
    if status != HTTPStatus.OK or not unknown or answer is None:
        return status, answered, told
    for key, version in unknown:
        node = SubElement(answer, f"{{{s3.S3_NS}}}Error")
        members = {
            "Key": key,
            "VersionId": version,
            "Code": "NoSuchVersion",
            "Message": "The specified version does not exist.",
        }
        for name, text in members.items():
            SubElement(node, f"{{{s3.S3_NS}}}{name}").text = text
    return status, answered, written(answer)


def install() -> None:
    """Take over where versions get their ids, and where many are deleted."""
    extend(s3, "_record_object_version", "bucket_name", "key", "prior_obj", "obj", "data")(_record)
    extend(s3, "_record_delete_marker", "bucket_name", "key", "prior_obj")(_mark_deleted)
    extend(s3, "_delete_object", "bucket_name", "key", "headers", "query_params")(_delete)
    extend(s3, "_delete_objects", "bucket_name", "body", "headers")(_delete_objects)
