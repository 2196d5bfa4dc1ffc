"""A class of two seats on the real engine: each in an account of its own, and neither minds the other."""

from __future__ import annotations

import json
import os
import stat
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from kmslab.classroom import assembly, pool, work
from kmslab.classroom.classes import Chosen, Classroom, keep
from kmslab.classroom.events import read
from kmslab.classroom.pool import SeatFailedError
from kmslab.classroom.seats import Seat, keep_seats, made_up_account
from kmslab.classroom.work import Bench, Catalogue
from kmslab.cli import app
from kmslab.commands import faults
from kmslab.deployed import read_outputs, read_stacks
from kmslab.engine import control, identity
from kmslab.faults import REGISTRY
from kmslab.faults.ledger import Ledger, break_lab
from kmslab.faults.workshop import Workshop
from kmslab.lab import Access
from kmslab.model.errors import ExitCode, LabError
from kmslab.model.persona import Persona
from kmslab.model.settings import LabSettings
from kmslab.model.target import Credentials, TargetKind
from kmslab.project import Project, find_project
from kmslab.targets import choose_target
from tests.conftest import exported

if TYPE_CHECKING:
    from collections.abc import Callable

    from kmslab.classroom.pool import Done
    from tests.conftest import DeployedLab

SEATS = tuple(Seat(name, made_up_account(name)) for name in ("first", "second"))
FAULT = "rotation.the-s3-key-is-not-rotated"
QUICK = Catalogue(only=("rotation", "s3"), quick=True)


@pytest.fixture(scope="module")
def bench(deployed_lab: DeployedLab, tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """A class beside the lab, on its engine, with its templates."""
    identity.add_members(deployed_lab.home / "engine", [seat.account for seat in SEATS])
    project = Project(deployed_lab.root, tmp_path_factory.mktemp("class") / "home")
    hub = Access(control.target(deployed_lab.home), "kms-lab")
    classroom = Classroom(project, Chosen(TargetKind.LOCAL, {}), LabSettings(), hub)
    templates = assembly.read(deployed_lab.home / "cdk.out")
    return Bench(classroom, classroom.desk(), templates, assembly.digest(templates))


@pytest.fixture
def deployed(bench: Bench) -> Bench:
    """The class, deployed two seats at a time, or again after another test destroyed it."""
    done = _each(bench, lambda own: own.deploy)
    assert {one.seat for one in done if one.outcome in {"deployed", "unchanged"}} == {"first", "second"}, done
    return bench


def _each(bench: Bench, what: Callable[[Bench], Callable[[Seat], str]]) -> list[Done]:
    def worker() -> Callable[[Seat], str]:
        return what(replace(bench, desk=bench.classroom.desk()))

    return pool.in_threads(SEATS, 2, worker, lambda _: None)


def _verify(bench: Bench, seat: Seat) -> str:
    return work.verify(bench.classroom, bench.desk, seat, QUICK)


def _kinds(bench: Bench, seat: Seat) -> list[str]:
    return [one["kind"] for one in read(bench.classroom.folder)[0] if one["seat"] == seat.name]


def test_each_seat_is_an_account_of_its_own(deployed: Bench) -> None:
    for seat in SEATS:
        access = deployed.classroom.sit(deployed.desk, seat)
        assert access.account == seat.account
        assert f":{seat.account}:" in read_outputs(access).key_s3
        assert len(read_stacks(access)) == len(deployed.templates)
        assert _kinds(deployed, seat)[:2] == ["deploy.started", "deploy.done"]


def test_what_stands_is_not_deployed_again(deployed: Bench) -> None:
    assert {one.outcome for one in _each(deployed, lambda own: own.deploy)} == {"unchanged"}


def test_a_seat_is_verified_with_a_report_and_events(deployed: Bench) -> None:
    _, before = read(deployed.classroom.folder)
    assert _verify(deployed, SEATS[0]).endswith(" PASS")
    report = deployed.classroom.folder / "reports" / "first.json"
    assert stat.S_IMODE(report.stat().st_mode) == 0o600
    assert json.loads(report.read_text())["lab"]["account"] == SEATS[0].account
    told, _ = read(deployed.classroom.folder, before)
    topics = [one for one in told if one["kind"] == "verify.topic"]
    assert {one["topic"] for one in topics} == {"rotation", "s3"}
    assert all(one["verdicts"]["PASS"] and not one["failed"] for one in topics)
    assert _kinds(deployed, SEATS[0])[-1] == "verify.done"


def test_a_fault_in_one_seat_is_not_the_others_and_a_reset_removes_it(deployed: Bench) -> None:
    first, second = SEATS
    access = deployed.classroom.sit(deployed.desk, first)
    key = read_outputs(access).key_s3
    before = len(read(deployed.classroom.folder)[0])
    break_lab(Workshop(access, read_outputs(access)), Ledger(access), REGISTRY[FAULT])
    with pytest.raises(SeatFailedError, match="FAIL"):
        _verify(deployed, first)
    events = read(deployed.classroom.folder)[0][before:]
    assert [(one["seat"], one["fault"]) for one in events if one["kind"] == "broken"] == [("first", FAULT)]
    assert any(one["kind"] == "verify.topic" and one["failed"] for one in events)
    assert _verify(deployed, second).endswith(" PASS")

    assert deployed.reset(first) == "as new"
    assert read_outputs(deployed.classroom.sit(deployed.desk, first)).key_s3 != key
    assert _verify(deployed, first).endswith(" PASS")
    assert _kinds(deployed, first)[-2:] == ["repaired", "verify.done"]


def test_an_account_that_is_no_member_cannot_be_entered(deployed: Bench) -> None:
    stranger = Seat("stranger", "700000000000")
    with pytest.raises(LabError, match="Account 700000000000 of seat stranger cannot be entered"):
        deployed.deploy(stranger)
    assert _kinds(deployed, stranger) == ["deploy.started", "deploy.failed"]


def test_no_credential_is_in_the_classs_folder(deployed: Bench) -> None:
    files = [file for file in deployed.classroom.folder.rglob("*") if file.is_file()]
    assert files
    for file in files:
        text = file.read_text(encoding="utf-8")
        assert "ASIA" not in text, file
        assert "AKIA" not in text, file


def test_down_leaves_no_stack_and_the_lab_alone(deployed: Bench, deployed_lab: DeployedLab) -> None:
    assert {one.outcome for one in _each(deployed, lambda own: own.down)} == {"destroyed"}
    for seat in SEATS:
        assert read_stacks(deployed.classroom.sit(deployed.desk, seat)) == {}
        assert _kinds(deployed, seat)[-2:] == ["down.started", "down.done"]
    assert read_outputs(Access(control.target(deployed_lab.home), "kms-lab"))


@pytest.fixture
def in_the_shell(
    deployed: Bench,
    deployed_lab: DeployedLab,
    monkeypatch: pytest.MonkeyPatch,
) -> str:
    """What `kmslab class env first` prints; the commands of this process are in that shell."""
    # Commands for the local lab take the caller's AWS variables away.
    monkeypatch.setattr(os, "environ", os.environ.copy())
    trainer = deployed.classroom.project
    engine = trainer.ensure_home() / "engine"
    if not engine.is_symlink():  # the class is beside the lab, on its engine
        engine.symlink_to(deployed_lab.home / "engine")
    keep_seats(trainer, SEATS)
    keep(trainer, Chosen(TargetKind.LOCAL, {}))
    monkeypatch.setenv("KMSLAB_HOME", str(trainer.home))
    printed = CliRunner().invoke(app, ["class", "env", "first"])
    assert printed.exit_code == ExitCode.OK, printed.output
    lines = printed.stdout
    monkeypatch.setenv("KMSLAB_HOME", exported(lines)["KMSLAB_HOME"])
    return lines


def test_a_shell_in_a_seat_is_in_its_account(in_the_shell: str, deployed_lab: DeployedLab) -> None:
    project = find_project()
    given = exported(in_the_shell)
    assert given["AWS_ENDPOINT_URL"] == deployed_lab.environment["AWS_ENDPOINT_URL"]
    access = Access(choose_target(project, TargetKind.LOCAL), "kms-lab")
    assert access.account == SEATS[0].account
    assert access.credentials(Persona.AUDITOR) is not None
    printed = Credentials(
        given["AWS_ACCESS_KEY_ID"], given["AWS_SECRET_ACCESS_KEY"], given["AWS_SESSION_TOKEN"]
    )
    assert Access(replace(access.target, credentials=printed), "kms-lab").account == SEATS[0].account
    kept_files = [file for file in project.home.rglob("*") if file.is_file()]
    assert kept_files
    for file in kept_files:
        text = file.read_text(encoding="utf-8")
        assert printed.secret_access_key not in text
        assert (printed.session_token or "") not in text


def test_what_is_broken_and_repaired_in_the_shell_is_told_at_once(in_the_shell: str, deployed: Bench) -> None:
    def told(seat: Seat) -> list[tuple[str, str]]:
        events = read(deployed.classroom.folder)[0]
        return [(one["kind"], one["fault"]) for one in events if one["seat"] == seat.name and "fault" in one]

    before, other = told(SEATS[0]), told(SEATS[1])
    here = faults.Where(TargetKind.LOCAL, [])
    faults.break_one(here, FAULT)
    assert told(SEATS[0]) == [*before, ("broken", FAULT)]
    faults.repair_some(here, "", everything=True)
    assert told(SEATS[0]) == [*before, ("broken", FAULT), ("repaired", FAULT)]
    assert told(SEATS[1]) == other
