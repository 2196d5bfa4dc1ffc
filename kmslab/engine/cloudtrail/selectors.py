"""Event selectors: which are accepted, and which management events they ask for.

CloudTrail API Reference, "PutEventSelectors", "EventSelector" and "AdvancedFieldSelector"; botocore's description of
InvalidEventSelectorsException. Data events are not delivered, so only their numbers and types are looked at.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from ministack.core.responses import get_account_id
from ministack.services import cloudtrail

from kmslab.engine.hooks import extend

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from kmslab.engine.cloudtrail.entry import Entry

    Stock = Callable[[dict[str, Any]], Any]
    Selector = Mapping[str, Any]

EVERYTHING = {"ReadWriteType": "All", "IncludeManagementEvents": True, "ExcludeManagementEventSources": []}
READ_WRITE = frozenset({"ReadOnly", "WriteOnly", "All"})
DATA_TYPES = frozenset({"AWS::DynamoDB::Table", "AWS::Lambda::Function", "AWS::S3::Object"})
EXCLUDABLE = frozenset({"kms.amazonaws.com", "rdsdata.amazonaws.com"})
MOST_RESOURCES, MOST_VALUES = 250, 500
CATEGORY = "eventCategory"
FIELDS = frozenset(
    {
        CATEGORY,
        *(
            "errorCode",
            "eventName",
            "eventSource",
            "eventType",
            "readOnly",
            "resources.ARN",
            "resources.type",
        ),
        *("sessionCredentialFromConsole", "userIdentity.arn", "vpcEndpointId"),
    }
)
OPERATORS: dict[str, Callable[[str, str], bool]] = {
    "Equals": str.__eq__,
    "StartsWith": str.startswith,
    "EndsWith": str.endswith,
}
"""How a field is compared with one of the values; each has its opposite, which begins with Not."""


def selected(trail: Mapping[str, Any], event: Entry) -> bool:
    """Whether one of a trail's selectors asks for a management event.

    Args:
        trail: MiniStack's record of it.
        event: an entry of its event history.
    """
    place = (get_account_id(), trail["HomeRegion"], trail["Name"])
    chosen: Sequence[Selector] = cloudtrail._event_selectors.get_scoped(*place) or [EVERYTHING]
    return any(_advanced(one, event) if "FieldSelectors" in one else _basic(one, event) for one in chosen)


def _basic(selector: Selector, event: Entry) -> bool:
    kind = "ReadOnly" if event.read_only == "true" else "WriteOnly"
    return bool(
        selector.get("IncludeManagementEvents", True)
        and selector.get("ReadWriteType", "All") in ("All", kind)
        and event.source not in selector.get("ExcludeManagementEventSources", [])
    )


def _advanced(selector: Selector, event: Entry) -> bool:
    record = json.loads(event.record)
    return all(_matches(one, _values(record, one["Field"])) for one in selector["FieldSelectors"])


def _values(record: Mapping[str, Any], field: str) -> list[str]:
    """What a record has in a field: several of ``resources.ARN``, words for what is true or false."""
    found: list[Any] = [record]
    for name in field.split("."):
        found = [
            value
            for one in found
            if isinstance(one, dict) and (inner := one.get(name)) is not None
            for value in (inner if isinstance(inner, list) else [inner])
        ]
    return [str(value).lower() if isinstance(value, bool) else str(value) for value in found]


def _matches(condition: Selector, values: Iterable[str]) -> bool:
    values = list(values)
    for name, compare in OPERATORS.items():
        wanted, unwanted = condition.get(name), condition.get(f"Not{name}")
        if wanted and not any(compare(value, one) for value in values for one in wanted):
            return False
        if unwanted and any(compare(value, one) for value in values for one in unwanted):
            return False
    return True


def _put_event_selectors(stock: Stock, body: dict[str, Any]) -> Any:
    """Check what MiniStack takes as it comes."""
    known = cloudtrail._find_mutable_trail(str(body.get("TrailName", "")).strip())[3] is None
    why = _wrong(body.get("EventSelectors") or []) or _wrong_advanced(
        body.get("AdvancedEventSelectors") or []
    )
    if known and why:
        return cloudtrail._err("InvalidEventSelectorsException", why)
    return stock(body)


def _wrong(selectors: Sequence[Selector]) -> str:
    resources = [one for selector in selectors for one in selector.get("DataResources") or []]
    if any(one.get("ReadWriteType", "All") not in READ_WRITE for one in selectors):
        return f"Specify one of {', '.join(sorted(READ_WRITE))} as ReadWriteType."
    if any(not {*(one.get("ExcludeManagementEventSources") or [])} <= EXCLUDABLE for one in selectors):
        return f"Management events of {' and '.join(sorted(EXCLUDABLE))} alone can be excluded."
    if any(one.get("Type") not in DATA_TYPES for one in resources):
        return f"Specify one of {', '.join(sorted(DATA_TYPES))} as the type of a data resource."
    if sum(len(one.get("Values") or []) for one in resources) > MOST_RESOURCES:
        return f"Specify a valid number of data resources (1 to {MOST_RESOURCES}) for your trail."
    return ""


def _wrong_advanced(selectors: Sequence[Selector]) -> str:
    operators = {*OPERATORS, *(f"Not{name}" for name in OPERATORS)}
    values = 0
    for selector in selectors:
        conditions = selector.get("FieldSelectors") or []
        fields = [one.get("Field") for one in conditions]
        if unknown := next((one for one in fields if one not in FIELDS), None):
            return f"{unknown} is not a field that a trail selects by."
        if fields.count(CATEGORY) != 1 or len(set(fields)) < len(fields):
            return f"An advanced event selector has {CATEGORY}, and each field once."
        given = [[value for name in operators for value in one.get(name) or []] for one in conditions]
        if not all(given):
            return "A field selector has at least one operator with a value."
        values += sum(map(len, given))
    if values > MOST_VALUES:
        return f"Specify up to {MOST_VALUES} values for all conditions in all advanced event selectors."
    return ""


def install() -> None:
    """Take over the operation that sets them."""
    extend(cloudtrail, "_put_event_selectors", "body")(_put_event_selectors)
