"""Permissions of buckets and objects in S3's old form, and what S3 says of those that it does not take.

Recorded from S3 (LocalStack's ``test_s3.py``, test_s3_bucket_acl_exceptions): one of a canned ACL, grants in headers and
a document; of a document, an owner and grants to users and groups that S3 knows.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from ministack.services import s3

from kmslab.engine.hooks import extend
from kmslab.engine.s3.errors import error
from kmslab.engine.s3.markup import children, name_of, parsed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from xml.etree.ElementTree import Element

    from kmslab.engine.s3.errors import Response

    Headers = Mapping[str, str]

CANNED = "x-amz-acl"
GRANTS = (
    "x-amz-grant-full-control",
    "x-amz-grant-read",
    "x-amz-grant-read-acp",
    "x-amz-grant-write",
    "x-amz-grant-write-acp",
)
PERMISSIONS = frozenset({"FULL_CONTROL", "READ", "READ_ACP", "WRITE", "WRITE_ACP"})
GROUPS = frozenset(
    f"http://acs.amazonaws.com/groups/{name}"
    for name in ("global/AllUsers", "global/AuthenticatedUsers", "s3/LogDelivery")
)
_CANONICAL = re.compile(r"[0-9a-fA-F]{64}")


class _RefusedError(Exception):
    """S3 does not take it; the answer is the only argument."""


def _invalid(message: str, name: str, value: str) -> _RefusedError:
    return _RefusedError(error("InvalidArgument", message, 400, ArgumentName=name, ArgumentValue=value))


def _check_grantee(kind: str, value: str, name: str) -> None:
    """Fail for a user or a group that there is not."""
    if kind == "id" and not _CANONICAL.fullmatch(value):
        raise _invalid("Invalid id", name, value)
    if kind == "uri" and value not in GROUPS:
        raise _invalid("Invalid group uri", name, value)


def _check_header(name: str, value: str) -> None:
    """Fail for grants in a header that are none."""
    for item in value.split(","):
        kind, _, grantee = item.strip().partition("=")
        if kind.lower() not in ("id", "uri", "emailaddress"):
            raise _invalid("Argument format not recognized", name, value)
        _check_grantee(kind.lower(), grantee.strip('"'), kind)


def _malformed() -> _RefusedError:
    return _RefusedError(error("MalformedACLError", s3._MALFORMED_XML))


def _check_document(body: bytes) -> None:
    """Fail for a document that is no list of permissions."""
    root = parsed(body)
    parts = {name_of(node): node for node in root} if root is not None else {}
    if "Owner" not in parts or "AccessControlList" not in parts:
        raise _malformed()
    _check_grantee("id", children(parts["Owner"]).get("ID", ""), "CanonicalUser/ID")
    for grant in parts["AccessControlList"]:
        _check_grant(grant)


def _check_grant(grant: Element) -> None:
    members = {name_of(node): node for node in grant}
    if "Grantee" not in members or children(grant).get("Permission") not in PERMISSIONS:
        raise _malformed()
    grantee = children(members["Grantee"])
    if not grantee.keys() & {"ID", "URI", "EmailAddress"}:
        raise _malformed()
    if "ID" in grantee:
        _check_grantee("id", grantee["ID"], "CanonicalUser/ID")
    if "URI" in grantee:
        _check_grantee("uri", grantee["URI"], "Group/URI")


def _check(headers: Headers, body: bytes) -> None:
    """Fail for permissions that S3 does not take."""
    granted = [name for name in GRANTS if headers.get(name)]
    if granted and headers.get(CANNED):
        message = "Specifying both Canned ACLs and Header Grants is not allowed"
        raise _RefusedError(error("InvalidRequest", message))
    for name in granted:
        _check_header(name, headers[name])
    if body and (granted or headers.get(CANNED)):
        raise _RefusedError(error("UnexpectedContent", "This request does not support content"))
    if body:
        _check_document(body)
    elif not granted and not headers.get(CANNED):
        message = "Your request was missing a required header"
        raise _RefusedError(error("MissingSecurityHeader", message, 400, MissingHeaderName=CANNED))


def unfit(bucket: str, headers: Headers, body: bytes) -> Any:
    """S3's answer to permissions that it does not take; None to those that it takes, and where there are none."""
    owned = s3._buckets.get(bucket)
    if owned is None or s3._bucket_owner_enforced(owned):
        return None
    try:
        _check(headers, body)
    except _RefusedError as refusal:
        return refusal.args[0]
    return None


def _put_bucket(
    stock: Callable[..., Response], name: str, body: bytes, headers: Headers | None = None
) -> Any:
    """Hold the permissions of a bucket to what S3 takes."""
    refused = unfit(name, headers or {}, body)
    return refused or stock(name, body, headers)


def _put_object(
    stock: Callable[..., Response],
    bucket_name: str,
    key: str,
    body: bytes,
    headers: Headers,
    query_params: Mapping[str, Any] | None = None,
) -> Any:
    """Hold the permissions of an object likewise."""
    is_there = key in (s3._buckets.get(bucket_name) or {}).get("objects", {})
    refused = unfit(bucket_name, headers, body) if is_there else None
    return refused or stock(bucket_name, key, body, headers, query_params)


def install() -> None:
    """Take over where permissions are put."""
    extend(s3, "_put_bucket_acl", "name", "body", "headers")(_put_bucket)
    extend(s3, "_put_object_acl", "bucket_name", "key", "body", "headers", "query_params")(_put_object)
