"""What `kmslab verify` says on the terminal beside the verdicts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from kmslab.checks import runner
from kmslab.commands import verify
from kmslab.faults.ledger import Ledger
from kmslab.model.errors import ExitCode
from kmslab.model.persona import Persona
from kmslab.model.verdict import Call, Outcome
from tests.checks.fakes import FakeAccess, World
from tests.cli.verifying import ONLY, Runner, run
from tests.faults.fakes import an_entry, parameter_store

if TYPE_CHECKING:
    from kmslab.project import Project


@pytest.mark.parametrize(
    ("count", "said"),
    [(0, ""), (1, "1 fault is in place"), (2, "2 faults are in place")],
)
@pytest.mark.usefixtures("fake_runner")
def test_faults_in_place_are_counted_and_not_named(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    count: int,
    said: str,
) -> None:
    access = FakeAccess(parameter_store(World()))
    for number in range(count):
        Ledger(access).write(an_entry(number=number, mystery=True))
    monkeypatch.setattr(verify, "Access", lambda *_: access)
    run(set(), tmp_path)
    line = capsys.readouterr().err
    assert line.startswith(said)
    assert bool(line) is bool(count)
    assert "tags." not in line


@pytest.mark.usefixtures("fake_runner")
def test_who_may_not_read_the_ledger_can_verify(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World().refuses("ssm:GetParametersByPath")
    monkeypatch.setattr(verify, "Access", lambda *_: FakeAccess(world))
    assert run(set(), tmp_path) is ExitCode.OK
    assert "Could not look whether faults are in place: Not permitted" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("summary", "evidence", "said"),
    [
        (
            "data-owner could not call kms:Encrypt",
            "ExpiredTokenException",
            "The credentials have expired. So ",
        ),
        (
            "nobody could act as auditor: The security token included in the request is expired",
            "",
            "expired. So ",
        ),
        (
            "auditor could not call s3:GetBucketAcl",
            "RequestTimeTooSkewed",
            "The clock of this machine is wrong",
        ),
        ("auditor could not call kms:ListKeys", "ThrottlingException", ""),
    ],
)
def test_what_gave_out_in_the_middle_is_said_once(
    fake_runner: Runner,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    summary: str,
    evidence: str,
    said: str,
) -> None:
    fake_runner.outcome, fake_runner.summary = Outcome.ERROR, summary
    fake_runner.evidence = (Call(Persona.AUDITOR, "a:Call", "", evidence, "so it says"),) if evidence else ()
    assert run(set(), tmp_path) is ExitCode.NOT_PROVEN
    told = capsys.readouterr().err
    assert said in told
    assert told.count("\n") == (1 if said else 0)
    assert f"So {len(runner.catalogue(ONLY))} checks could not look." in told or not said


@pytest.mark.usefixtures("fake_runner")
def test_the_table_goes_to_stdout(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from rich.console import Console

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(verify, "out", Console(width=160))
        run({"table"}, tmp_path)
    assert f"{len(runner.catalogue(ONLY))} PASS of" in capsys.readouterr().out


def test_what_could_not_be_cleaned_up_is_said(
    fake_runner: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from rich.console import Console

    monkeypatch.setattr(verify, "err", Console(stderr=True, width=160))
    fake_runner.problems = ["volume vol-1: AccessDenied"]
    run(set(), tmp_path)
    assert "could not clean up: volume vol-1: AccessDenied" in capsys.readouterr().err


def next_steps(folder: Path, capsys: pytest.CaptureFixture[str]) -> str:
    from rich.console import Console

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(verify, "out", Console(width=400))
        run({"table", "html"}, folder)
    return capsys.readouterr().out.partition("Next")[2]


@pytest.mark.usefixtures("fake_runner")
def test_the_next_steps_name_what_is_there_as_one_types_it_here(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    scripts = project.root / ".venv" / "bin"
    scripts.mkdir(parents=True)
    (scripts / "kmslab").touch(mode=0o755)
    monkeypatch.setattr("sys.executable", str(scripts / "python"))
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.chdir(project.root)
    said = next_steps(tmp_path, capsys)
    assert f"open {tmp_path}/report.html:" in said
    assert 'eval "$(.venv/bin/kmslab env)"' in said
    assert "  lab_guides:" in said
    assert "  .venv/bin/kmslab down:" in said
    assert "  open report.html:" in next_steps(Path(), capsys)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(scripts))
    said = next_steps(Path(), capsys)
    assert 'eval "$(kmslab env)"' in said
    assert "  kmslab down:" in said
    assert "  checkout/lab_guides:" in said
    monkeypatch.chdir(scripts)
    assert f"  {project.root}/lab_guides:" in next_steps(Path(), capsys)
