"""Two runs side by side: what got worse, what got better, what is new, and who may do what they could not before."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, ValidationError

from kmslab.model.errors import ExitCode, LabError
from kmslab.model.verdict import Outcome
from kmslab.reports.json_report import SCHEMA_VERSION

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

RANK = (Outcome.PASS, Outcome.UNPROVABLE, Outcome.ERROR, Outcome.FAIL)
"""From best to worst: a claim that went to the right got worse."""
SLOWER_TIMES, SLOWER_SECONDS = 1.5, 0.2
"""A check is called slower if it took both so many times as long and so much longer."""


class _Part(BaseModel):
    """What is compared of a part of report.json; other fields may be there."""

    model_config = ConfigDict(extra="ignore", strict=True, frozen=True)


class Where(_Part):
    """Which lab a run was about; see ``report.schema.json``."""

    target: str
    region: str
    account: str
    prefix: str


class RunResult(_Part):
    """One check of a run."""

    model_config = ConfigDict(strict=False)

    id: str
    outcome: Outcome
    summary: str
    seconds: float


class RunCell(_Part):
    """One cell of a run's access matrix."""

    principal: str
    key: str
    operation: str
    route: str
    allowed: bool
    reason: str
    observed: bool | None

    @property
    def place(self) -> tuple[str, str, str, str]:
        """Which question it answers."""
        return (self.principal, self.key, self.operation, self.route)

    @property
    def differs(self) -> bool:
        """Whether the principal could do other than the policies say."""
        return self.observed not in (None, self.allowed)


class RunMatrix(_Part):
    """The access matrix of a run."""

    cells: tuple[RunCell, ...]


class Run(_Part):
    """A report.json, as far as it is compared."""

    lab: Where
    started: str
    seconds: float
    results: tuple[RunResult, ...]
    matrix: RunMatrix | None


def read_run(file: Path) -> Run:
    """Read a report that ``kmslab verify --format json`` wrote.

    Raises:
        LabError: there is no such file, it is no report, or one of another schema version.
    """
    hint = "`kmslab verify --format json` writes report.json."
    try:
        text = file.read_text(encoding="utf-8")
        document = json.loads(text)
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise LabError(f"Cannot read {file}: {why}.", hint=hint, exit_code=ExitCode.BAD_INPUT) from error
    except ValueError as error:
        raise LabError(f"{file} is not JSON.", hint=hint) from error
    if not isinstance(document, dict) or "schema_version" not in document:
        raise LabError(f"{file} is not a report of kmslab verify.", hint=hint)
    if (version := document["schema_version"]) != SCHEMA_VERSION:
        raise LabError(
            f"{file} has schema version {version}; this kmslab compares version {SCHEMA_VERSION}.", hint=hint
        )
    try:
        return Run.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise LabError(
            f"{file} is not a whole report: {place}: {first['msg'].lower()}.", hint=hint
        ) from error


class Kind(StrEnum):
    """What became of a check."""

    NEWLY_FAILING = "newly failing"
    NEWLY_PASSING = "newly passing"
    CHANGED = "changed"
    NEW = "new"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True)
class Change:
    """A check whose outcome is another one, or that only one of the runs has.

    Attributes:
        id: of the check.
        kind: what became of it.
        old: outcome before; None for a new check.
        new: outcome now; None for a check that is gone.
        summary: what was seen now; of a check that is gone, what was seen before.
    """

    id: str
    kind: Kind
    old: Outcome | None
    new: Outcome | None
    summary: str

    @property
    def worse(self) -> bool:
        """Whether a claim that was proven is not any more, or a new one does not hold."""
        if self.new is None:
            return self.old is Outcome.PASS
        if self.old is None:
            return self.new in (Outcome.FAIL, Outcome.ERROR)
        return RANK.index(self.new) > RANK.index(self.old)


@dataclass(frozen=True, slots=True)
class Slower:
    """A check that took longer; for information."""

    id: str
    old: float
    new: float

    @property
    def times(self) -> float:
        """How many times as long it took."""
        return self.new / max(self.old, 0.001)


@dataclass(frozen=True, slots=True)
class CellChange:
    """A cell of the access matrix that says something else, or that only one of the runs has."""

    old: RunCell | None
    new: RunCell | None

    @property
    def cell(self) -> RunCell:
        """The cell now; before, if it is gone."""
        found = self.new or self.old
        assert found is not None, "one of the two runs has it"  # noqa: S101  # how it is made
        return found

    @property
    def worse(self) -> bool:
        """Whether somebody may do more than before, or does other than the policies say."""
        if self.new is None:
            return False
        widened = self.new.allowed and not (self.old and self.old.allowed)
        return widened or (self.new.differs and not (self.old and self.old.differs))


@dataclass(frozen=True, slots=True)
class Comparison:
    """Everything that differs between two runs.

    Attributes:
        changes: of checks, in the order of the new run, then those that are gone.
        slower: the most slowed down first.
        cells: of the access matrix; None where one of the runs has none.
    """

    changes: tuple[Change, ...]
    slower: tuple[Slower, ...]
    cells: tuple[CellChange, ...] | None

    @property
    def worse(self) -> bool:
        """Whether anything got worse."""
        return any(change.worse for change in self.changes) or any(cell.worse for cell in self.cells or ())


def compare(old: Run, new: Run) -> Comparison:
    """Return what differs."""
    before = {result.id: result for result in old.results}
    slower = [
        Slower(now.id, before[now.id].seconds, now.seconds)
        for now in new.results
        if now.id in before
        and now.seconds >= before[now.id].seconds * SLOWER_TIMES
        and now.seconds - before[now.id].seconds >= SLOWER_SECONDS
    ]
    return Comparison(
        changes=tuple(_changes(before, {result.id: result for result in new.results})),
        slower=tuple(sorted(slower, key=lambda one: one.times, reverse=True)),
        cells=tuple(_cells(old.matrix, new.matrix)) if old.matrix and new.matrix else None,
    )


def _changes(before: Mapping[str, RunResult], after: Mapping[str, RunResult]) -> Iterator[Change]:
    for check, now in after.items():
        was = before[check].outcome if check in before else None
        if was is not now.outcome:
            yield Change(check, _kind(was, now.outcome), was, now.outcome, now.summary)
    for check, gone in before.items():
        if check not in after:
            yield Change(check, Kind.REMOVED, gone.outcome, None, gone.summary)


def _kind(was: Outcome | None, now: Outcome) -> Kind:
    if was is None:
        return Kind.NEW
    return {Outcome.FAIL: Kind.NEWLY_FAILING, Outcome.PASS: Kind.NEWLY_PASSING}.get(now, Kind.CHANGED)


def _cells(old: RunMatrix, new: RunMatrix) -> Iterator[CellChange]:
    before = {cell.place: cell for cell in old.cells}
    after = {cell.place: cell for cell in new.cells}
    for place in {**after, **before}:
        was, now = before.get(place), after.get(place)
        if was is None or now is None or (was.allowed, was.differs) != (now.allowed, now.differs):
            yield CellChange(was, now)
