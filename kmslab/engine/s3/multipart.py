"""Uploads in parts: the ETags of parts and of what they make, and the customer's key until they are complete.

Recorded from S3: under a KMS key or a customer's a part's ETag is not the digest of its content, the object's is
the digest of the parts' ETags, and a completion need not bring the customer's key again. Parts are in memory only.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from ministack.services import s3

from kmslab.engine.hooks import extend
from kmslab.engine.s3.calls import CALL
from kmslab.engine.s3.checksums import missing_in
from kmslab.engine.s3.etag import amend, in_place_of, says_nothing, under_a_key
from kmslab.engine.s3.markup import dated

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from kmslab.engine.s3.errors import Response

    Query = Mapping[str, Any]

_CUSTOMER_KEY = "kmslab_customer_key"


def _upload_of(query: Query) -> dict[str, Any] | None:
    found: dict[str, Any] | None = s3._multipart_uploads.get(s3._qp(query, "uploadId"))
    return found


def _note_part(query: Query, response: Response) -> Response:
    """Give a part that was taken an ETag that says nothing, and remember the key that it came with."""
    upload, (status, headers, body) = _upload_of(query), response
    if status != HTTPStatus.OK or upload is None or not under_a_key(upload):
        return response
    part, call = upload["parts"][int(s3._qp(query, "partNumber"))], CALL.get()
    old, part["etag"] = part["etag"], says_nothing()
    if call and call.customer_key:
        upload[_CUSTOMER_KEY] = call.customer_key
    if "ETag" in headers:
        headers = {**headers, "ETag": part["etag"]}
    return status, headers, in_place_of(body, old, part["etag"])


def _upload_part(
    stock: Callable[..., Response],
    bucket_name: str,
    key: str,
    body: bytes,
    query_params: Query,
    headers: Mapping[str, str],
) -> Response:
    """Take a part."""
    return _note_part(query_params, stock(bucket_name, key, body, query_params, headers))


def _upload_part_copy(
    stock: Callable[..., Response],
    bucket_name: str,
    dest_key: str,
    query_params: Query,
    headers: Mapping[str, str],
) -> Response:
    """Take a part from another object, with the checksum that the upload wants of each."""
    status, answered, body = stock(bucket_name, dest_key, query_params, headers)
    body = dated(body)
    upload = _upload_of(query_params)
    if status == HTTPStatus.OK and upload and (algorithm := upload.get("checksum_algorithm")):
        part = upload["parts"][int(s3._qp(query_params, "partNumber"))]
        checksum = s3._compute_s3_checksum(algorithm, part["body"])
        part["checksums"] = {algorithm: checksum}
        told = f"<Checksum{algorithm}>{checksum}</Checksum{algorithm}></CopyPartResult>"
        body = body.replace(b"</CopyPartResult>", told.encode())
    return _note_part(query_params, (status, answered, body))


def _complete(
    stock: Callable[..., Response],
    bucket_name: str,
    key: str,
    body: bytes,
    query_params: Query,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Make the object, with an ETag of the parts' ETags."""
    upload, call = _upload_of(query_params), CALL.get()
    algorithm = (upload or {}).get("checksum_algorithm")
    of_parts = (upload or {}).get("checksum_type") != "FULL_OBJECT"
    if algorithm and of_parts and (refused := missing_in(body, algorithm)):
        answer_of_s3: Response = refused
        return answer_of_s3
    if upload is None or call is None or not under_a_key(upload):
        return stock(bucket_name, key, body, query_params, headers)
    token = CALL.set(replace(call, customer_key=upload.get(_CUSTOMER_KEY) or call.customer_key))
    try:
        status, answered, answer = stock(bucket_name, key, body, query_params, headers)
        if status != HTTPStatus.OK:
            return status, answered, answer
        made = s3._buckets[bucket_name]["objects"][key]
        etags = [upload["parts"][part["PartNumber"]]["etag"].strip('"') for part in made["parts"]]
        # S324: how S3 makes an ETag of ETags.
        digest = hashlib.md5(bytes.fromhex("".join(etags))).hexdigest()  # noqa: S324
        old, etag = made["etag"], f'"{digest}-{len(etags)}"'
        amend(bucket_name, key, made, etag=etag)
    finally:
        CALL.reset(token)
    response = status, answered, in_place_of(answer, old, etag)
    # A completion that is asked for again is answered alike.
    done = s3._completed_multipart_uploads.get(s3._qp(query_params, "uploadId"))
    done["response"] = response
    return response


def install() -> None:
    """Take over where parts come in and where they become an object."""
    extend(s3, "_upload_part", "bucket_name", "key", "body", "query_params", "headers")(_upload_part)
    extend(s3, "_upload_part_copy", "bucket_name", "dest_key", "query_params", "headers")(_upload_part_copy)
    extend(s3, "_complete_multipart_upload", "bucket_name", "key", "body", "query_params", "headers")(
        _complete
    )
