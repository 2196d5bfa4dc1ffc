from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from kmslab.access.reader import UnreadableError
from kmslab.checks import REGISTRY, runner
from kmslab.checks.catalogue import catalogue
from kmslab.checks.sweep import Swept
from kmslab.commands import verify
from kmslab.engine.capabilities import CAPABILITIES
from kmslab.faults.ledger import Ledger
from kmslab.guides import progress
from kmslab.guides.progress import State
from kmslab.model.capability import ALL, Capability
from kmslab.model.errors import ExitCode, LabError
from kmslab.model.inventory import Inventory
from kmslab.model.matrix import AccessMatrix
from kmslab.model.persona import Persona
from kmslab.model.target import Target, TargetKind
from kmslab.model.verdict import Call, Outcome, Verdict
from tests.checks.fakes import ACCOUNT, OUTPUTS, FakeAccess, World
from tests.faults.fakes import an_entry, parameter_store

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from kmslab.project import Project

ONLY = ["mac"]


class Runner:
    """Stands in for run_all: gives every check the same verdict, and remembers what it was given."""

    def __init__(self) -> None:
        self.outcome = Outcome.PASS
        self.capabilities: frozenset[Any] | None = None
        self.deadline_seconds = 0.0
        self.problems: list[str] = []
        self.inventories = self.matrices = 0
        self.unreadable = False
        self.summary = "seen"
        self.evidence: tuple[Call, ...] = ()

    def build_matrix(self, _access: Any, outputs: Any) -> AccessMatrix:
        assert outputs is OUTPUTS
        self.matrices += 1
        if self.unreadable:
            raise UnreadableError("iam:GetAccountAuthorizationDetails:\n AccessDenied")
        return AccessMatrix(("outsider",), ("s3",), ())

    def read_inventory(self, _access: Any, outputs: Any) -> Inventory:
        assert outputs is OUTPUTS
        self.inventories += 1
        return Inventory((), (), ("kms:ListAliases: AccessDenied",))

    def run_all(
        self,
        access: Any,
        outputs: Any,
        capabilities: frozenset[Any],
        only: list[str],
        on_verdict: Any,
        *,
        on_sweep: Any,
        quick: bool,
        deadline_seconds: float,
    ) -> list[tuple[Any, Verdict]]:
        assert isinstance(access, FakeAccess)
        assert outputs is OUTPUTS
        self.capabilities = capabilities
        self.deadline_seconds = deadline_seconds
        on_sweep(Swept(problems=self.problems))
        verdicts = [
            (check, Verdict(self.outcome, self.summary, self.evidence))
            for check in runner.catalogue(only, quick=quick)
        ]
        for check, verdict in verdicts:
            on_verdict(check, verdict)
        return verdicts


def whole() -> World:
    """A world with no fault in place."""
    return World().answers("ssm:GetParametersByPath", {"Parameters": []})


@pytest.fixture
def fake(project: Project, monkeypatch: pytest.MonkeyPatch) -> Runner:
    stand_in = Runner()
    monkeypatch.setattr(runner, "run_all", stand_in.run_all)
    monkeypatch.setattr(verify, "find_project", lambda: project)
    monkeypatch.setattr(verify, "choose_target", lambda _, kind, __: Target(kind, "eu-central-1"))
    monkeypatch.setattr(verify, "Access", lambda *_: FakeAccess(whole()))
    monkeypatch.setattr(verify, "read_outputs", lambda _: OUTPUTS)
    monkeypatch.setattr(verify, "read_inventory", stand_in.read_inventory)
    monkeypatch.setattr("kmslab.access.matrix.build", stand_in.build_matrix)
    return stand_in


def verified(
    values: Sequence[str],
    folder: Path,
    formats: Iterable[str] = (),
    *,
    kind: TargetKind = TargetKind.LOCAL,
    only: Sequence[str] = ONLY,
    quick: bool = False,
) -> ExitCode:
    return verify.run(kind, "", values, only, frozenset(formats), folder, quick=quick, deadline=60)


def run(formats: set[str], folder: Path, kind: TargetKind = TargetKind.LOCAL) -> ExitCode:
    values = [f"kmslab.sandbox_accounts={ACCOUNT}"] if kind is TargetKind.AWS else []
    return verified(values, folder, formats, kind=kind)


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
    fake: Runner, tmp_path: Path, outcome: Outcome, code: ExitCode
) -> None:
    fake.outcome = outcome
    assert run(set(), tmp_path) is code


def test_each_format_has_its_file(fake: Runner, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    del fake
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
    fake: Runner, tmp_path: Path, formats: set[str], times: int
) -> None:
    run(formats, tmp_path)
    assert fake.inventories == fake.matrices == times
    if times:
        document = json.loads((tmp_path / "report.json").read_text())
        assert document["matrix"]["principals"] == ["outsider"]
        assert document["unread"] == ["kms:ListAliases: AccessDenied"]


def test_a_report_without_the_matrix_says_why(fake: Runner, tmp_path: Path) -> None:
    fake.unreadable = True
    assert run({"json"}, tmp_path) is ExitCode.OK
    document = json.loads((tmp_path / "report.json").read_text())
    assert document["matrix"] is None
    assert document["unread"][0] == "access matrix: iam:GetAccountAuthorizationDetails: AccessDenied"


@pytest.mark.parametrize(
    ("count", "said"),
    [(0, ""), (1, "1 fault is in place"), (2, "2 faults are in place")],
)
@pytest.mark.usefixtures("fake")
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


@pytest.mark.usefixtures("fake")
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
    fake: Runner, tmp_path: Path, capsys: pytest.CaptureFixture[str], summary: str, evidence: str, said: str
) -> None:
    fake.outcome, fake.summary = Outcome.ERROR, summary
    fake.evidence = (Call(Persona.AUDITOR, "a:Call", "", evidence, "so it says"),) if evidence else ()
    assert run(set(), tmp_path) is ExitCode.NOT_PROVEN
    told = capsys.readouterr().err
    assert said in told
    assert told.count("\n") == (1 if said else 0)
    assert f"So {len(runner.catalogue(ONLY))} checks could not look." in told or not said


@pytest.mark.usefixtures("fake")
def test_the_table_goes_to_stdout(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from rich.console import Console

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(verify, "out", Console(width=160))
        run({"table"}, tmp_path)
    assert f"{len(runner.catalogue(ONLY))} PASS of" in capsys.readouterr().out


@pytest.mark.usefixtures("fake")
def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(LabError, match=r"Cannot write .*file/report.html: not a directory\."):
        run({"html"}, tmp_path / "file")


@pytest.mark.parametrize(
    ("kind", "capabilities"),
    [(TargetKind.AWS, ALL), (TargetKind.LOCAL, CAPABILITIES), (TargetKind.ENDPOINT, {Capability.IAM})],
)
def test_a_foreign_endpoint_is_probed_for_what_it_enforces(
    fake: Runner,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    kind: TargetKind,
    capabilities: frozenset[Any],
) -> None:
    monkeypatch.setattr("kmslab.probe.capabilities.of_target", lambda *_: frozenset({Capability.IAM}))
    monkeypatch.setattr(verify, "Access", lambda *_: FakeAccess(whole(), kind=kind))
    run(set(), tmp_path, kind)
    assert fake.capabilities == capabilities


@pytest.mark.parametrize(
    ("outcome", "state"), [(Outcome.PASS, State.PASSED), (Outcome.UNPROVABLE, State.FAILED)]
)
def test_what_passed_is_kept_for_the_guides(
    fake: Runner, project: Project, tmp_path: Path, outcome: Outcome, state: State
) -> None:
    fake.outcome = outcome
    run(set(), tmp_path)
    assert progress.load(project.home).checkpoint(ONLY)[0] is state
    assert progress.load(project.home).checkpoint(["s3"])[0] is State.OPEN


@pytest.mark.usefixtures("fake")
def test_what_passed_elsewhere_is_not_the_local_labs(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verify, "_capabilities", lambda *_: CAPABILITIES)
    monkeypatch.setattr(verify, "Access", lambda *_: FakeAccess(whole(), kind=TargetKind.ENDPOINT))
    run(set(), tmp_path, TargetKind.ENDPOINT)
    assert progress.load(project.home) == progress.Progress()


def test_what_could_not_be_cleaned_up_is_said(
    fake: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from rich.console import Console

    monkeypatch.setattr(verify, "err", Console(stderr=True, width=160))
    fake.problems = ["volume vol-1: AccessDenied"]
    run(set(), tmp_path)
    assert "could not clean up: volume vol-1: AccessDenied" in capsys.readouterr().err


def test_an_unknown_check_is_refused_before_the_lab_is_asked(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verify, "find_project", lambda: project)
    with pytest.raises(LabError, match="--only nonsense"):
        verified([], Path(), only=["nonsense"])


def test_an_account_that_is_no_sandbox_is_not_verified(
    fake: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
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
    assert fake.capabilities is None  # no check has run
    assert run(set(), tmp_path, TargetKind.AWS) is ExitCode.OK


@pytest.mark.usefixtures("fake")
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


def next_steps(folder: Path, capsys: pytest.CaptureFixture[str]) -> str:
    from rich.console import Console

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(verify, "out", Console(width=400))
        run({"table", "html"}, folder)
    return capsys.readouterr().out.partition("Next")[2]


@pytest.mark.usefixtures("fake")
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


def test_quick_leaves_out_what_changes_keys_or_is_lengthy(fake: Runner, tmp_path: Path) -> None:
    def ran(*, quick: bool) -> set[str]:
        verified([], tmp_path, ["json"], only=["keys", "access"], quick=quick)
        return {one["id"] for one in json.loads((tmp_path / "report.json").read_text())["results"]}

    left_out = ran(quick=False) - ran(quick=True)
    matrix = {"access.the-matrix-holds-for-symmetric-keys", "access.the-matrix-holds-for-key-pairs-and-macs"}
    changing = {check.id for check in catalogue(["keys", "access"]) if check.changes_keys}
    assert left_out == changing | matrix
    assert changing


def test_quick_with_nothing_but_changes_says_so(fake: Runner, tmp_path: Path) -> None:
    with pytest.raises(LabError, match="changes a key") as told:
        verified([], tmp_path, only=["keys.a-disabled-key-stops"], quick=True)
    assert told.value.hint == "Leave out --quick."


def test_the_deadline_is_handed_on(fake: Runner, tmp_path: Path) -> None:
    run({"table"}, tmp_path)
    assert fake.deadline_seconds == 60
