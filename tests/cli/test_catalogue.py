"""`kmslab verify --list`: the catalogue on a terminal and for programs."""

from __future__ import annotations

import json

import pytest
from rich.console import Console
from typer.testing import CliRunner

from kmslab.checks.catalogue import catalogue
from kmslab.checks.kinds import kind_of
from kmslab.cli import app
from kmslab.commands import catalogue as command
from kmslab.model.errors import ExitCode
from kmslab.reports.checks_page import render


@pytest.fixture(autouse=True)
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "out", Console(width=100))


def test_every_check_has_its_kind_and_its_controls(capsys: pytest.CaptureFixture[str]) -> None:
    command.FORMATS["table"]([])
    said = " ".join(capsys.readouterr().out.split())
    for check in catalogue():
        assert (
            " ".join(f"{check.id} {kind_of(check)} {check.title} {', '.join(check.controls)}".split()) in said
        )
    named = {control for check in catalogue() for control in check.controls}
    assert said.endswith(f"{len(catalogue())} checks evidence {len(named)} public controls.")


def test_it_fits_a_terminal_of_100_columns(capsys: pytest.CaptureFixture[str]) -> None:
    command.FORMATS["table"]([])
    assert max(len(line) for line in capsys.readouterr().out.splitlines()) <= 100


def test_a_topic_alone(capsys: pytest.CaptureFixture[str]) -> None:
    command.FORMATS["table"](["mac"])
    said = capsys.readouterr().out
    assert "mac.tampering-is-noticed" in said
    assert "s3." not in said


def test_programs_get_json() -> None:
    done = CliRunner().invoke(app, ["verify", "--list", "--only", "audit", "--format", "json"])
    assert done.exit_code == 0
    entries = {entry["id"]: entry for entry in json.loads(done.stdout)}
    assert list(entries) == [check.id for check in catalogue(["audit"])]
    trail = entries["audit.log-files-can-be-validated"]
    assert trail["kind"] == "configuration"
    assert "CloudTrail.4" in trail["controls"]
    assert trail["title"].startswith("CloudTrail signs a digest")
    assert trail["needs"] == []


def test_the_page_of_the_documentation_is_printed() -> None:
    done = CliRunner().invoke(app, ["verify", "--list", "--format", "markdown"])
    assert done.exit_code == 0
    assert done.stdout == render(catalogue())


@pytest.mark.parametrize("formats", ["html", "table,json", "nonsense"])
def test_the_list_has_no_other_format(formats: str) -> None:
    done = CliRunner().invoke(app, ["verify", "--list", "--format", formats])
    assert done.exit_code == ExitCode.BAD_INPUT
    assert f"--list does not print {formats}." in done.output
    assert "Choose from table, json, markdown." in done.output
