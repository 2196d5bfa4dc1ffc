"""UpdateObjectEncryption: an object's data key moves to another KMS key, and nothing is copied.

Amazon S3 API Reference, "UpdateObjectEncryption": from SSE-S3 or SSE-KMS to SSE-KMS under the ARN of a key
of the account; version id, ETag and dates stay. The caller needs ``s3:UpdateObjectEncryption`` and
``kms:Encrypt``, ``kms:Decrypt``, ``kms:GenerateDataKey`` and ``kms:ReEncrypt*``; which of them on which key
is not published: here what opens is asked of the old key, what seals of the new one. The messages are those of
its error list.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from ministack.core import iam_actions
from ministack.core.responses import get_account_id
from ministack.services import s3

from kmslab.engine.hooks import add_entry
from kmslab.engine.s3.configuration import BOOLEANS
from kmslab.engine.s3.encryption import use_key_for
from kmslab.engine.s3.errors import error
from kmslab.engine.s3.headers import BUCKET_KEY, CONTEXT, CUSTOMER_ALGORITHM, KEY, SSE
from kmslab.engine.s3.markup import name_of, parsed
from kmslab.engine.s3.records import found
from kmslab.engine.s3.storage import seal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kmslab.engine.s3.calls import Call, Record

    Response = tuple[int, dict[str, str], bytes]

OPENS, SEALS = ("Decrypt", "ReEncryptFrom"), ("GenerateDataKey", "Encrypt", "ReEncryptTo")
MODIFY = "Requests that modify an object encryption configuration require"
TO_KMS = "Requests that modify an object's encryption type to SSE-KMS require"
RETRY = "and then try again."
_ARN = re.compile(r"arn:aws[-a-z0-9]*:kms:[-a-z0-9]*:([0-9]{12}):key/.+")


class _RefusedError(Exception):
    """S3 does not do it; the answer is the only argument."""


def update_object_encryption(bucket: str, key: str, version_id: str, body: bytes) -> Response:
    """Put an object, or one of its versions, under another key."""
    stored = s3._ensure_bucket(bucket)
    if stored is None:
        return _response(s3._no_such_bucket(bucket))
    try:
        record = _find(bucket, key, version_id)
        wanted = _wanted(body)
        _check(bucket, key, record, wanted)
        old = s3._stored_sse_headers(record)
        needed = [(name, old) for name in OPENS if old.get(SSE) == "aws:kms"]
        for operation, sse in [*needed, *((name, wanted) for name in SEALS)]:
            if refused := use_key_for(operation, sse)[1]:
                return _response(refused)
    except _RefusedError as refusal:
        return _response(refusal.args[0])
    _put_under(stored, bucket, key, record, wanted)
    return 200, {}, b""


def _find(bucket: str, key: str, version_id: str) -> Record:
    """The record of the object, or of the version that is asked for."""
    record = found(bucket, key, version_id)
    if record is None and not version_id:
        raise _RefusedError(error("NoSuchKey", "The specified key does not exist.", 404, Key=key))
    if record is None or record.get("is_delete_marker"):
        raise _RefusedError(error("NoSuchVersion", "The specified version does not exist.", 404, Key=key))
    return record


def _wanted(body: bytes) -> dict[str, str]:
    """The encryption headers that an object under the requested key carries."""
    root = parsed(body)
    if root is None:
        raise _RefusedError(error("MalformedXML", s3._MALFORMED_XML))
    members = {name_of(node): (node.text or "").strip() for node in root.iter()}
    if "SSE-KMS" not in members:
        raise _invalid(
            f"{MODIFY} a valid new encryption type. Valid values are SSEKMS. Modify the request to specify "
            f"SSE-KMS for the updated encryption type, {RETRY}"
        )
    arn, asked = members.get("KMSKeyArn", ""), members.get("BucketKeyEnabled", "false")
    if not arn:
        raise _invalid(
            f"{TO_KMS} an AWS KMS key Amazon Resource Name (ARN). Modify the request to specify a KMS key ARN, {RETRY}"
        )
    if not _ARN.fullmatch(arn):
        raise _invalid(
            f"{TO_KMS} a valid AWS KMS key Amazon Resource Name (ARN). Confirm that you have a correctly formatted "
            f"KMS key ARN in your request, {RETRY}"
        )
    if asked not in BOOLEANS:
        raise _invalid(
            "The BucketKeyEnabled value isn't valid. Valid values are true or false. Modify the request to specify "
            f"a valid value, {RETRY}"
        )
    return {SSE: "aws:kms", KEY: arn, **({BUCKET_KEY: "true"} if BOOLEANS[asked] else {})}


def _check(bucket: str, key: str, record: Mapping[str, Any], wanted: Mapping[str, str]) -> None:
    """Fail for an object that the operation does not change, and for a key of another account."""
    old = s3._stored_sse_headers(record)
    if CUSTOMER_ALGORITHM in old or old.get(SSE) == "aws:kms:dsse":
        raise _invalid(
            "The UpdateObjectEncryption operation doesn't support source objects with the encryption type DSSE-KMS "
            "or SSE-C. Only source objects encrypted with SSE-S3 or SSE-KMS are supported."
        )
    where = (bucket, key, record.get("version_id"))
    if s3._object_retention.get(where) or s3._object_legal_hold.get(where) == "ON":
        raise _denied(
            "The encryption type for the specified object can\u2019t be updated because that object is protected by "
            "S3 Object Lock. If the object has a governance-mode retention period or a legal hold, you must first "
            "remove the Object Lock status on the object before you issue your UpdateObjectEncryption request. You "
            "can't use the UpdateObjectEncryption operation with objects that have an Object Lock compliance mode "
            "retention period applied to them."
        )
    owner = _ARN.fullmatch(wanted[KEY])
    if owner and owner[1] != get_account_id():
        raise _denied(
            "The AWS KMS key in the request must be owned by the same account as the bucket. Modify the request to "
            f"specify a KMS key from the same account, {RETRY}"
        )


def _put_under(
    stored: dict[str, Any], bucket: str, key: str, record: dict[str, Any], wanted: Mapping[str, str]
) -> None:
    """Write the object anew under its new key; all that describes it but the encryption stays."""
    current, version_id = stored["objects"].get(key), record.get("version_id") or "null"
    is_current = record is current
    content = (
        s3._read_body(bucket, key, record) if is_current else s3._version_body(stored, bucket, key, record)
    )
    versions = s3._object_versions.get((bucket, key)) or []
    same = [one for one in versions if one["version_id"] == version_id]
    for one in (record, *same):
        kept = {
            name: value
            for name, value in one["preserved_headers"].items()
            if name not in (SSE, KEY, BUCKET_KEY, CONTEXT)
        }
        one["preserved_headers"] = {**kept, **wanted}
    if is_current:
        record["body"] = content
    else:
        path = s3._version_disk_path(bucket, key, version_id)
        s3._atomic_write(path, seal(bucket, key, record, content or b""))
    s3._persist_version_state(bucket, key, stored)


def _invalid(message: str) -> _RefusedError:
    return _RefusedError(error("InvalidRequest", message))


def _denied(message: str) -> _RefusedError:
    return _RefusedError(error("AccessDenied", message, 403))


def _response(answer: Any) -> Response:
    response: Response = answer
    return response


def answer(call: Call, body: bytes) -> Response | None:
    """Serve the operation, whose body MiniStack would take for the object's new content; None for any other."""
    if call.method == "PUT" and call.key and "encryption" in call.query:
        return update_object_encryption(call.bucket, call.key, s3._qp(call.query, "versionId", ""), body)
    return None


def install() -> None:
    """Serve the operation, under its own IAM action: MiniStack knows the bucket's only."""
    action = {"PUT": "UpdateObjectEncryption"}
    add_entry(iam_actions, "_S3_OBJECT_QUERY_ACTIONS", "encryption", action, "UpdateObjectEncryption")
