"""Headers that take one of a few words, and what S3 says of any other.

Amazon S3 API Reference, "CopyObject", "GetObject" and "GetObjectAttributes"; recorded from S3: that the value of a
checksum's mode is invalid (OpenStack Swift's tests of the S3 API, which are run against AWS too).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kmslab.engine.s3.errors import error

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kmslab.engine.s3.calls import Call
    from kmslab.engine.s3.errors import Response

    Headers = Mapping[str, str]

DIRECTIVES = {
    "x-amz-metadata-directive": "Unknown metadata directive.",
    "x-amz-tagging-directive": "Unknown tagging directive.",
}
ATTRIBUTES = "x-amz-object-attributes"
ATTRIBUTE_NAMES = frozenset({"Checksum", "ETag", "ObjectParts", "ObjectSize", "StorageClass"})
MODE = "x-amz-checksum-mode"


def _argument(headers: Headers, name: str, message: str) -> Any:
    return error("InvalidArgument", message, 400, ArgumentName=name, ArgumentValue=headers[name])


def _of_a_copy(headers: Headers) -> Any:
    """S3's answer to a directive that there is not; None to one that there is."""
    for name, message in DIRECTIVES.items():
        if headers.get(name, "COPY").upper() not in {"COPY", "REPLACE"}:
            return _argument(headers, name, message)
    return None


def _of_a_read(headers: Headers, query_params: Mapping[str, Any]) -> Any:
    """S3's answer to attributes or a checksum's mode that there are not; None to those that there are."""
    if "attributes" in query_params:
        asked = {name.strip() for name in headers.get(ATTRIBUTES, "").split(",")}
        if headers.get(ATTRIBUTES) and not asked <= ATTRIBUTE_NAMES:
            return _argument(headers, ATTRIBUTES, "Invalid attribute name specified.")
    if headers.get(MODE, "ENABLED").upper() != "ENABLED":
        return error("InvalidRequest", f"Value for {MODE} header is invalid.")
    return None


def answer(call: Call, _body: bytes) -> Response | None:
    """Refuse a word that S3 does not know; None for a request without one."""
    refused: Response | None = None
    if call.key and call.method == "PUT" and "x-amz-copy-source" in call.headers:
        refused = _of_a_copy(call.headers)
    elif call.key and call.method in {"GET", "HEAD"}:
        refused = _of_a_read(call.headers, call.query)
    return refused
