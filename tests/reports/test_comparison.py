"""Two runs compared: what counts as worse, and what is no report."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from kmslab.model.errors import ExitCode, LabError
from kmslab.model.matrix import AccessMatrix, Cell
from kmslab.model.verdict import Outcome, Verdict
from kmslab.reports import json_report
from kmslab.reports.comparison import Comparison, Kind, compare, read_run
from tests.reports.conftest import report, result

if TYPE_CHECKING:
    from pathlib import Path

    from kmslab.reports.comparison import Run
    from kmslab.reports.report import Report

DECRYPT = Cell("outsider", "s3", "Decrypt", "", allowed=False, reason="nothing allows it")


@pytest.fixture
def read(tmp_path: Path) -> Any:
    """Writes a report as `kmslab verify` does, and reads it again."""

    def write_and_read(of: Report) -> Run:
        file = tmp_path / "report.json"
        file.write_text(json_report.render(of), encoding="utf-8")
        return read_run(file)

    return write_and_read


def outcomes(read: Any, old: Outcome | None, new: Outcome | None) -> Comparison:
    """Compare two runs of one check, which one of them may lack."""
    before, after = (
        read(report(result("a.kept", Outcome.PASS), *([result("a.b", outcome)] if outcome else [])))
        for outcome in (old, new)
    )
    return compare(before, after)


@pytest.mark.parametrize(
    ("old", "new", "kind", "worse"),
    [
        (Outcome.PASS, Outcome.FAIL, Kind.NEWLY_FAILING, True),
        (Outcome.ERROR, Outcome.FAIL, Kind.NEWLY_FAILING, True),
        (Outcome.FAIL, Outcome.PASS, Kind.NEWLY_PASSING, False),
        (Outcome.UNPROVABLE, Outcome.PASS, Kind.NEWLY_PASSING, False),
        (Outcome.PASS, Outcome.ERROR, Kind.CHANGED, True),
        (Outcome.PASS, Outcome.UNPROVABLE, Kind.CHANGED, True),
        (Outcome.UNPROVABLE, Outcome.ERROR, Kind.CHANGED, True),
        (Outcome.FAIL, Outcome.ERROR, Kind.CHANGED, False),
        (None, Outcome.PASS, Kind.NEW, False),
        (None, Outcome.UNPROVABLE, Kind.NEW, False),
        (None, Outcome.FAIL, Kind.NEW, True),
        (None, Outcome.ERROR, Kind.NEW, True),
        (Outcome.PASS, None, Kind.REMOVED, True),
        (Outcome.FAIL, None, Kind.REMOVED, False),
    ],
)
def test_what_became_of_a_check(
    read: Any, old: Outcome | None, new: Outcome | None, kind: Kind, worse: bool
) -> None:
    found = outcomes(read, old, new)
    assert [(one.id, one.kind, one.old, one.new) for one in found.changes] == [("a.b", kind, old, new)]
    assert found.worse is worse


@pytest.mark.parametrize("outcome", Outcome)
def test_what_stays_as_it_was_is_no_change(read: Any, outcome: Outcome) -> None:
    found = outcomes(read, outcome, outcome)
    assert found.changes == ()
    assert not found.worse


@pytest.mark.parametrize(
    ("old", "new", "slower"),
    [(1.0, 3.0, True), (1.0, 1.4, False), (0.01, 0.1, False), (0.0, 0.5, True), (3.0, 1.0, False)],
)
def test_slower_is_told_and_is_not_worse(read: Any, old: float, new: float, slower: bool) -> None:
    before, after = (
        read(report(replace(result("a.b", Outcome.PASS), verdict=Verdict(Outcome.PASS, "seen", (), seconds))))
        for seconds in (old, new)
    )
    found = compare(before, after)
    assert [one.id for one in found.slower] == (["a.b"] if slower else [])
    assert not found.worse


def with_cells(read: Any, *cells: Cell) -> Run:
    run: Run = read(replace(report(result("a.b", Outcome.PASS)), matrix=AccessMatrix(("p",), ("k",), cells)))
    return run


@pytest.mark.parametrize(
    ("old", "new", "changed", "worse"),
    [
        ((DECRYPT,), (DECRYPT,), False, False),
        ((DECRYPT,), (replace(DECRYPT, reason="another"),), False, False),
        ((DECRYPT,), (replace(DECRYPT, observed=False),), False, False),
        ((DECRYPT,), (replace(DECRYPT, allowed=True),), True, True),
        ((replace(DECRYPT, allowed=True),), (DECRYPT,), True, False),
        ((DECRYPT,), (replace(DECRYPT, observed=True),), True, True),
        ((replace(DECRYPT, observed=True),), (DECRYPT,), True, False),
        ((), (DECRYPT,), True, False),
        ((), (replace(DECRYPT, allowed=True),), True, True),
        ((replace(DECRYPT, allowed=True),), (), True, False),
        ((DECRYPT,), (DECRYPT, replace(DECRYPT, route="s3", allowed=True)), True, True),
    ],
)
def test_who_may_do_more_than_before(
    read: Any, old: tuple[Cell, ...], new: tuple[Cell, ...], changed: bool, worse: bool
) -> None:
    found = compare(with_cells(read, *old), with_cells(read, *new))
    assert found.cells is not None
    assert bool(found.cells) is changed
    assert found.worse is worse


def test_without_a_matrix_access_is_not_compared(read: Any) -> None:
    assert compare(read(report(result("a.b", Outcome.PASS))), with_cells(read, DECRYPT)).cells is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "Cannot read .*: no such file or directory"),
        ("<html>", "is not JSON"),
        ("[]", "is not a report of kmslab verify"),
        ("{}", "is not a report of kmslab verify"),
        ('{"schema_version": 1}', "has schema version 1; this kmslab compares version 2"),
        ('{"schema_version": 2}', "is not a whole report: lab: field required"),
        ("\udcff", "is not JSON"),
    ],
)
def test_what_is_no_report_is_one_line(tmp_path: Path, text: str | None, said: str) -> None:
    file = tmp_path / "report.json"
    if text is not None:
        file.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(LabError, match=said) as caught:
        read_run(file)
    assert caught.value.exit_code is ExitCode.BAD_INPUT
    assert "\n" not in caught.value.message
    assert "kmslab verify --format json" in caught.value.hint
