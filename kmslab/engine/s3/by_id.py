"""A bucket's configurations with an id: metrics, analytics, inventory, Intelligent-Tiering. They are kept, not acted on.

Recorded from S3 (LocalStack's ``test_s3_api.py``, TestS3MetricsConfiguration; ``test_s3.py``: test_s3_analytics_*,
test_s3_intelligent_tier_config): one that is not there is not deleted either, and one with another id is malformed but for inventories. Amazon S3 API Reference, "ListBucketMetricsConfigurations": a page has 100 of them.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from xml.etree.ElementTree import Element, fromstring, tostring

from ministack.services import s3

from kmslab.engine.s3.errors import error
from kmslab.engine.s3.markup import children, name_of, parsed, written
from kmslab.engine.s3.pages import add

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kmslab.engine.s3.calls import Call
    from kmslab.engine.s3.errors import Response

    Query = Mapping[str, Any]

PAGE = 100
_KEPT = "kmslab_configurations"
"""Where a bucket's record keeps them, in XML by id and kind; it is saved with it."""


@dataclass(frozen=True, slots=True)
class Kind:
    """What a configuration is called.

    Attributes:
        document: its element.
        listing: the element of a list.
        tells_ids: whether S3 says so when the document has another id.
    """

    document: str
    listing: str
    tells_ids: bool = False


KINDS = {
    "analytics": Kind("AnalyticsConfiguration", "ListBucketAnalyticsConfigurationsResult"),
    "intelligent-tiering": Kind(
        "IntelligentTieringConfiguration", "ListBucketIntelligentTieringConfigurationsResult"
    ),
    "inventory": Kind("InventoryConfiguration", "ListInventoryConfigurationsResult", tells_ids=True),
    "metrics": Kind("MetricsConfiguration", "ListMetricsConfigurationsResult"),
}


def _put(kept: dict[str, str], kind: Kind, identifier: str, body: bytes) -> Any:
    root = parsed(body)
    if root is None or name_of(root) != kind.document:
        return error("MalformedXML", s3._MALFORMED_XML)
    if not identifier or children(root).get("Id") != identifier:
        message = "Document ID does not match the specified configuration ID."
        return error("IdMismatch", message) if kind.tells_ids else error("MalformedXML", s3._MALFORMED_XML)
    kept[identifier] = tostring(root, encoding="unicode")
    return 204, {}, b""


def _list(kept: dict[str, str], kind: Kind, token: str) -> Any:
    """A page of the configurations, by id; a token is the last id of the page before."""
    try:
        after = base64.b64decode(token, validate=True).decode()
    except ValueError:
        return error("InvalidArgument", "The continuation token provided is incorrect")
    ids = sorted(one for one in kept if one > after)
    root = Element(f"{{{s3.S3_NS}}}{kind.listing}")
    more = base64.b64encode(ids[PAGE - 1].encode()).decode() if len(ids) > PAGE else None
    members = {
        "IsTruncated": str(more is not None).lower(),
        "ContinuationToken": token or None,
        "NextContinuationToken": more,
    }
    for name, text in members.items():
        add(root, {f"{{{s3.S3_NS}}}{name}": text})
    for one in ids[:PAGE]:
        root.append(fromstring(kept[one]))  # noqa: S314  # it was parsed when it was put
    return 200, {"Content-Type": "application/xml"}, written(root)


def _serve(method: str, bucket: str, kind: str, query: Query, body: bytes) -> Any:
    """Do what is asked with a bucket's configurations of a kind."""
    if bucket not in s3._buckets:
        return s3._no_such_bucket(bucket)
    kept: dict[str, str] = s3._buckets[bucket].setdefault(_KEPT, {}).setdefault(kind, {})
    identifier = s3._qp(query, "id", "")
    if method == "PUT":
        return _put(kept, KINDS[kind], identifier, body)
    if method == "GET" and "id" not in query:
        return _list(kept, KINDS[kind], s3._qp(query, "continuation-token", ""))
    if identifier not in kept:
        return error("NoSuchConfiguration", "The specified configuration does not exist.", 404)
    if method == "DELETE":
        del kept[identifier]
        return 204, {}, b""
    return 200, {"Content-Type": "application/xml"}, kept[identifier].encode()


def answer(call: Call, body: bytes) -> Response | None:
    """Serve the operations, which MiniStack would take for some on the bucket itself; None for any other."""
    kind = next((one for one in KINDS if one in call.query), "")
    if not kind or not call.bucket or call.key or call.method not in ("GET", "PUT", "DELETE"):
        return None
    served: Response = _serve(call.method, call.bucket, kind, call.query, body)
    return served
