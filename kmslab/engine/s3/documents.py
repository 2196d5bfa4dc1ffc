"""Documents that S3 refuses: bucket policies, tags, CORS and versioning configurations.

Recorded from S3 (LocalStack's ``test_s3_api.py`` and its snapshot: TestS3BucketPolicy, TestS3BucketObjectTagging,
TestS3BucketVersioning, TestS3ObjectLock).
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_plus

from ministack.services import s3

from kmslab.engine.hooks import extend
from kmslab.engine.s3.errors import error
from kmslab.engine.s3.markup import children, name_of, parsed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from kmslab.engine.s3.errors import Response

CORS_METHODS = ("DELETE", "GET", "HEAD", "POST", "PUT")
_LETTERS = re.compile(r"[\w\s+=.:/@-]*")
"""What tags are made of (Amazon S3 API Reference, PutObjectTagging)."""
_TAGS_HEADER = "x-amz-tagging"
_BADLY_ENCODED = (
    f"The header '{_TAGS_HEADER}' shall be encoded as UTF-8 then URLEncoded URL query parameters without tag name "
    "duplicates."
)


def _put_bucket_policy(stock: Callable[..., Response], name: str, body: bytes) -> Any:
    """Refuse what is no JSON object, and one without statements."""
    try:
        policy = json.loads(body) if body.startswith(b"{") else None
    except ValueError:
        policy = None
    if name not in s3._buckets:
        return stock(name, body)
    if policy is None:
        return error("MalformedPolicy", "Policies must be valid JSON and the first byte must be '{'")
    if "Statement" not in policy:
        return error("MalformedPolicy", "Missing required field Statement")
    return stock(name, body)


def unfit_tags(pairs: Iterable[tuple[str, str]], of_aws: str) -> Any:
    """S3's answer to tags that it does not take; None to those that it takes.

    Args:
        pairs: key and value of each.
        of_aws: what is said of a key that begins with ``aws:``.
    """
    seen: set[str] = set()
    for key, value in pairs:
        if key in seen:
            return error("InvalidTag", "Cannot provide multiple Tags with the same key", TagKey=key)
        if key.startswith("aws:"):
            return error("InvalidTag", of_aws, TagKey=key)
        if not _LETTERS.fullmatch(key):
            return error("InvalidTag", "The TagKey you have provided is invalid", TagKey=key)
        if not _LETTERS.fullmatch(value):
            told = {"TagKey": key, "TagValue": value}
            return error("InvalidTag", "The TagValue you have provided is invalid", 400, **told)
        seen.add(key)
    return None


def _pairs(body: bytes) -> list[tuple[str, str]]:
    """The tags of a document; none for what MiniStack refuses."""
    root = parsed(body)
    return [] if root is None else list(s3._iter_tag_pairs(root))


def _put_bucket_tagging(stock: Callable[..., Response], name: str, body: bytes) -> Any:
    """Refuse tags that no bucket has."""
    system = "System tags cannot be added/updated by requester"
    refused = unfit_tags(_pairs(body), system) if name in s3._buckets else None
    return refused or stock(name, body)


def _put_object_tagging(
    stock: Callable[..., Response],
    bucket_name: str,
    key: str,
    body: bytes,
    query_params: dict[str, Any] | None = None,
) -> Any:
    """Refuse tags that no object has."""
    is_there = key in (s3._buckets.get(bucket_name) or {}).get("objects", {})
    prefixed = "Your TagKey cannot be prefixed with aws:"
    refused = unfit_tags(_pairs(body), prefixed) if is_there else None
    return refused or stock(bucket_name, key, body, query_params)


def _put_object(
    stock: Callable[..., Response], bucket_name: str, key: str, body: bytes, headers: Mapping[str, str]
) -> Any:
    """Refuse tags in a header that are not encoded as they have to be."""
    if text := headers.get(_TAGS_HEADER):
        pairs = [pair.partition("=")[::2] for pair in text.split("&")]
        names = [unquote_plus(name) for name, _ in pairs]
        if len(set(names)) < len(names) or any("=" in value for _, value in pairs):
            named = {"ArgumentName": _TAGS_HEADER, "ArgumentValue": text}
            return error("InvalidArgument", _BADLY_ENCODED, 400, **named)
    return stock(bucket_name, key, body, headers)


def _put_bucket_cors(stock: Callable[..., Response], name: str, body: bytes) -> Any:
    """Refuse a configuration without rules, and methods that S3 does not know."""
    root = parsed(body)
    if name not in s3._buckets:
        return stock(name, body)
    if root is None or not len(root):
        return error("MalformedXML", s3._MALFORMED_XML)
    for method in [node.text or "" for node in root.iter() if name_of(node) == "AllowedMethod"]:
        if method not in CORS_METHODS:
            message = f"Found unsupported HTTP method in CORS config. Unsupported method is {method}"
            return error("InvalidRequest", message)
    return stock(name, body)


def _put_bucket_versioning(stock: Callable[..., Response], name: str, body: bytes) -> Any:
    """Refuse a configuration without a status, and to suspend the versions of a bucket with Object Lock."""
    root = parsed(body)
    if root is None:
        return stock(name, body)
    members = children(root)
    if name in s3._buckets and not members:
        return error("IllegalVersioningConfigurationException", "The Versioning element must be specified")
    if members.get("Status") == "Suspended" and s3._bucket_object_lock.get(name):
        message = "An Object Lock configuration is present on this bucket, so the versioning state cannot be changed."
        return error("InvalidBucketState", message, 409)
    return stock(name, body)


def install() -> None:
    """Take over where documents are put."""
    extend(s3, "_put_bucket_policy", "name", "body")(_put_bucket_policy)
    extend(s3, "_put_bucket_tagging", "name", "body")(_put_bucket_tagging)
    extend(s3, "_put_object_tagging", "bucket_name", "key", "body", "query_params")(_put_object_tagging)
    extend(s3, "_put_object", "bucket_name", "key", "body", "headers")(_put_object)
    extend(s3, "_put_bucket_cors", "name", "body")(_put_bucket_cors)
    extend(s3, "_put_bucket_versioning", "name", "body")(_put_bucket_versioning)
