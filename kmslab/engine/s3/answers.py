"""What S3 adds to its answers, and what it leaves out, beside the object itself.

Amazon S3 API Reference, response syntax of each operation, and recorded from S3: the additional encryption
context is shown to the writer only; a completion does not repeat SSE-C; a write answers with the checksum that it
came with; GetObjectAttributes needs the key of an object under SSE-C, and names every storage class; a read in a bucket
that has or had versions names the version ``null``, and so does a copy where they are suspended, but no put (LocalStack's
``test_s3_api.py``, test_put_object_on_suspended_bucket; ``test_s3.py``, test_s3_copy_object_in_place_suspended_only).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from xml.etree.ElementTree import SubElement, fromstring

from ministack.services import s3

from kmslab.engine.hooks import extend
from kmslab.engine.s3.calls import CALL
from kmslab.engine.s3.checksums import unknown
from kmslab.engine.s3.copies import plainly
from kmslab.engine.s3.etag import amend
from kmslab.engine.s3.headers import CONTEXT, CUSTOMER
from kmslab.engine.s3.markup import dated, written
from kmslab.engine.s3.records import found

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from xml.etree.ElementTree import Element

    from kmslab.engine.s3.calls import Call, Record
    from kmslab.engine.s3.errors import Response

_TAKEN = range(200, 400)
OF_NO_VERSION = frozenset({"acl", "annotation", "legal-hold", "retention", "uploadId"})
"""Parameters of reads whose answers name no version (botocore's model)."""


def _checksums_of(record: Record) -> dict[str, str]:
    found = {
        f"x-amz-checksum-{name.lower()}": value for name, value in (record.get("checksums") or {}).items()
    }
    return {**found, "x-amz-checksum-type": "FULL_OBJECT"} if found else {}


def _names_null(call: Call, query: Mapping[str, Any]) -> bool:
    """Whether the answer to a call names the version ``null``: to a read, a copy, and all about tags; not to a put."""
    reads = call.method in ("GET", "HEAD") and not OF_NO_VERSION.intersection(query)
    copies = "x-amz-copy-source" in call.headers and "uploadId" not in query
    return "tagging" in query or reads or copies


def _completed(call: Call, query: Mapping[str, Any], response: Response) -> Response:
    """An answer with the headers that AWS sends."""
    status, headers, body = response
    if status not in _TAKEN or not (call.key or call.made):
        return response
    writes = (call.method == "PUT" and "uploadId" not in query) or "uploads" in query
    if _names_null(call, query) and s3._bucket_versioning.get(call.bucket):
        headers = {"x-amz-version-id": "null", **headers}
    dropped: tuple[str, ...] = () if writes else (CONTEXT,)
    if call.method == "POST" and "uploadId" in query:
        dropped = (CONTEXT, *(name for name in headers if name.startswith(CUSTOMER)))
    added: dict[str, str] = {}
    if call.made and call.method in ("PUT", "POST"):
        record = call.made[-1]
        added = _checksums_of(record)
        if call.method == "POST":
            added |= {**s3._stored_sse_headers(record), "ETag": record["etag"]}
            body = _with_etag(body, headers.get("ETag", ""), record["etag"])
            added.pop(CONTEXT, None)
    if not added and not any(name in headers for name in dropped):
        return status, headers, body
    return status, {name: text for name, text in {**headers, **added}.items() if name not in dropped}, body


def _with_etag(body: bytes, old: str, new: str) -> bytes:
    """The answer to a POST that asked for one in XML, with the ETag that the object has."""
    return body.replace(old.strip('"').encode(), new.strip('"').encode()) if old else body


def _dispatch(
    stock: Callable[..., Response],
    method: str,
    bucket: str,
    key: str,
    headers: dict[str, str],
    body: bytes,
    query_params: dict[str, Any],
) -> Response:
    """Complete what MiniStack answers."""
    response, call = stock(method, bucket, key, headers, body, query_params), CALL.get()
    return _completed(call, query_params, response) if call else response


def _attributes(
    stock: Callable[..., Response],
    bucket_name: str,
    key: str,
    headers: dict[str, str],
    query_params: dict[str, Any],
) -> Response:
    """Ask for the object's key as a read does, and tell the storage class of every object."""
    record = found(bucket_name, key, s3._qp(query_params, "versionId", ""))
    if record and not record.get("is_delete_marker"):
        refused: Response | None = s3._check_sse_read_headers(headers, record)
        if refused:
            return plainly(refused)
    elif record:
        marked: Response = s3._delete_marker_read_refused(record)
        return marked
    if record and record is s3._buckets[bucket_name]["objects"].get(key):
        query_params = {name: text for name, text in query_params.items() if name != "versionId"}
    status, answered, body = stock(bucket_name, key, headers, query_params)
    if status not in _TAKEN:
        return status, answered, body
    asked = {one.strip() for one in headers.get("x-amz-object-attributes", "").split(",")}
    return status, answered, _with_all(body, record or {}, asked)


def _with_all(body: bytes, record: Record, asked: set[str]) -> bytes:
    """The attributes of an object as S3 tells them."""
    root = fromstring(body)  # noqa: S314  # MiniStack's own answer
    for node in [one for one in root if one.tag.endswith("}Checksum")]:
        for value in [one for one in node if not one.tag.endswith("}ChecksumType")]:
            # Here S3 tells the checksum of checksums without the number of parts.
            value.text = (value.text or "").split("-")[0]
        for kind in [one for one in node if one.tag.endswith("}ChecksumType")]:
            kind.text = record.get("checksum_type") or "FULL_OBJECT"
        if not len(node):
            root.remove(node)
    for node in [one for one in root if one.tag.endswith("}ObjectParts")]:
        _tell_parts(root, node, record)
    if "StorageClass" in asked and not any(one.tag.endswith("}StorageClass") for one in root):
        SubElement(root, f"{{{s3.S3_NS}}}StorageClass").text = "STANDARD"
    return written(root)


def _head(
    stock: Callable[..., Response],
    bucket_name: str,
    key: str,
    headers: Mapping[str, str] | None = None,
    query_params: Mapping[str, Any] | None = None,
) -> Response:
    """Tell how many tags an object has, as a read does."""
    status, answered, body = stock(bucket_name, key, headers, query_params)
    if status not in _TAKEN:
        return status, answered, body
    version = answered.get("x-amz-version-id")
    count = s3._object_tagging_count_header(bucket_name, key, None if version == "null" else version)
    return status, {**answered, **count}, body


def _tell_parts(root: Element, node: Element, record: Record) -> None:
    """Leave the parts of an object to what S3 tells: each with its checksum, or how many there are."""
    parts = {str(part["PartNumber"]): part for part in record.get("parts") or ()}
    if not parts:
        root.remove(node)
    elif record.get("checksum_type") != "COMPOSITE":
        for child in [one for one in node if not one.tag.endswith("}PartsCount")]:
            node.remove(child)
    else:
        for part in [one for one in node if one.tag.endswith("}Part")]:
            number = next(one.text for one in part if one.tag.endswith("}PartNumber"))
            for name, value in parts[str(number)].items():
                if name.startswith("Checksum"):
                    SubElement(part, f"{{{s3.S3_NS}}}{name}").text = value


def _copied(
    stock: Callable[..., Response], bucket_name: str, dest_key: str, headers: Mapping[str, str]
) -> Response:
    """Tell the checksum that the copy has taken over, or the one that was asked for; not its type (recorded in 2025).

    A copy is one piece: of an object whose checksum is one of its parts' it has the one of the content (User Guide,
    "Checking object integrity").
    """
    algorithm = headers.get("x-amz-checksum-algorithm", "").upper()
    if algorithm and (refused := unknown(algorithm)):
        answer: Response = refused
        return answer
    status, answered, body = stock(bucket_name, dest_key, headers)
    body, record = dated(body), found(bucket_name, dest_key, "")
    of_parts = [name for name, value in ((record or {}).get("checksums") or {}).items() if "-" in value]
    algorithm = algorithm or "".join(of_parts)
    if algorithm and record and status in _TAKEN:
        content = s3._read_body(bucket_name, dest_key, record)
        amend(
            bucket_name, dest_key, record, checksums={algorithm: s3._compute_s3_checksum(algorithm, content)}
        )
    if status not in _TAKEN or not record or not record.get("checksums"):
        return status, answered, body
    told = "".join(f"<Checksum{name}>{value}</Checksum{name}>" for name, value in record["checksums"].items())
    return status, answered, body.replace(b"</CopyObjectResult>", f"{told}</CopyObjectResult>".encode())


def install() -> None:
    """Take over where answers leave S3."""
    extend(s3, "_dispatch", "method", "bucket", "key", "headers", "body", "query_params")(_dispatch)
    extend(s3, "_get_object_attributes", "bucket_name", "key", "headers", "query_params")(_attributes)
    extend(s3, "_head_object", "bucket_name", "key", "headers", "query_params")(_head)
    extend(s3, "_copy_object", "bucket_name", "dest_key", "headers")(_copied)
