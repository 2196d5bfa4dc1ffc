"""One event of the history, kept small: a class that is verified leaves a quarter of a million of them in memory."""

from __future__ import annotations

import json
import sys
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_FASTEST = 1
"""zlib's level: a record shrinks to two fifths."""
_FIELDS = {
    "AccessKeyId": "access_key",
    "EventId": "event_id",
    "EventName": "name",
    "EventSource": "source",
    "ReadOnly": "read_only",
    "Username": "username",
}
ATTRIBUTES = frozenset({*_FIELDS, "ResourceName", "ResourceType"})
"""What LookupEvents looks for."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What LookupEvents tells of an event (CloudTrail API Reference, "Event"), its record compressed.

    Attributes:
        event_id: of the record.
        name: the API operation.
        source: ``kms.amazonaws.com``.
        time: in seconds since 1970.
        access_key: that signed the request; empty for a service's.
        username: the user's, or the name of the session.
        read_only: ``true`` or ``false``.
        resources: type and ARN or name of each.
        packed: the record.
    """

    event_id: str
    name: str
    source: str
    time: float
    access_key: str
    username: str
    read_only: str
    resources: tuple[tuple[str, str], ...]
    packed: bytes

    @classmethod
    def of(cls, record: Mapping[str, Any], username: str, time: float) -> Entry:
        """Keep a record."""
        return cls(
            record["eventID"],
            sys.intern(record["eventName"]),
            sys.intern(record["eventSource"]),
            time,
            sys.intern(record["userIdentity"].get("accessKeyId", "")),
            sys.intern(username),
            "true" if record["readOnly"] else "false",
            tuple((sys.intern(one["type"]), sys.intern(one["ARN"])) for one in record["resources"]),
            zlib.compress(json.dumps(record, default=str).encode(), _FASTEST),
        )

    @property
    def record(self) -> str:
        """The record, in JSON."""
        return zlib.decompress(self.packed).decode()

    def has(self, attribute: str, value: str) -> bool:
        """Whether the event has this value of one of the `ATTRIBUTES`."""
        if attribute == "ResourceType":
            return any(kind == value for kind, _ in self.resources)
        if attribute == "ResourceName":
            return any(name == value for _, name in self.resources)
        return bool(getattr(self, _FIELDS[attribute]) == value)

    def shown(self) -> dict[str, Any]:
        """The event as LookupEvents answers."""
        return {
            **{name: getattr(self, field) for name, field in _FIELDS.items()},
            "EventTime": self.time,
            "Resources": [{"ResourceType": kind, "ResourceName": name} for kind, name in self.resources],
            "CloudTrailEvent": self.record,
        }
