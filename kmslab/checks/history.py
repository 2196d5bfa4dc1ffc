"""CloudTrail's event history: waiting for an event, no faster than the history may be asked.

LookupEvents answers two requests a second per account and Region (CloudTrail API Reference,
"LookupEvents"), and takes one attribute. The key or the session narrows the answer to a page
or two, where an operation's name would bring everybody's calls.
"""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

from kmslab.lab import Inconclusive
from kmslab.model.evidence import code_of
from kmslab.model.persona import Persona
from kmslab.model.target import TargetKind
from kmslab.model.verdict import Call

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kmslab.lab import Lab

HISTORY_SECONDS = {TargetKind.AWS: 1200.0, TargetKind.LOCAL: 5.0, TargetKind.ENDPOINT: 60.0}
"""How late an event may be: CloudTrail's event history typically lags by up to 15 minutes."""
BETWEEN_REQUESTS = {TargetKind.AWS: 0.6, TargetKind.LOCAL: 0.0, TargetKind.ENDPOINT: 0.0}
"""Seconds from one request to the next, of all checks together."""
BETWEEN_LOOKS = {TargetKind.AWS: 12.0, TargetKind.LOCAL: 0.0, TargetKind.ENDPOINT: 1.0}
"""Seconds from one look of a check to its next."""
CLOCK_SKEW = timedelta(minutes=2)


@dataclass(slots=True)
class _Turns:
    """The requests of all checks of a run, one after the other with a pause between."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    next: float = 0.0

    def take(self, lab: Lab) -> None:
        """Wait for one's turn; at once when the run is stopped."""
        with self.lock:
            lab.access.stopping.wait(max(0.0, self.next - time.monotonic()))
            self.next = time.monotonic() + BETWEEN_REQUESTS[lab.access.target.kind]


def event_of(
    lab: Lab,
    name: str,
    wanted: Callable[[Any], bool],
    *,
    key: str = "",
    persona: Persona | None = None,
    reach: timedelta = timedelta(0),
) -> dict[str, Any]:
    """Wait for a KMS event in the event history and return it.

    Args:
        lab: the check's lab.
        name: the event's name, which is the operation's.
        wanted: whether an event of that name is the one.
        key: ARN of the key whose events are looked through.
        persona: whose events are looked through, where no key is given.
        reach: how far back it may lie; the run itself unless told otherwise.

    At the deadline it is looked for once more, by its name alone: an event that names another
    key than it should is then there to be judged.

    Raises:
        Inconclusive: it did not appear in time.
    """
    start = datetime.now(UTC) - CLOCK_SKEW - reach
    kind = lab.access.target.kind
    narrow = ("ResourceName", key) if key else ("Username", f"kmslab-{persona}")
    looks = 0

    def look(attribute: tuple[str, str]) -> dict[str, Any] | None:
        events = _events(lab, attribute, start)
        return next((one for one in events if one["eventName"] == name and wanted(one)), None)

    def found() -> dict[str, Any] | None:
        nonlocal looks
        if looks:
            lab.access.stopping.wait(BETWEEN_LOOKS[kind])
        looks += 1
        return look(narrow)

    try:
        what = f"the {name} event in the event history"
        event = lab.wait_until(found, what, seconds=HISTORY_SECONDS[kind])
    except Inconclusive:
        if lab.access.stopping.is_set() or not (event := look(("EventName", name))):
            raise
    lab.calls.append(Call(Persona.AUDITOR, "cloudtrail:LookupEvents", name, "ok", _in_short(event)))
    return cast("dict[str, Any]", event)


def _events(lab: Lab, attribute: tuple[str, str], start: datetime) -> Iterator[dict[str, Any]]:
    """The history since a time, newest first; it ends early where the history refuses to be asked so often."""
    from botocore.exceptions import ClientError

    turns = lab.access.once("turns at the event history", _Turns)
    history = lab.client(Persona.AUDITOR, "cloudtrail")
    request: dict[str, Any] = {
        "LookupAttributes": [dict(zip(("AttributeKey", "AttributeValue"), attribute, strict=True))],
        "StartTime": start,
    }
    while True:
        turns.take(lab)
        try:
            page = history.lookup_events(**request)
        except ClientError as error:
            # Others in the account ask as well, and the limit is for all of them.
            if (code := code_of(error)) == "ThrottlingException":
                return
            raise Inconclusive(f"the auditor could not look into the event history: {code}") from error
        for one in page["Events"]:
            yield json.loads(one["CloudTrailEvent"])
        if not page.get("NextToken"):
            return
        request["NextToken"] = page["NextToken"]


def context_of(event: dict[str, Any]) -> dict[str, str]:
    """The encryption context of the recorded request; KMS records no parameters of a refused one."""
    context: dict[str, str] = (event.get("requestParameters") or {}).get("encryptionContext") or {}
    return context


def _in_short(event: dict[str, Any]) -> str:
    """Who, through which service, with which context: an event as one line of evidence."""
    who = event["userIdentity"]
    parts = (
        who.get("arn", "?"),
        f"via {who['invokedBy']}" if "invokedBy" in who else "directly",
        event.get("errorCode"),
        json.dumps(context_of(event)),
    )
    return " ".join(filter(None, parts))
