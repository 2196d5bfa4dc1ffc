"""The uploads of a bucket that are under way, in the order in which they were begun.

Recorded from S3 (LocalStack's ``test_s3_list_operations.py``, TestS3ListMultipartUploads): by key, then by time,
although the API reference says by upload id; an upload's marker has to be one of the key's; without uploads on the page
the next markers are empty.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from xml.etree.ElementTree import Element, SubElement

from ministack.core.responses import get_account_id
from ministack.services import s3

from kmslab.engine.hooks import extend
from kmslab.engine.s3.errors import error
from kmslab.engine.s3.markup import to_the_second
from kmslab.engine.s3.pages import Asked, add, page_of
from kmslab.engine.s3.uploads import checksum_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from kmslab.engine.s3.errors import Response

MARKER = "upload-id-marker"


def _list(stock: Callable[..., Response], bucket_name: str, query_params: Mapping[str, Any]) -> Any:
    """List uploads."""
    if bucket_name not in s3._buckets:
        return stock(bucket_name, query_params)
    asked = Asked.of(query_params, MARKER, "max-uploads")
    uploads = [
        (upload["key"], upload_id, upload)
        for upload_id, upload in s3._multipart_uploads.items()
        if upload["bucket"] == bucket_name
    ]
    uploads.sort(key=lambda one: one[0])
    rest: list[str] = []
    if asked.key_marker and asked.id_marker:
        same = [upload_id for key, upload_id, _ in uploads if key == asked.key_marker]
        if asked.id_marker not in same:
            named = {"ArgumentName": MARKER, "ArgumentValue": asked.id_marker}
            return error("InvalidArgument", "Invalid uploadId marker", 400, **named)
        rest = same[same.index(asked.id_marker) + 1 :]
    page = page_of(((key, one, (one, upload)) for key, one, upload in uploads), asked, rest)
    last_key, (last_id, _) = page.entries[-1] if page.entries else ("", ("", None))
    root = Element("ListMultipartUploadsResult", xmlns=s3.S3_NS)
    add(
        root,
        {
            "Bucket": bucket_name,
            "KeyMarker": asked.spelled(asked.key_marker),
            "UploadIdMarker": asked.id_marker if asked.key_marker else "",
            "NextKeyMarker": asked.spelled(last_key),
            "NextUploadIdMarker": last_id,
            "Prefix": asked.spelled(asked.prefix) or None,
            "Delimiter": asked.spelled(asked.delimiter) or None,
            "EncodingType": asked.encoding or None,
            "MaxUploads": str(asked.most),
            "IsTruncated": str(page.is_truncated).lower(),
        },
    )
    for key, (upload_id, upload) in page.entries:
        _tell(SubElement(root, "Upload"), asked.spelled(key), upload_id, upload)
    for prefix in page.prefixes:
        add(SubElement(root, "CommonPrefixes"), {"Prefix": asked.spelled(prefix)})
    return 200, {"Content-Type": "application/xml"}, s3._xml_body(root)


def _tell(node: Element, key: str, upload_id: str, upload: Mapping[str, Any]) -> None:
    """Describe an upload."""
    add(node, {"Key": key, "UploadId": upload_id})
    for name, owner in (("Initiator", get_account_id()), ("Owner", s3._canonical_owner_id())):
        add(SubElement(node, name), {"ID": owner, "DisplayName": "ministack"})
    members = {
        "StorageClass": upload.get("storage_class") or "STANDARD",
        "Initiated": to_the_second(upload["created"]),
    }
    add(node, {**members, **checksum_of(upload)})


def install() -> None:
    """Take over where uploads are listed."""
    extend(s3, "_list_multipart_uploads", "bucket_name", "query_params")(_list)
