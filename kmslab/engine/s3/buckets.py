"""What S3 tells of a bucket: its ARN, whether its policy is public, who pays for requests; and what is not served here.

Recorded from S3: the answers to CreateBucket and HeadBucket name the bucket's ARN (AWS CLI, 2026), although the API
reference says so of directory buckets only, and HeadBucket says that no access point was asked; a bucket with versions
is not empty in its own words (LocalStack's ``test_s3_api.py``: test_delete_versioned_bucket_with_objects,
TestS3BucketOwnershipControls, TestS3BucketAccelerateConfiguration; ``test_s3.py``: test_s3_request_payer_exceptions,
test_different_location_constraint, TestS3BucketLogging). Amazon S3 API Reference, "GetBucketPolicyStatus".
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from xml.etree.ElementTree import Element, SubElement

from ministack.core.responses import get_account_id
from ministack.services import s3

from kmslab.engine.hooks import extend
from kmslab.engine.s3.errors import error
from kmslab.engine.s3.markup import children, dated, name_of, parsed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from kmslab.engine.s3.calls import Call
    from kmslab.engine.s3.errors import Response

FIRST = "us-east-1"
"""The Region that S3 does not name."""
ACCELERATION = ("Enabled", "Suspended")
OWNERSHIP = "x-amz-object-ownership"
OWNERSHIPS = ("BucketOwnerEnforced", "BucketOwnerPreferred", "ObjectWriter")
PAYERS = ("BucketOwner", "Requester")
RESERVED_STARTS = ("amzn-s3-demo-", "sthree-", "xn--")
RESERVED_ENDS = ("--ol-s3", "--table-s3", "--x-s3", "-s3alias", ".mrap")
NOT_SERVED = frozenset(
    {
        "abac",
        "metadataAnnotationTable",
        "metadataConfiguration",
        "metadataInventoryTable",
        "metadataJournalTable",
        "metadataTable",
        "renameObject",
        "session",
        "torrent",
    }
)
"""Parameters that name an operation which is not emulated; MiniStack would take it for one on the bucket itself."""


def _owner(stock: Callable[[str], str | None], name: str) -> str | None:
    """Look among the caller's own buckets first: MiniStack looks at everybody's, several times a request."""
    return get_account_id() if name in s3._buckets else stock(name)


def _policy_status(name: str) -> Any:
    """Whether a bucket's policy lets everybody in."""
    status, headers, policy = s3._get_bucket_policy(name)
    if status != HTTPStatus.OK:
        return status, headers, policy
    root = Element("PolicyStatus", xmlns=s3.S3_NS)
    SubElement(root, "IsPublic").text = str(s3._policy_is_public(policy.decode())).lower()
    return 200, {"Content-Type": "application/xml"}, s3._xml_body(root)


def answer(call: Call, _body: bytes) -> Response | None:
    """Serve what MiniStack does not find by its parameter, and refuse what is not served; None for any other."""
    served: Response | None = None
    if unserved := NOT_SERVED.intersection(call.query):
        message = "A header you provided implies functionality that is not implemented"
        served = error("NotImplemented", message, 501, Header=min(unserved))
    elif call.method == "GET" and call.bucket and not call.key:
        if "policyStatus" in call.query:
            served = _policy_status(call.bucket)
        elif "requestPayment" in call.query:
            served = s3._get_bucket_request_payment(call.bucket)
    return served


def _put_request_payment(stock: Callable[..., Response], name: str, body: bytes) -> Any:
    """Refuse a payer that S3 does not know."""
    root = parsed(body)
    if name in s3._buckets and (root is None or children(root).get("Payer") not in PAYERS):
        return error("MalformedXML", s3._MALFORMED_XML)
    return stock(name, body)


def _is_reserved(name: str) -> bool:
    """Whether S3 keeps such names for itself (User Guide, "General purpose bucket naming rules")."""
    return name.startswith(RESERVED_STARTS) or name.endswith(RESERVED_ENDS)


def _unfit(body: bytes, headers: Mapping[str, str]) -> Any:
    """S3's answer to a bucket that cannot be; None to any other."""
    ownership = headers.get(OWNERSHIP)
    if ownership is not None and ownership not in OWNERSHIPS:
        return error("InvalidArgument", f"Invalid {OWNERSHIP} header: {ownership}", ArgumentName=OWNERSHIP)
    root = parsed(body) if body else None
    if root is not None and children(root).get("LocationConstraint") == "":
        return error("MalformedXML", s3._MALFORMED_XML)
    return None


def _put_ownership(stock: Callable[..., Response], name: str, body: bytes) -> Any:
    """Refuse all but one rule with an ownership that S3 knows."""
    root = parsed(body)
    rules = [children(node).get("ObjectOwnership") for node in (root if root is not None else ())]
    if name in s3._buckets and (len(rules) != 1 or rules[0] not in OWNERSHIPS):
        return error("MalformedXML", s3._MALFORMED_XML)
    return stock(name, body)


def _put_logging(stock: Callable[..., Response], name: str, body: bytes) -> Any:
    """Refuse a target that is not there, or is in another Region."""
    root = parsed(body)
    target = (
        next((node.text or "" for node in root.iter() if name_of(node) == "TargetBucket"), "")
        if root is not None
        else ""
    )
    if name not in s3._buckets or not target:
        return stock(name, body)
    if target not in s3._buckets:
        message = "The target bucket for logging does not exist"
        return error("InvalidTargetBucketForLogging", message, TargetBucket=target)
    here, there = s3.bucket_region(name), s3.bucket_region(target)
    if there == here:
        return stock(name, body)
    named = {"TargetBucketLocation": there} | ({"SourceBucketLocation": here} if here != FIRST else {})
    # S3 spells its code so.
    return error("CrossLocationLoggingProhibitted", "Cross S3 location logging not allowed. ", 403, **named)


def _put_accelerate(stock: Callable[..., Response], name: str, body: bytes) -> Any:
    """Refuse a status that S3 does not know, and a bucket whose name has periods."""
    root = parsed(body)
    if name in s3._buckets and "." in name:
        message = "S3 Transfer Acceleration is not supported for buckets with periods (.) in their names"
        return error("InvalidRequest", message)
    if name in s3._buckets and (root is None or children(root).get("Status") not in ACCELERATION):
        return error("MalformedXML", s3._MALFORMED_XML)
    return stock(name, body)


def _create(
    stock: Callable[..., Response],
    name: str,
    body: bytes,
    headers: Mapping[str, str] | None = None,
    endpoint_region: str | None = None,
) -> Any:
    """Refuse a place and an ownership that there are not; tell the ARN of a new bucket, and where it is."""
    if _is_reserved(name):
        answer: Response = error("InvalidBucketName", "The specified bucket is not valid.")
        return answer
    if refused := _unfit(body, headers or {}):
        return refused
    status, answered, told = stock(name, body, headers, endpoint_region)
    if status == HTTPStatus.OK:
        where = f"/{name}" if s3.bucket_region(name) == FIRST else f"http://{name}.s3.amazonaws.com/"
        answered = {**answered, "Location": where, "x-amz-bucket-arn": f"arn:aws:s3:::{name}"}
    return status, answered, told


def _head(stock: Callable[..., Response], name: str) -> Response:
    """Tell whether an access point was asked."""
    status, answered, told = stock(name)
    if status == HTTPStatus.OK:
        is_alias = s3._request_access_point.get() is not None
        answered = {**answered, "x-amz-access-point-alias": str(is_alias).lower()}
    return status, answered, told


def _list(
    stock: Callable[..., Response],
    query_params: Mapping[str, Any] | None = None,
    signed_region: str | None = None,
) -> Response:
    """Tell when buckets were made, to the second."""
    status, answered, told = stock(query_params, signed_region)
    return status, answered, dated(told)


def _delete(stock: Callable[..., Response], name: str) -> Any:
    """Say of a bucket with versions that these are to be deleted too."""
    if name in s3._buckets and s3._bucket_has_versions(name):
        message = "The bucket you tried to delete is not empty. You must delete all versions in the bucket."
        return error("BucketNotEmpty", message, 409)
    return stock(name)


def install() -> None:
    """Take over where buckets are made, described and deleted."""
    extend(s3, "_bucket_owner_account", "name")(_owner)
    extend(s3, "_put_bucket_request_payment", "name", "body")(_put_request_payment)
    extend(s3, "_put_bucket_ownership_controls", "name", "body")(_put_ownership)
    extend(s3, "_put_bucket_logging", "name", "body")(_put_logging)
    extend(s3, "_put_bucket_accelerate", "name", "body")(_put_accelerate)
    extend(s3, "_create_bucket", "name", "body", "headers", "endpoint_region")(_create)
    extend(s3, "_head_bucket", "name")(_head)
    extend(s3, "_delete_bucket", "name")(_delete)
    extend(s3, "_list_buckets", "query_params", "signed_region")(_list)
