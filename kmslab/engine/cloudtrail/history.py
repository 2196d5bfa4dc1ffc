"""LookupEvents: newest first, one attribute, pages that do not shift while new events arrive.

CloudTrail API Reference, "LookupEvents": which attributes there are, how many results, and that a page's token
belongs to the request that it came from.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from typing import TYPE_CHECKING, Any

from ministack.services import cloudtrail

from kmslab.engine.cloudtrail.entry import ATTRIBUTES
from kmslab.engine.hooks import extend

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from kmslab.engine.cloudtrail.entry import Entry

MOST = 50
LONGEST_VALUE = 2000


def _selected(body: Mapping[str, Any]) -> Iterator[Entry]:
    wanted = [(a["AttributeKey"], a["AttributeValue"]) for a in body.get("LookupAttributes") or ()]
    start, end = float(body.get("StartTime") or 0), float(body.get("EndTime") or "inf")
    for event in reversed(list(cloudtrail._get_event_queue())):
        if start <= event.time <= end and all(event.has(*pair) for pair in wanted):
            yield event


def _lookup_events(_stock: Callable[..., Any], body: Mapping[str, Any]) -> Any:
    """Page through the whole history, as AWS does; MiniStack returns the newest page only."""
    if refused := _refusal(body):
        return refused
    size = int(body.get("MaxResults", MOST))
    after, asked = "", _question(body)
    if token := body.get("NextToken"):
        try:
            before, after = base64.b64decode(token, validate=True).decode().split(" ")
        except (binascii.Error, ValueError):
            return cloudtrail._err("InvalidNextTokenException", "The token is not valid.")
        if before != asked:
            return cloudtrail._err("InvalidNextTokenException", "The token is of another request.")
    found = _selected(body) if not body.get("EventCategory") else iter(())  # nobody looks for insights here
    if after and not any(event.event_id == after for event in found):
        return cloudtrail._err("InvalidNextTokenException", "The token has expired.")
    page: list[dict[str, Any]] = []
    for event in found:  # goes on behind the event that the token names
        if len(page) == size:
            following = base64.b64encode(f"{asked} {page[-1]['EventId']}".encode()).decode()
            return cloudtrail._ok({"Events": page, "NextToken": following})
        page.append(event.shown())
    return cloudtrail._ok({"Events": page})


def _question(body: Mapping[str, Any]) -> str:
    """What is looked for, in few characters: the members that must stay the same from page to page."""
    asked = {name: value for name, value in body.items() if name not in ("NextToken", "MaxResults")}
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()[:16]


def _refusal(body: Mapping[str, Any]) -> Any:
    attributes = body.get("LookupAttributes") or ()
    if len(attributes) > 1 or any(a["AttributeKey"] not in ATTRIBUTES for a in attributes):
        return cloudtrail._err(
            "InvalidLookupAttributesException", "You can specify exactly one known lookup attribute."
        )
    if any(not 1 <= len(a["AttributeValue"]) <= LONGEST_VALUE for a in attributes):
        return cloudtrail._err(
            "InvalidLookupAttributesException", f"A value has between 1 and {LONGEST_VALUE} characters."
        )
    if body.get("EventCategory") not in (None, "insight"):
        return cloudtrail._err("InvalidEventCategoryException", "The event category is not valid.")
    if not 1 <= int(body.get("MaxResults", MOST)) <= MOST:
        return cloudtrail._err("InvalidMaxResultsException", f"MaxResults must be between 1 and {MOST}.")
    if body.get("StartTime") and body.get("EndTime") and float(body["StartTime"]) > float(body["EndTime"]):
        return cloudtrail._err("InvalidTimeRangeException", "The start time is after the end time.")
    return None


def install() -> None:
    """Take over LookupEvents."""
    extend(cloudtrail, "_lookup_events", "body")(_lookup_events)
