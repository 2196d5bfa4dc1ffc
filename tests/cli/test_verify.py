from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from kmslab.checks import REGISTRY, runner
from kmslab.checks.catalogue import catalogue
from kmslab.commands import verify
from kmslab.engine.capabilities import CAPABILITIES
from kmslab.guides import progress
from kmslab.guides.progress import State
from kmslab.model.capability import ALL, Capability
from kmslab.model.errors import ExitCode, LabError
from kmslab.model.target import Target, TargetKind
from kmslab.model.verdict import Outcome
from tests.checks.fakes import ACCOUNT, FakeAccess
from tests.cli.verifying import ONLY, Runner, run, verified, whole

if TYPE_CHECKING:
    from kmslab.project import Project


@pytest.mark.parametrize(
    ("outcome", "code"),
    [
        (Outcome.PASS, ExitCode.OK),
        (Outcome.UNPROVABLE, ExitCode.OK),
        (Outcome.FAIL, ExitCode.NOT_PROVEN),
        (Outcome.ERROR, ExitCode.NOT_PROVEN),
    ],
)
def test_the_exit_code_follows_the_verdicts(
    fake_runner: Runner, tmp_path: Path, outcome: Outcome, code: ExitCode
) -> None:
    fake_runner.outcome = outcome
    assert run(set(), tmp_path) is code


def test_each_format_has_its_file(
    fake_runner: Runner, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    del fake_runner
    run({"json", "html", "junit", "ocsf"}, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == [
        "report.html",
        "report.json",
        "report.ocsf.json",
        "report.xml",
    ]
    assert capsys.readouterr().out == ""
    results = json.loads((tmp_path / "report.json").read_text())["results"]
    assert [one["id"] for one in results] == [check.id for check in runner.catalogue(ONLY)]
    first = REGISTRY[results[0]["id"]]
    assert results[0]["title"] == first.title
    assert results[0]["explanation"] == first.explanation
    assert results[0]["needs"] == sorted(first.needs)


@pytest.mark.parametrize(("formats", "times"), [({"table", "junit", "ocsf"}, 0), ({"html", "json"}, 1)])
def test_keys_are_read_for_the_formats_that_show_them(
    fake_runner: Runner, tmp_path: Path, formats: set[str], times: int
) -> None:
    run(formats, tmp_path)
    assert fake_runner.inventories == fake_runner.matrices == times
    if times:
        document = json.loads((tmp_path / "report.json").read_text())
        assert document["matrix"]["principals"] == ["outsider"]
        assert document["unread"] == ["kms:ListAliases: AccessDenied"]


def test_a_report_without_the_matrix_says_why(fake_runner: Runner, tmp_path: Path) -> None:
    fake_runner.unreadable = True
    assert run({"json"}, tmp_path) is ExitCode.OK
    document = json.loads((tmp_path / "report.json").read_text())
    assert document["matrix"] is None
    assert document["unread"][0] == "access matrix: iam:GetAccountAuthorizationDetails: AccessDenied"


@pytest.mark.usefixtures("fake_runner")
def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(LabError, match=r"Cannot write .*file/report.html: not a directory\."):
        run({"html"}, tmp_path / "file")


@pytest.mark.parametrize(
    ("kind", "capabilities"),
    [(TargetKind.AWS, ALL), (TargetKind.LOCAL, CAPABILITIES), (TargetKind.ENDPOINT, {Capability.IAM})],
)
def test_a_foreign_endpoint_is_probed_for_what_it_enforces(
    fake_runner: Runner,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    kind: TargetKind,
    capabilities: frozenset[Any],
) -> None:
    monkeypatch.setattr("kmslab.probe.capabilities.of_target", lambda *_: frozenset({Capability.IAM}))
    monkeypatch.setattr(verify, "Access", lambda *_: FakeAccess(whole(), kind=kind))
    run(set(), tmp_path, kind)
    assert fake_runner.capabilities == capabilities


@pytest.mark.parametrize(
    ("outcome", "state"), [(Outcome.PASS, State.PASSED), (Outcome.UNPROVABLE, State.FAILED)]
)
def test_what_passed_is_kept_for_the_guides(
    fake_runner: Runner, project: Project, tmp_path: Path, outcome: Outcome, state: State
) -> None:
    fake_runner.outcome = outcome
    run(set(), tmp_path)
    assert progress.load(project.home).checkpoint(ONLY)[0] is state
    assert progress.load(project.home).checkpoint(["s3"])[0] is State.OPEN


@pytest.mark.usefixtures("fake_runner")
def test_what_passed_elsewhere_is_not_the_local_labs(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verify, "_capabilities", lambda *_: CAPABILITIES)
    monkeypatch.setattr(verify, "Access", lambda *_: FakeAccess(whole(), kind=TargetKind.ENDPOINT))
    run(set(), tmp_path, TargetKind.ENDPOINT)
    assert progress.load(project.home) == progress.Progress()


def test_an_unknown_check_is_refused_before_the_lab_is_asked(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verify, "find_project", lambda: project)
    with pytest.raises(LabError, match="--only nonsense"):
        verified([], Path(), only=["nonsense"])


def test_an_account_that_is_no_sandbox_is_not_verified(
    fake_runner: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verify, "Access", lambda *_: FakeAccess(whole(), kind=TargetKind.AWS))
    values = ["kmslab.prefix=class-7"]
    with pytest.raises(LabError, match=f"Account {ACCOUNT} is not named as a sandbox") as caught:
        verified(values, tmp_path, kind=TargetKind.AWS)
    assert caught.value.exit_code is ExitCode.TARGET
    assert (
        "`kmslab verify --target aws --only mac -c kmslab.prefix=class-7 "
        f"-c kmslab.sandbox_accounts={ACCOUNT}`" in caught.value.hint
    )
    assert fake_runner.capabilities is None  # no check has run
    assert run(set(), tmp_path, TargetKind.AWS) is ExitCode.OK


@pytest.mark.usefixtures("fake_runner")
def test_a_setting_given_now_comes_on_top_of_those_of_up(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prefixes: list[str] = []

    def access(_: Target, prefix: str) -> FakeAccess:
        prefixes.append(prefix)
        return FakeAccess(whole())

    monkeypatch.setattr(verify, "Access", access)
    (project.home / "context.json").write_text('{"kmslab.prefix": "class-7"}')
    verified(["kmslab.volume_count=2"], tmp_path)
    verified(["kmslab.prefix=class-8"], tmp_path)
    assert prefixes == ["class-7", "class-8"]


def test_quick_leaves_out_what_changes_keys_or_is_lengthy(fake_runner: Runner, tmp_path: Path) -> None:
    def ran(*, quick: bool) -> set[str]:
        verified([], tmp_path, ["json"], only=["keys", "access"], quick=quick)
        return {one["id"] for one in json.loads((tmp_path / "report.json").read_text())["results"]}

    left_out = ran(quick=False) - ran(quick=True)
    matrix = {"access.the-matrix-holds-for-symmetric-keys", "access.the-matrix-holds-for-key-pairs-and-macs"}
    changing = {check.id for check in catalogue(["keys", "access"]) if check.changes_keys}
    assert left_out == changing | matrix
    assert changing


def test_quick_with_nothing_but_changes_says_so(fake_runner: Runner, tmp_path: Path) -> None:
    with pytest.raises(LabError, match="changes a key") as told:
        verified([], tmp_path, only=["keys.a-disabled-key-stops"], quick=True)
    assert told.value.hint == "Leave out --quick."


def test_the_deadline_is_handed_on(fake_runner: Runner, tmp_path: Path) -> None:
    run({"table"}, tmp_path)
    assert fake_runner.deadline_seconds == 60
