"""One run of the checks as every report shows it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from kmslab.model.verdict import Outcome

if TYPE_CHECKING:
    from datetime import datetime

    from kmslab.checks.registry import Check
    from kmslab.model.capability import Capability
    from kmslab.model.inventory import Inventory
    from kmslab.model.matrix import AccessMatrix
    from kmslab.model.verdict import Verdict


@dataclass(frozen=True, slots=True)
class Result:
    """One check and its verdict.

    Attributes:
        id: ``<topic>.<claim>`` in kebab case.
        title: the claim, in one line.
        explanation: why it matters; may be empty.
        guide: name of the guide page.
        controls: public control ids that it evidences.
        needs: capabilities without which it is UNPROVABLE.
        verdict: what came out, with the evidence.
    """

    id: str
    title: str
    explanation: str
    guide: str
    controls: tuple[str, ...]
    needs: tuple[str, ...]
    verdict: Verdict

    @classmethod
    def of(cls, check: Check, verdict: Verdict) -> Self:
        """Return what reports show of a check that has come to its verdict."""
        return cls(
            id=check.id,
            title=check.title,
            explanation=check.explanation,
            guide=check.guide,
            controls=check.controls,
            needs=tuple(sorted(check.needs)),
            verdict=verdict,
        )

    @property
    def topic(self) -> str:
        """The part of the id before the dot."""
        return self.id.partition(".")[0]


@dataclass(frozen=True, slots=True)
class Report:
    """Every result of a run, and what it was about.

    Attributes:
        version: of kmslab.
        target: ``aws``, ``local`` or ``endpoint``.
        endpoint: URL of the target; empty on AWS.
        region: where the lab stands.
        account: 12-digit account id.
        prefix: the lab's prefix.
        started: when the run began, with time zone.
        seconds: how long it took.
        results: in the order of the register, which is the order of the guides.
        capabilities: what the target enforces.
        matrix: who may do what with which key; None where nobody asked.
        inventory: the keys and what lies under them; None where nobody asked.
        unread: what of these could not be read, each with the reason in one line.
    """

    version: str
    target: str
    endpoint: str
    region: str
    account: str
    prefix: str
    started: datetime
    seconds: float
    results: tuple[Result, ...]
    capabilities: frozenset[Capability] = frozenset()
    matrix: AccessMatrix | None = None
    inventory: Inventory | None = None
    unread: tuple[str, ...] = ()

    @property
    def counts(self) -> dict[Outcome, int]:
        """How many checks came to each outcome; every outcome is a key."""
        outcomes = [result.verdict.outcome for result in self.results]
        return {outcome: outcomes.count(outcome) for outcome in Outcome}

    @property
    def failed(self) -> bool:
        """Whether any check answered FAIL or ERROR, or none ran."""
        return not self.results or bool(self.counts[Outcome.FAIL] or self.counts[Outcome.ERROR])

    @property
    def topics(self) -> dict[str, list[Result]]:
        """The results by topic, both in the order of the run."""
        grouped: dict[str, list[Result]] = {}
        for result in self.results:
            grouped.setdefault(result.topic, []).append(result)
        return grouped
