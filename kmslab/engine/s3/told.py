"""What S3's errors name beside their code, from the request that they answer.

Recorded from S3 (LocalStack's ``test_s3.snapshot.json`` and ``test_s3_api.snapshot.json``): the bucket that has no
such configuration, the upload or the version that is not there, the condition that did not hold, the delete marker.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ministack.services import s3

from kmslab.engine.hooks import extend, replace_value
from kmslab.engine.s3.calls import CALL
from kmslab.engine.s3.errors import error
from kmslab.engine.s3.preconditions import OF_THE_SOURCE
from kmslab.engine.s3.records import found

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from kmslab.engine.s3.calls import Call
    from kmslab.engine.s3.errors import Response

OF_A_BUCKET = frozenset(
    {
        "BucketNotEmpty",
        "InvalidBucketName",
        "NoSuchBucketPolicy",
        "NoSuchCORSConfiguration",
        "NoSuchLifecycleConfiguration",
        "NoSuchPublicAccessBlockConfiguration",
        "NoSuchTagSet",
        "NoSuchWebsiteConfiguration",
        "ObjectLockConfigurationNotFoundError",
        "OwnershipControlsNotFoundError",
        "ReplicationConfigurationNotFoundError",
    }
)
"""Errors that name the bucket."""
NO_UPLOAD = (
    "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or "
    "completed."
)
CONDITIONS = ("If-Match", "If-Unmodified-Since", "If-None-Match", "If-Modified-Since")
"""Of a request, in the order in which S3 looks at them."""
OF_OTHER_STORAGE = frozenset({"EXPRESS_ONEZONE", "FSX_OPENZFS", "OUTPOSTS", "SNOW"})
"""Storage classes of botocore's model that no general purpose bucket has; recorded of OUTPOSTS."""
PARTS = frozenset({"acl", "legal-hold", "retention", "tagging"})
"""Parameters that name a part of an object, or of one of its versions."""
ARCHIVES = frozenset({"DEEP_ARCHIVE", "GLACIER", "INTELLIGENT_TIERING"})
"""Storage classes of objects that may have to be restored."""
_NO_ACL = "Invalid x-amz-acl value: "
"""What MiniStack says of a canned ACL that is none; S3 names it and says nothing."""


def _condition(headers: Mapping[str, str]) -> str:
    """The first condition of a request."""
    spelled = [*CONDITIONS, *(OF_THE_SOURCE + name for name in CONDITIONS)]
    return next((name for name in spelled if name.lower() in headers), "")


def _members(call: Call, code: str, resource: str) -> dict[str, str]:
    """The elements of an error that the request tells."""
    version = s3._qp(call.query, "versionId", "")
    of_a_version = version or PARTS.intersection(call.query)
    if code == "NoSuchKey" and call.method == "GET" and "tagging" in call.query:
        return {"Key": f"{call.bucket}/{call.key}"}
    if code in OF_A_BUCKET:
        return {"BucketName": call.bucket}
    by_code: dict[str, dict[str, str]] = {
        "InvalidStorageClass": {"StorageClassRequested": call.headers.get("x-amz-storage-class", "")},
        "NoSuchUpload": {"UploadId": s3._qp(call.query, "uploadId", "")},
        "PreconditionFailed": {"Condition": _condition(call.headers)},
        "NoSuchKey": {} if resource else {"Key": call.key},
        "NoSuchVersion": {"Key": call.key, "VersionId": version} if version else {},
        "MethodNotAllowed": {"Method": call.method, "ResourceType": "DeleteMarker"} if of_a_version else {},
    }
    return {name: text for name, text in by_code.get(code, {}).items() if text}


def _error(
    stock: Callable[..., Response],
    code: str,
    message: str,
    status: int,
    resource: str = "",
    extra: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Any:
    """Tell what the request names."""
    call = CALL.get()
    if call is None:
        return stock(code, message, status, resource, extra, headers)
    message = NO_UPLOAD if code == "NoSuchUpload" else message
    members = {**_members(call, code, resource), **(extra or {})}
    if message.startswith(_NO_ACL):
        members |= {"ArgumentName": "x-amz-acl", "ArgumentValue": message.removeprefix(_NO_ACL)}
        message = ""
    return stock(code, message, status, resource, members, headers)


def _invalid_state(_stock: Callable[..., Response], _bucket_name: str, _key: str, storage_class: str) -> Any:
    """Name the class of an object in an archive, and nothing else."""
    message = "The operation is not valid for the object's storage class"
    return error("InvalidObjectState", message, 403, StorageClass=storage_class)


def _restore(stock: Callable[..., Response], bucket_name: str, key: str, body: bytes) -> Any:
    """Refuse an object that is in no archive, and cannot be."""
    record = found(bucket_name, key, "")
    kind = (record or {}).get("storage_class") or "STANDARD"
    if record and kind not in ARCHIVES:
        message = "Restore is not allowed for the object's current storage class"
        return error("InvalidObjectState", message, 403, StorageClass=kind)
    return stock(bucket_name, key, body)


def install() -> None:
    """Take over where S3's errors are written, with the request at hand."""
    extend(s3, "_restore_object", "bucket_name", "key", "body")(_restore)
    extend(s3, "_invalid_object_state", "bucket_name", "key", "storage_class")(_invalid_state)
    of_buckets = s3._VALID_STORAGE_CLASSES - OF_OTHER_STORAGE
    replace_value(s3, "_VALID_STORAGE_CLASSES", of_buckets, "refuse the classes of other kinds of storage")
    extend(s3, "_error", "code", "message", "status", "resource", "extra", "headers")(_error)
