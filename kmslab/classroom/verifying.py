"""The whole catalogue for one seat: verdicts as events while they come, a report at the end."""

from __future__ import annotations

import json
import time
from collections import Counter
from contextlib import suppress
from datetime import UTC, datetime
from importlib.metadata import version
from typing import TYPE_CHECKING

from kmslab.checks.catalogue import topic as topic_of
from kmslab.classroom.events import append, event
from kmslab.classroom.seats import seat_folder
from kmslab.deployed import read_outputs
from kmslab.faults.ledger import Ledger
from kmslab.model.verdict import Outcome
from kmslab.project import write_private
from kmslab.reports.report import Report, Result
from kmslab.targets import capabilities_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from kmslab.checks.registry import Check
    from kmslab.classroom.desk import SeatAccess
    from kmslab.lab import Access
    from kmslab.model.verdict import Verdict

WORKERS = 12
"""Checks of one seat that run at a time: several seats are verified at once, and a connection for each check
would make a TLS handshake for each."""
REPORTS = "reports"
_TOLD = "faults-told.json"
"""In a seat's folder: the faults that the events say are in place."""
_BAD = (Outcome.FAIL, Outcome.ERROR)
MYSTERY = "a mystery"
"""What the class is told of a fault that is for somebody to find out."""


def verify(
    access: SeatAccess, folder: Path, only: Sequence[str], *, quick: bool, deadline_seconds: float
) -> Counter[Outcome]:
    """Run the checks on a seat's lab; write its report and its events.

    Args:
        access: to the seat.
        folder: the class's.
        only: topics or checks; empty: all.
        quick: see `kmslab.checks.runner.run_all`.
        deadline_seconds: likewise.

    Returns: how many checks ended how.

    Raises:
        LabError: the lab does not stand there.
    """
    from kmslab.checks import runner
    from kmslab.reports import json_report

    started, clock = datetime.now(UTC), time.monotonic()
    outputs = read_outputs(access)
    checks = runner.claimed(runner.catalogue(only, quick=quick), outputs)
    topics = _Topics(folder, access.seat.name, checks)
    capabilities = capabilities_of(access.target.kind)
    verdicts = runner.run_all(
        access,
        outputs,
        capabilities,
        only,
        topics.told,
        quick=quick,
        deadline_seconds=deadline_seconds,
        workers=WORKERS,
    )
    report = Report(
        version=version("kmslab"),
        target=access.target.kind,
        endpoint=access.target.endpoint_url or "",
        region=access.target.region,
        account=access.seat.account,
        prefix=access.prefix,
        started=started,
        seconds=time.monotonic() - clock,
        results=tuple(Result.of(check, verdict) for check, verdict in verdicts),
        capabilities=capabilities,
        unread=("access matrix and inventory: not read for a class",),
    )
    reports = folder / REPORTS
    reports.mkdir(mode=0o700, exist_ok=True)
    write_private(reports / f"{access.seat.name}.json", json_report.render(report))
    tell_faults(access, folder, access.seat.name)
    return Counter(verdict.outcome for _, verdict in verdicts)


def tell_faults(access: Access, folder: Path, seat: str) -> None:
    """Tell the class which faults were made and repaired in a seat since it was last told."""
    now = {MYSTERY if entry.mystery else entry.fault_id for entry in Ledger(access).entries()}
    told = seat_folder(folder, seat) / _TOLD
    try:
        known = set(map(str, json.loads(told.read_text(encoding="utf-8"))))
    except (OSError, ValueError):
        known = set()
    for fault in sorted(now - known):
        append(folder, event(seat, "broken", fault=fault))
    for fault in sorted(known - now):
        append(folder, event(seat, "repaired", fault=fault))
    if now != known:
        told.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_private(told, json.dumps(sorted(now)))


class _Topics:
    """Tells the class of a topic once its last check has ended."""

    def __init__(self, folder: Path, seat: str, checks: Sequence[Check]) -> None:
        self._folder, self._seat = folder, seat
        self._left = Counter(topic_of(check) for check in checks)
        self._seen: dict[str, list[tuple[str, Outcome]]] = {}

    def told(self, check: Check, verdict: Verdict) -> None:
        topic = topic_of(check)
        self._seen.setdefault(topic, []).append((check.id, verdict.outcome))
        self._left[topic] -= 1
        if self._left[topic]:
            return
        seen = self._seen[topic]
        counts = Counter(outcome for _, outcome in seen)
        # A disk that is full stops no check: the report says the same.
        with suppress(OSError):
            append(
                self._folder,
                event(
                    self._seat,
                    "verify.topic",
                    topic=topic,
                    verdicts={outcome.name: counts[outcome] for outcome in Outcome},
                    failed=sorted(check_id for check_id, outcome in seen if outcome in _BAD),
                ),
            )
