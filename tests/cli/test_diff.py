"""`kmslab diff`: what is printed, and what the exit code says."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner, Result

from kmslab.cli import app
from kmslab.model.errors import ExitCode
from kmslab.model.matrix import AccessMatrix, Cell
from kmslab.model.verdict import Outcome
from kmslab.reports import json_report
from tests.reports.conftest import report, result

if TYPE_CHECKING:
    from pathlib import Path

    from kmslab.reports.report import Report

CELL = Cell("outsider", "s3", "Decrypt", "s3", allowed=False, reason="nothing allows it")
OLD = replace(
    report(result("keys.a", Outcome.PASS), result("keys.b", Outcome.FAIL, "it was off")),
    matrix=AccessMatrix(("outsider",), ("s3",), (CELL,)),
)
NEW = replace(
    report(result("keys.a", Outcome.FAIL, "it is off"), result("keys.b", Outcome.PASS, "it is on")),
    matrix=AccessMatrix(("outsider",), ("s3",), (replace(CELL, allowed=True, reason="Everyone allows it"),)),
)
BETTER = replace(OLD, results=(OLD.results[0], NEW.results[1]))


def diff(folder: Path, old: Report, new: Report, *options: str) -> Result:
    files = []
    for name, one in (("old.json", old), ("new.json", new)):
        (folder / name).write_text(json_report.render(one), encoding="utf-8")
        files.append(str(folder / name))
    return CliRunner().invoke(app, ["diff", *files, *options], env={"COLUMNS": "100"})


def test_people_read_what_changed_and_what_was_seen(tmp_path: Path) -> None:
    done = diff(tmp_path, OLD, NEW)
    lines = [" ".join(line.split()) for line in done.output.splitlines()]
    assert lines[0].startswith("old 2026-11-21T22:00:00+00:00 kms-lab on local, account 123456789012")
    assert lines[2:] == [
        "newly failing: 1",
        "PASS → FAIL keys.a",
        "it is off",
        "newly passing: 1",
        "FAIL → PASS keys.b",
        "it is on",
        "access: 1",
        "refused → allowed outsider: Decrypt with s3 through s3",
        "Everyone allows it",
        "2 got worse.",
    ]
    assert done.exit_code == ExitCode.NOT_PROVEN


@pytest.mark.parametrize(
    ("new", "code"), [(OLD, ExitCode.OK), (BETTER, ExitCode.OK), (NEW, ExitCode.NOT_PROVEN)]
)
@pytest.mark.parametrize("options", [(), ("--format", "json")])
def test_the_exit_code_says_whether_anything_got_worse(
    tmp_path: Path, new: Report, code: ExitCode, options: tuple[str, ...]
) -> None:
    assert diff(tmp_path, OLD, new, *options).exit_code == code


def test_nothing_worse_is_said(tmp_path: Path) -> None:
    assert diff(tmp_path, OLD, OLD).output.splitlines()[-1] == "Nothing got worse."
    without = replace(OLD, matrix=None)
    assert diff(tmp_path, OLD, without).output.splitlines()[-1] == (
        "Nothing got worse; access was not compared: a report has no matrix."
    )


def test_programs_get_json(tmp_path: Path) -> None:
    document = json.loads(diff(tmp_path, OLD, NEW, "--format", "json").stdout)
    assert document["worse"] is True
    assert document["checks"] == [
        {
            "id": "keys.a",
            "change": "newly failing",
            "old": "PASS",
            "new": "FAIL",
            "worse": True,
            "summary": "it is off",
        },
        {
            "id": "keys.b",
            "change": "newly passing",
            "old": "FAIL",
            "new": "PASS",
            "worse": False,
            "summary": "it is on",
        },
    ]
    assert document["access"] == [
        {
            "principal": "outsider",
            "key": "s3",
            "operation": "Decrypt",
            "route": "s3",
            "old": False,
            "new": True,
            "worse": True,
            "reason": "Everyone allows it",
        }
    ]
    assert document["slower"] == []


def test_a_file_that_is_no_report_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text("<html>")
    done = CliRunner().invoke(app, ["diff", str(tmp_path / "page.html"), str(tmp_path / "none.json")])
    assert done.exit_code == ExitCode.BAD_INPUT
    assert "is not JSON" in " ".join(done.output.split())
