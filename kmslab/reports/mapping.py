"""The verdicts of a run by public control: what was asked for, who asks for it, and what was seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kmslab.model.controls import demands
from kmslab.model.verdict import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kmslab.model.controls import Control
    from kmslab.reports.report import Report, Result

WORST_FIRST = (Outcome.FAIL, Outcome.ERROR, Outcome.UNPROVABLE, Outcome.PASS)
"""The outcome of several checks is the first of these that one of them had."""


@dataclass(frozen=True, slots=True)
class Demand:
    """What public controls ask for, and what the run says about it.

    Attributes:
        what: in our words.
        controls: those that a check of this run evidences.
        left: those that the lab does not evidence, which say why.
        results: of the checks that evidence one of the controls.
    """

    what: str
    controls: tuple[Control, ...]
    left: tuple[Control, ...]
    results: tuple[Result, ...]

    @property
    def outcome(self) -> Outcome | None:
        """The worst outcome of the checks; None if none of them was part of the run."""
        return worst(self.results)


def worst(results: Iterable[Result]) -> Outcome | None:
    """The worst outcome among results; None if there are none."""
    seen = {result.verdict.outcome for result in results}
    return next((outcome for outcome in WORST_FIRST if outcome in seen), None)


def by_demand(report: Report) -> tuple[Demand, ...]:
    """Every demand of the list of controls, in its order."""
    return tuple(_demand(what, asking, report) for what, asking in demands().items())


def _demand(what: str, asking: tuple[Control, ...], report: Report) -> Demand:
    ids = {control.id for control in asking}
    results = tuple(result for result in report.results if ids & set(result.controls))
    named = {control for result in results for control in result.controls}
    return Demand(
        what,
        controls=tuple(control for control in asking if control.id in named),
        left=tuple(control for control in asking if control.not_evidenced),
        results=results,
    )
