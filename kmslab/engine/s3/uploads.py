"""Uploads in parts: what S3 refuses, the checksum of the whole, and how parts are listed.

Recorded from S3 (LocalStack's ``test_s3.py``: test_multipart_*, test_complete_multipart_parts_*,
TestS3MultipartUploadChecksum; ``test_s3_api.py``: TestS3Multipart): a checksum is one of the parts' checksums
(COMPOSITE) or one of the content (FULL_OBJECT, for CRCs), CRC-64/NVME where the upload names none. The completion
of an upload under a KMS key does not tell it; HeadObject does.
"""

from __future__ import annotations

import base64
import re
from functools import reduce
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl
from xml.etree.ElementTree import Element, SubElement

from ministack.services import s3

from kmslab.engine.hooks import extend
from kmslab.engine.s3.checksums import invalid, of_the_whole, unreadable_in
from kmslab.engine.s3.crc import POLYNOMIALS, combined
from kmslab.engine.s3.errors import error
from kmslab.engine.s3.etag import MOST_CHECKSUMMED, amend
from kmslab.engine.s3.headers import KMS_KINDS, SSE
from kmslab.engine.s3.markup import children, dated, name_of, named_parts, parsed, written

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from kmslab.engine.s3.errors import Response

    Upload = Mapping[str, Any]
    Query = Mapping[str, Any]

COMPOSITE, FULL_OBJECT = "COMPOSITE", "FULL_OBJECT"
OWN = "CRC64NVME"
"""S3's checksum of what comes without one; never composite."""
SMALLEST = 5 * 1024 * 1024
"""Bytes of a part that is not the last."""
TYPE = "x-amz-checksum-type"
_UPLOAD_ID = re.compile(rb"<UploadId>([^<]+)</UploadId>")
_TAGS = "kmslab_tags"
"""Where an upload's record keeps the tags of the object to be."""
_PARTS = "kmslab_parts"
"""Where the record of an upload that is done keeps which parts it was made of."""
NOT_FOUND = (
    "One or more of the specified parts could not be found.  The part may not have been uploaded, or the specified "
    "entity tag may not match the part's entity tag."
)


def _of(query: Query, bucket: str, key: str) -> dict[str, Any] | None:
    """The upload that a request names, when it is one of that object."""
    found: dict[str, Any] | None = s3._multipart_uploads.get(s3._qp(query, "uploadId"))
    return found if found and (found["bucket"], found["key"]) == (bucket, key) else None


def _create(
    stock: Callable[..., Response], bucket_name: str, key: str, headers: Mapping[str, str]
) -> Response:
    """Begin an upload with the kind of checksum that fits its algorithm."""
    kind, algorithm = headers.get(TYPE, "").upper(), headers.get("x-amz-checksum-algorithm", "").upper()
    impossible = (kind == COMPOSITE and algorithm == OWN) or (
        kind == FULL_OBJECT and algorithm not in POLYNOMIALS
    )
    refused: Response | None = None
    if kind and kind not in {COMPOSITE, FULL_OBJECT}:
        refused = invalid(TYPE)
    elif kind and not algorithm:
        only_with = f"The {TYPE} header can only be used with the x-amz-checksum-algorithm header."
        refused = error("InvalidRequest", only_with)
    elif impossible:
        refused = error(
            "InvalidRequest",
            f"The {kind} checksum type cannot be used with the {algorithm.lower()} checksum algorithm.",
        )
    if refused:
        return refused
    status, answered, body = stock(bucket_name, key, headers)
    if status == HTTPStatus.OK and TYPE in answered:
        answered[TYPE] = kind or (FULL_OBJECT if algorithm == OWN else COMPOSITE)
        begun(body)["checksum_type"] = answered[TYPE]
    if status == HTTPStatus.OK and headers.get("x-amz-tagging"):
        begun(body)[_TAGS] = dict(parse_qsl(headers["x-amz-tagging"], keep_blank_values=True))
    return status, answered, body


def begun(body: bytes) -> dict[str, Any]:
    """The upload that an answer tells of; the answer about a key with control characters is no XML."""
    made = _UPLOAD_ID.search(body)
    found: dict[str, Any] = s3._multipart_uploads[made[1].decode()] if made else {}
    return found


def _unfit(upload: Upload, upload_id: str, named: list[dict[str, str]]) -> Any:
    """S3's answer to parts that do not make an object; None when they do."""
    if not named:
        return error("InvalidRequest", "You must specify at least one part")
    if not all(part.get("PartNumber", "").isdigit() for part in named):
        return error("MalformedXML", s3._MALFORMED_XML)
    numbers = [int(part["PartNumber"]) for part in named]
    if numbers != sorted(numbers):
        message = "The list of parts was not in ascending order. Parts must be ordered by part number."
        return error("InvalidPartOrder", message, UploadId=upload_id)
    algorithm = upload.get("checksum_algorithm")
    for number, part in zip(numbers, named, strict=True):
        stored, etag = upload["parts"].get(number), part.get("ETag", "").strip('"')
        told = {"ETag": etag, "PartNumber": str(number)}
        sums = {
            name.removeprefix("Checksum"): text for name, text in part.items() if name.startswith("Checksum")
        }
        if stored is None or stored["etag"].strip('"') != etag or not _are_of(stored, sums, algorithm):
            return error("InvalidPart", NOT_FOUND, 400, **told, UploadId=upload_id)
        if stored["size"] < SMALLEST and number != numbers[-1]:
            message = "Your proposed upload is smaller than the minimum allowed size"
            sizes = {"MinSizeAllowed": str(SMALLEST), "ProposedSize": str(stored["size"])}
            return error("EntityTooSmall", message, 400, **told, **sizes)
    return None


def _are_of(stored: Mapping[str, Any], sums: Mapping[str, str], algorithm: str | None) -> bool:
    """Whether the checksums that a completion names are the ones of a part; an upload without an algorithm has none."""
    return not sums or (bool(algorithm) and sums.items() <= (stored.get("checksums") or {}).items())


def _of_another_kind(upload: Upload, named: list[dict[str, str]], headers: Mapping[str, str]) -> Any:
    """S3's answer to checksums that are not of the upload's kind, or not of its parts; None to those that are."""
    algorithm, kind = upload.get("checksum_algorithm"), upload.get("checksum_type")
    if (told := headers.get(TYPE, "").upper()) and told not in {COMPOSITE, FULL_OBJECT}:
        return invalid(TYPE)
    if told and told != (kind if algorithm else FULL_OBJECT):
        message = f"The upload was created using the {kind if algorithm else 'null'} checksum mode. "
        return error("InvalidRequest", f"{message}The complete request must use the same checksum mode.")
    if not algorithm:
        return None
    if refused := unreadable_in(named, algorithm):
        return refused
    has_all = all(f"Checksum{algorithm}" in part for part in named)
    return of_the_whole(headers, algorithm, named) if kind != FULL_OBJECT and has_all else None


def _of_the_content(upload: Upload, parts: list[dict[str, Any]]) -> tuple[str, str] | None:
    """The algorithm and the checksum of the content as a whole; None for one of the parts', or of a large object."""
    algorithm = upload.get("checksum_algorithm")
    if not algorithm:
        if sum(part["size"] for part in parts) > MOST_CHECKSUMMED:
            return None
        return OWN, s3._compute_s3_checksum(OWN, b"".join(part["body"] for part in parts))
    if upload.get("checksum_type") != FULL_OBJECT:
        return None
    pieces = [(base64.b64decode(part["checksums"][algorithm]), part["size"]) for part in parts]
    whole, _ = reduce(lambda one, two: (combined(algorithm, one[0], two[0], two[1]), 0), pieces)
    return algorithm, base64.b64encode(whole).decode()


def _list_of(named: list[dict[str, str]]) -> list[list[str]]:
    """The parts that a completion names, as they are kept."""
    return [[part.get("PartNumber", ""), part.get("ETag", "").strip('"')] for part in named]


def _complete(
    stock: Callable[..., Response],
    bucket_name: str,
    key: str,
    body: bytes,
    query_params: Query,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Make an object of parts that make one, with its checksum."""
    upload, named = _of(query_params, bucket_name, key), named_parts(body)
    done = s3._completed_multipart_uploads.get(s3._qp(query_params, "uploadId")) or {}
    if upload is None and named is not None and done.get(_PARTS, _list_of(named)) != _list_of(named):
        gone: Response = error("NoSuchUpload", "", 404)
        return gone
    if upload is None or named is None:
        return stock(bucket_name, key, body, query_params, headers)
    upload_id = s3._qp(query_params, "uploadId")
    if refused := _of_another_kind(upload, named, headers or {}) or _unfit(upload, upload_id, named):
        answer: Response = refused
        return answer
    parts = [upload["parts"][int(part["PartNumber"])] for part in named]
    whole, given = _of_the_content(upload, parts), dict(headers or {})
    if whole and given.pop(f"x-amz-checksum-{whole[0].lower()}", whole[1]) != whole[1]:
        unlike: Response = error(
            "BadDigest", f"The {whole[0].lower()} you specified did not match the calculated checksum."
        )
        return unlike
    if algorithm := upload.get("checksum_algorithm"):
        given.pop(f"x-amz-checksum-{algorithm.lower()}", None)
    status, answered, told = stock(bucket_name, key, body, query_params, given)
    if status != HTTPStatus.OK:
        return status, answered, told
    made = s3._buckets[bucket_name]["objects"][key]
    if tags := upload.get(_TAGS):
        s3._object_tags[(bucket_name, key, made.get("version_id"))] = tags
    if whole:
        amend(bucket_name, key, made, checksums=dict([whole]), checksum_type=FULL_OBJECT)
    elif algorithm:
        sums = [
            {**shown, f"Checksum{algorithm}": part["checksums"][algorithm]}
            for shown, part in zip(made["parts"], parts, strict=True)
        ]
        amend(bucket_name, key, made, parts=sums)
    response = status, answered, _with_checksum(told, made)
    # A completion that is asked for again is answered alike; one of other parts is not.
    s3._completed_multipart_uploads[upload_id] |= {"response": response, _PARTS: _list_of(named)}
    return response


def _with_checksum(body: bytes, made: Mapping[str, Any]) -> bytes:
    """The answer to a completion with the object's checksum, which S3 does not tell under a KMS key."""
    root = parsed(body)
    if root is None:
        return body
    _without_checksums(root)
    if made["checksums"] and s3._stored_sse_headers(made).get(SSE) not in KMS_KINDS:
        for algorithm, value in made["checksums"].items():
            SubElement(root, f"{{{s3.S3_NS}}}Checksum{algorithm}").text = value
        SubElement(root, f"{{{s3.S3_NS}}}ChecksumType").text = made.get("checksum_type") or FULL_OBJECT
    return written(root)


def _without_checksums(root: Element) -> None:
    for node in [one for one in root if name_of(one).startswith("Checksum")]:
        root.remove(node)


def _completed(root: Element, members: Mapping[str, str]) -> bytes:
    """A listing with the members that it lacks."""
    there = children(root)
    for name, text in members.items():
        if name not in there:
            SubElement(root, f"{{{s3.S3_NS}}}{name}").text = text
    return written(root)


def checksum_of(upload: Upload) -> dict[str, str]:
    """What a listing says of an upload's checksum."""
    algorithm = upload.get("checksum_algorithm")
    kind = upload.get("checksum_type") or COMPOSITE
    return {"ChecksumAlgorithm": algorithm, "ChecksumType": kind} if algorithm else {}


def _list_parts(stock: Callable[..., Response], bucket_name: str, key: str, query_params: Query) -> Response:
    """List parts with the number of the last, and checksums where the upload has an algorithm."""
    status, answered, body = stock(bucket_name, key, query_params)
    upload, root, number = _of(query_params, bucket_name, key), parsed(dated(body)), "0"
    if status != HTTPStatus.OK or upload is None or root is None:
        return status, answered, body
    for part in [node for node in root if node.tag.endswith("}Part")]:
        number = children(part)["PartNumber"]
        if not upload.get("checksum_algorithm"):
            _without_checksums(part)
    members = {"NextPartNumberMarker": number, **checksum_of(upload)}
    return status, answered, _completed(root, members)


def install() -> None:
    """Take over where uploads begin and end, and where parts are listed."""
    extend(s3, "_create_multipart_upload", "bucket_name", "key", "headers")(_create)
    extend(s3, "_complete_multipart_upload", "bucket_name", "key", "body", "query_params", "headers")(
        _complete
    )
    extend(s3, "_list_parts", "bucket_name", "key", "query_params")(_list_parts)
