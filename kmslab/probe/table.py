"""The fidelity table: for people, for programs, and as Markdown."""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

from kmslab.probe.capabilities import capabilities
from kmslab.probe.model import AREAS, Outcome

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from kmslab.probe.model import Probe, Result

SCHEMA = 1
"""Of the JSON; another number when a member changes its meaning."""


@dataclass(frozen=True, slots=True)
class Fidelity:
    """One run of the suite on one target.

    Attributes:
        version: kmslab's.
        target: ``local`` or ``endpoint``.
        endpoint: the URL.
        region: the Region.
        started: when.
        seconds: how long it took.
        results: one for each probe, area by area.
    """

    version: str
    target: str
    endpoint: str
    region: str
    started: datetime
    seconds: float
    results: Sequence[Result]

    @property
    def counts(self) -> Mapping[Outcome, int]:
        """How many probes came to each outcome."""
        return {one: sum(result.outcome is one for result in self.results) for one in Outcome}

    @property
    def faithful(self) -> bool:
        """Whether every probe was as documented."""
        return self.counts[Outcome.AS_DOCUMENTED] == len(self.results)


def by_area(results: Iterable[Result]) -> Mapping[str, list[Result]]:
    """The results of each area, in the order of the catalogue."""
    return {area: list(some) for area, some in groupby(results, key=lambda one: one.probe.area)}


def as_json(fidelity: Fidelity) -> str:
    """The whole table for programs, with the capabilities that follow from it."""
    whole = {
        "schema": SCHEMA,
        "kmslab": fidelity.version,
        "target": fidelity.target,
        "endpoint": fidelity.endpoint,
        "region": fidelity.region,
        "started": f"{fidelity.started:%Y-%m-%dT%H:%M:%SZ}",
        "seconds": round(fidelity.seconds, 2),
        "counts": {str(outcome): count for outcome, count in fidelity.counts.items()},
        "capabilities": sorted(capabilities(fidelity.results)),
        "results": [
            {
                **entry(one.probe),
                "outcome": str(one.outcome),
                "seen": one.seen,
                "seconds": round(one.seconds, 3),
            }
            for one in fidelity.results
        ],
    }
    return json.dumps(whole, indent=1, ensure_ascii=False) + "\n"


def entry(probe: Probe) -> dict[str, Any]:
    """What is known of a probe before it runs."""
    return {
        "id": probe.id,
        "area": probe.area,
        "behaviour": probe.behaviour,
        "expected": probe.expected,
        "source": probe.source,
    }


def as_markdown(fidelity: Fidelity) -> str:
    """The whole table as a page."""
    counts = fidelity.counts
    lines = [
        "# Fidelity",
        "",
        f"`kmslab probe` {fidelity.version} on {fidelity.endpoint}, {fidelity.started:%Y-%m-%d}: "
        f"{counts[Outcome.AS_DOCUMENTED]} of {len(fidelity.results)} behaviours as documented, "
        f"{counts[Outcome.NOT_AS_DOCUMENTED]} not, {counts[Outcome.COULD_NOT_LOOK]} could not be looked at.",
    ]
    for area, results in by_area(fidelity.results).items():
        good = sum(one.outcome is Outcome.AS_DOCUMENTED for one in results)
        lines += ["", f"## {AREAS[area]}: {good} of {len(results)}", ""]
        lines += ["| behaviour | expected | outcome | seen | source |", "|---|---|---|---|---|"]
        lines += [
            f"| {cell(one.probe.behaviour)}<br>`{one.probe.id}` | {cell(one.probe.expected)} | {one.outcome} "
            f"| {cell(one.seen)} | [AWS]({one.probe.source}) |"
            for one in results
        ]
    return "\n".join(lines) + "\n"


def cell(text: str) -> str:
    """Text that stays in one cell of a Markdown table."""
    return text.replace("|", "\\|").replace("*", "\\*").replace("<", "&lt;")
