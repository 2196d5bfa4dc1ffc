"""Event names of REST services: MiniStack guesses them from the path; IAM's action is the API's name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ministack import app
from ministack.core import iam_actions

from kmslab.engine.hooks import extend

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

API_NAMES = {
    "ListAllMyBuckets": "ListBuckets",
    "ListBucket": "ListObjects",
    "GetEncryptionConfiguration": "GetBucketEncryption",
    "PutEncryptionConfiguration": "PutBucketEncryption",
    "GetBucketPublicAccessBlock": "GetPublicAccessBlock",
    "PutBucketPublicAccessBlock": "PutPublicAccessBlock",
    "GetLifecycleConfiguration": "GetBucketLifecycle",
    "PutLifecycleConfiguration": "PutBucketLifecycle",
}
"""S3 operations that are named otherwise than the IAM action they need."""


def api_name(action: str) -> str:
    """The API operation of an IAM action: ``s3:PutEncryptionConfiguration`` is PutBucketEncryption."""
    name = action.partition(":")[2]
    return API_NAMES.get(name, name)


def install() -> None:
    """Name S3's and EBS's events."""

    @extend(app, "_ct_event_name", "service", "method", "path", "headers", "query_params")
    def event_name(
        stock: Callable[..., str],
        service: str,
        method: str,
        path: str,
        headers: Mapping[str, str],
        query_params: Mapping[str, Any],
    ) -> str:
        """Take the API's name from the IAM action."""
        bucket_level = service == "s3" and len([part for part in path.split("/") if part]) == 1
        if not bucket_level and service != "ebs":
            return stock(service, method, path, headers, query_params)
        action = iam_actions.extract_iam_action(service, method, path, headers, b"", query_params) or ""
        return api_name(action) or stock(service, method, path, headers, query_params)
