"""Checksums that a client sends: what S3 says of those that it does not take.

Recorded from S3: one checksum for a request, in base64 and of its algorithm's length; the algorithm alone makes none,
and is that of the checksum; parts of an upload with an algorithm come with it, and its completion repeats them, and may
bring that of the whole (the last two also by OpenStack Swift's tests of the S3 API, which are run against AWS).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from typing import TYPE_CHECKING, Any

from ministack.services import s3

from kmslab.engine.hooks import extend
from kmslab.engine.s3.errors import error
from kmslab.engine.s3.markup import named_parts

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Headers = Mapping[str, str]
    Stock = Callable[..., Any]

LENGTHS = {"crc32": 4, "crc32c": 4, "crc64nvme": 8, "sha1": 20, "sha256": 32}
"""Bytes of a checksum."""
_ASKED = "x-amz-sdk-checksum-algorithm"


def given(headers: Headers) -> dict[str, str]:
    """The checksums of a request, by algorithm in lower case."""
    return {
        name: headers[f"x-amz-checksum-{name}"] for name in LENGTHS if headers.get(f"x-amz-checksum-{name}")
    }


def unknown(algorithm: str) -> Any:
    """S3's answer to an algorithm that it does not have; None to one that it has."""
    if algorithm.lower() in LENGTHS:
        return None
    message = "Checksum algorithm provided is unsupported. Please try again with any of the valid types: "
    return error("InvalidRequest", message + f"[{', '.join(name.upper() for name in LENGTHS)}]")


def _length(value: str) -> int:
    """Bytes that a text in base64 stands for; none when it is no such text, or not the one for its bytes."""
    try:
        content = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        return 0
    return len(content) if base64.b64encode(content).decode() == value else 0


def invalid(name: str) -> Any:
    """S3's answer to a header of a checksum that cannot be."""
    return error("InvalidRequest", f"Value for {name} header is invalid.")


def _impossible(headers: Headers) -> Any:
    """S3's answer to the checksums of a request that cannot be; None to those that can."""
    found = given(headers)
    if len(found) > 1:
        message = "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed."
        return error("InvalidRequest", message)
    for name, value in found.items():
        if headers.get(_ASKED, name).lower() != name:
            return invalid(_ASKED)
        if _length(value) != LENGTHS[name]:
            return invalid(f"x-amz-checksum-{name}")
    return None


def _of_object(stock: Stock, body: bytes, headers: Headers) -> Any:
    """Refuse what is no checksum before it is compared."""
    if refused := _impossible(headers):
        return {}, refused
    return stock(body, {name: value for name, value in headers.items() if name != _ASKED})


def _of_part(stock: Stock, body: bytes, headers: Headers, upload: Mapping[str, Any]) -> Any:
    """Hold a part to the upload's algorithm."""
    expected, found = (upload.get("checksum_algorithm") or "").lower(), given(headers)
    if refused := _impossible(headers):
        return {}, refused
    if expected and expected not in found:
        message = (
            f"Checksum Type mismatch occurred, expected checksum Type: {expected}, actual checksum Type: "
            f"{next(iter(found), 'null')}"
        )
        return {}, error("InvalidRequest", message)
    return stock(body, headers, upload)


def _content_md5(_stock: Stock, headers: Headers, body: bytes) -> Any:
    """Hold a body to the digest that came with it."""
    if not (told := headers.get("content-md5", "")):
        return None
    # S324: the digest of this header.
    digest = hashlib.md5(body).digest()  # noqa: S324
    if _length(told) != len(digest):
        return error(
            "InvalidDigest", "The Content-MD5 you specified was invalid.", 400, **{"Content-MD5": told}
        )
    if (expected := base64.b64decode(told)) == digest:
        return None
    digests = {"ExpectedDigest": expected.hex(), "CalculatedDigest": base64.b64encode(digest).decode()}
    return error("BadDigest", "The Content-MD5 you specified did not match what we received.", 400, **digests)


def of_the_whole(headers: Headers, algorithm: str, named: list[dict[str, str]]) -> Any:
    """S3's answer to a composite checksum that is not the one of the parts; None to the right one, or none.

    Args:
        headers: of CompleteMultipartUpload.
        algorithm: of the upload, in upper case.
        named: the parts that it lists, with their checksums.
    """
    header = f"x-amz-checksum-{algorithm.lower()}"
    if not (told := headers.get(header, "")):
        return None
    value, dash, count = told.partition("-")
    if _length(value) != LENGTHS[algorithm.lower()] or (dash and not count.isdecimal()):
        return invalid(header)
    parts = b"".join(base64.b64decode(part[f"Checksum{algorithm}"]) for part in named)
    if s3._compute_s3_checksum(algorithm, parts) == value and int(count or len(named)) == len(named):
        return None
    return error("BadDigest", f"The {algorithm.lower()} you specified did not match the calculated checksum.")


def unreadable_in(named: list[dict[str, str]], algorithm: str) -> Any:
    """S3's answer to the checksum of a part that cannot be; None when all can."""
    for part in named:
        value = part.get(f"Checksum{algorithm}")
        if value is not None and _length(value) != LENGTHS[algorithm.lower()]:
            message = "Invalid Base64 or multiple checksums present in request"
            told = f"{algorithm}:{value};"
            return error("InvalidArgument", message, 400, ArgumentName="Checksum", ArgumentValue=told)
    return None


def _of_an_upload(stock: Stock, headers: Headers) -> Any:
    """Name the algorithms that there are."""
    algorithm = headers.get("x-amz-checksum-algorithm")
    refused = unknown(algorithm) if algorithm else None
    return (None, refused) if refused else stock(headers)


def missing_in(body: bytes, algorithm: str) -> Any:
    """S3's answer to a completion that leaves the checksum of a part out; None when it is complete.

    Args:
        body: of CompleteMultipartUpload.
        algorithm: of the upload, in upper case.
    """
    for members in named_parts(body) or ():
        if f"Checksum{algorithm}" not in members:
            message = (
                f"The upload was created using a {algorithm.lower()} checksum. The complete request must include the "
                f"checksum for each part. It was missing for part {members.get('PartNumber')} in the request."
            )
            return error("InvalidRequest", message)
    return None


def install() -> None:
    """Take over where checksums are resolved."""
    extend(s3, "_resolve_object_checksums", "body", "headers")(_of_object)
    extend(s3, "_validate_content_md5", "headers", "body")(_content_md5)
    extend(s3, "_resolve_multipart_checksum_algorithm", "headers")(_of_an_upload)
    extend(s3, "_resolve_part_checksums", "body", "headers", "upload")(_of_part)
