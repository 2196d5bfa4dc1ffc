"""What `kmslab class` refuses, keeps and tells; the work itself is tested on the engine (`test_class`)."""

from __future__ import annotations

import fcntl
import threading
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import pytest

from kmslab.cdk import LOCK
from kmslab.classroom import on_aws
from kmslab.classroom.assembly import Template
from kmslab.classroom.classes import Chosen, Classroom, keep, kept
from kmslab.classroom.events import append, event, read
from kmslab.classroom.pool import Done
from kmslab.classroom.seats import Seat, class_folder, load_seats, made_up_account, seat_folder
from kmslab.commands import classroom as command
from kmslab.model.errors import ExitCode, LabError
from kmslab.model.settings import LabSettings
from kmslab.model.target import TargetKind
from kmslab.project import Project, find_project
from kmslab.turns import exclusively

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

LOCAL, AWS = TargetKind.LOCAL, TargetKind.AWS
SEATS = (Seat("a", "1" * 12), Seat("b", "2" * 12), Seat("c", "3" * 12))


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """This checkout, with a home of its own."""
    monkeypatch.setenv("KMSLAB_HOME", str(tmp_path / "home"))
    return find_project()


def _file(folder: Path, *lines: str) -> Path:
    file = folder / "given.csv"
    file.write_text("\n".join(["seat,account", *lines, ""]), encoding="utf-8")
    return file


def test_a_class_is_kept_with_what_was_chosen(project: Project, tmp_path: Path) -> None:
    command.init(LOCAL, ["kmslab.prefix=class-7"], _file(tmp_path, "a,", "b,"), ou="", role="Enter")
    assert [seat.account for seat in load_seats(project)] == [made_up_account("a"), made_up_account("b")]
    assert kept(project) == Chosen(LOCAL, {"kmslab.prefix": "class-7"}, "Enter")


def test_on_aws_accounts_are_needed_and_those_not_named_are_told(
    project: Project, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(LabError, match="line 2: seat a has no account"):
        command.init(AWS, [], _file(tmp_path, "a,"), ou="", role="Enter")
    with pytest.raises(LabError, match="no class here"):
        kept(project)
    named = f"kmslab.sandbox_accounts={'1' * 12}"
    command.init(AWS, [named], _file(tmp_path, f"a,{'1' * 12}", f"b,{'2' * 12}"), ou="", role="Enter")
    said = capsys.readouterr().out
    assert "1 of the accounts" in said
    assert "2" * 12 in said
    assert "1" * 12 not in said


@pytest.mark.parametrize(
    ("kind", "with_file", "ou", "said"),
    [
        (LOCAL, False, "", "Name a file of seats"),
        (AWS, True, "ou-ab12-34cd56ef", "Name a file of seats"),
        (LOCAL, False, "ou-ab12-34cd56ef", "--ou is for AWS"),
    ],
)
def test_a_file_or_a_unit_and_not_both(
    project: Project, tmp_path: Path, kind: TargetKind, with_file: bool, ou: str, said: str
) -> None:
    del project
    with pytest.raises(LabError, match=said):
        command.init(kind, [], _file(tmp_path, "a,") if with_file else None, ou=ou, role="Enter")


def test_a_seat_that_stands_is_not_forgotten(project: Project, tmp_path: Path) -> None:
    command.init(LOCAL, [], _file(tmp_path, "a,", "b,"), ou="", role="Enter")
    folder = seat_folder(class_folder(project), "b")
    folder.mkdir(parents=True)
    (folder / "deployed-local.json").write_text("{}")
    with pytest.raises(LabError, match="Seat b stands"):
        command.init(LOCAL, [], _file(tmp_path, "a,"), ou="", role="Enter")
    with pytest.raises(LabError, match="Seat b stands"):
        command.init(LOCAL, [], _file(tmp_path, f"b,{'1' * 12}"), ou="", role="Enter")
    command.init(LOCAL, [], _file(tmp_path, "b,", "c,"), ou="", role="Enter")


def test_commands_want_a_class_its_seats_and_its_target(project: Project, tmp_path: Path) -> None:
    with pytest.raises(LabError, match="no class here"):
        command.deploy(None, [], 0)
    command.init(LOCAL, [], _file(tmp_path, "a,"), ou="", role="Enter")
    with pytest.raises(LabError, match="on the local engine"):
        command.down(AWS, [], 0)
    with pytest.raises(LabError, match="no seat z"):
        command.reset(None, ["z"])
    with pytest.raises(LabError, match="nothing-like-it"):
        command.verify(None, [], 0, ["nothing-like-it"], quick=False, deadline=60)
    assert project.home.is_dir()


def test_status_tells_what_happened_last(
    project: Project, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command.init(LOCAL, [], _file(tmp_path, "a,", "b,"), ou="", role="Enter")
    append(class_folder(project), event("a", "deploy.done", seconds=1.0))
    append(class_folder(project), event("a", "verify.topic", topic="s3", verdicts={}, failed=[]))
    command.status(None)
    lines = capsys.readouterr().out.splitlines()
    assert any("│ a " in line and "deploy: done" in line for line in lines)
    assert any("│ b " in line and "nothing yet" in line for line in lines)


def test_one_failed_seat_fails_the_command_and_says_why(capsys: pytest.CaptureFixture[str]) -> None:
    good = [Done(f"s{number}", 1.0, "deployed") for number in range(50)]
    assert command._tell("deployed", good) is ExitCode.OK
    assert "50 of 50 seats deployed." in capsys.readouterr().out
    assert command._tell("deployed", [*good, Done("bad", 2.0, "failed", "no room")]) is ExitCode.NOT_PROVEN
    said = capsys.readouterr().out
    assert "50 of 51 seats deployed; 1 failed." in said
    assert "no room" in said
    assert "s7" not in said


@pytest.fixture
def stale(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Classroom, list[str]]:
    """A class whose templates are to be written, and what was written: nobody runs the CDK CLI."""
    hub: Any = type("Hub", (), {"target": None})()
    project = Project(find_project().root, tmp_path / "home")
    classroom = Classroom(project, Chosen(LOCAL, {}), LabSettings(), hub)
    wrote: list[str] = []
    monkeypatch.setattr(command, "CdkCli", lambda *_: nullcontext())
    monkeypatch.setattr("kmslab.synthesis.synthesize", lambda *_: wrote.append("templates"))
    monkeypatch.setattr("kmslab.classroom.assembly.read", lambda _: ())
    return classroom, wrote


def test_the_cli_of_a_killed_command_is_waited_for(
    stale: tuple[Classroom, list[str]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    classroom, wrote = stale
    orphan = (classroom.templates_project.ensure_home() / LOCK).open("w")
    fcntl.flock(orphan, fcntl.LOCK_SH)

    def ends(_: float) -> None:
        assert not wrote, "the CDK CLI that is left was not waited for"
        orphan.close()

    monkeypatch.setattr("kmslab.commands.classroom.time.sleep", ends)
    assert command._templates(classroom) == ()
    assert orphan.closed
    assert wrote == ["templates"]
    assert capsys.readouterr().err.count("is still running: waiting") == 1


def test_a_cli_that_never_ends_is_given_up(
    stale: tuple[Classroom, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    classroom, wrote = stale
    monkeypatch.setattr(command, "SETTLE_SECONDS", 0.0)
    lock = classroom.templates_project.ensure_home() / LOCK
    with lock.open("w") as orphan:
        fcntl.flock(orphan, fcntl.LOCK_SH)
        with pytest.raises(LabError, match="interrupted command has been running") as caught:
            command._templates(classroom)
    assert caught.value.exit_code is ExitCode.DEPLOYMENT
    assert str(lock) in caught.value.hint
    assert not wrote


def test_the_templates_are_written_by_one_command_at_a_time(
    stale: tuple[Classroom, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    classroom, wrote = stale
    monkeypatch.setattr(command, "SETTLE_SECONDS", 0.0)
    with (
        exclusively(classroom.templates_project),
        pytest.raises(LabError, match="Another kmslab command"),
    ):
        command._templates(classroom)
    assert not wrote
    command._templates(classroom)
    assert wrote


class _StackSets:
    """Takes the templates, and fails the seats that it is told to."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str, list[str]]] = []

    def deploy(self, template: Template, seats: Sequence[Seat]) -> dict[str, str]:
        self.calls.append(("deploy", template.name, [seat.name for seat in seats]))
        return {"b": "no room"} if template.name == "keys" else {}

    def remove(self, name: str, seats: Sequence[Seat]) -> dict[str, str]:
        self.calls.append(("remove", name, [seat.name for seat in seats]))
        return {}


class _Deployment:
    """What is done in a seat beside its stacks."""

    def __init__(self, log: list[str], seat: Seat) -> None:
        self._log, self._seat = log, seat

    def up(self) -> bool:
        if self._seat.name == "c":
            raise LabError("no secure string")
        self._log.append(f"up {self._seat.name}")
        return True

    def prepare(self) -> None:
        self._log.append(f"prepare {self._seat.name}")

    def down(self) -> None:
        self._log.append(f"down {self._seat.name}")


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A run on AWS whose accounts and stack sets are fakes; the account of seat ``a`` is no sandbox when told so."""
    hub: Any = type("Hub", (), {"stopping": threading.Event(), "prefix": "kms-lab"})()
    classroom = Classroom(Project(tmp_path, tmp_path / "home"), Chosen(AWS, {}), LabSettings(), hub)
    refused: set[str] = set()

    def sit(_classroom: Classroom, _desk: Any, seat: Seat) -> None:
        if seat.name in refused:
            raise LabError(f"Account {seat.account} is no sandbox")

    monkeypatch.setattr(Classroom, "sit", sit)
    templates = (Template("keys", "{}"), Template("audit", "{}", frozenset({"keys"})))
    made = on_aws.Run(classroom, SEATS, templates, 2, lambda _: None)
    log: list[str] = []
    sets = _StackSets()
    monkeypatch.setattr(made, "stack_sets", sets)
    monkeypatch.setattr(made, "_deployment", lambda _desk, seat: _Deployment(log, seat))
    return made, sets, log, refused


def test_on_aws_a_seat_that_fails_is_left_out_of_the_rest(run: Any, tmp_path: Path) -> None:
    made, sets, log, refused = run
    done = {one.seat: one.why for one in on_aws.deploy(made)}
    assert done == {"a": "", "b": "no room", "c": "no secure string"}
    assert sets.calls == [("deploy", "keys", ["a", "b", "c"]), ("deploy", "audit", ["a", "c"])]
    assert log == ["up a"]
    assert not refused
    kinds = {(one["seat"], one["kind"]) for one in read(tmp_path / "home" / "class")[0]}
    assert {("a", "deploy.done"), ("b", "deploy.failed"), ("c", "deploy.failed")} <= kinds


def test_on_aws_nothing_is_done_in_an_account_that_is_no_sandbox(run: Any) -> None:
    made, sets, log, refused = run
    refused |= {"a", "b", "c"}
    assert all("no sandbox" in one.why for one in on_aws.deploy(made))
    assert sets.calls == []
    assert log == []


def test_on_aws_stacks_go_in_reverse_between_what_no_stack_knows(run: Any) -> None:
    made, sets, log, _ = run
    assert {one.outcome for one in on_aws.down(made)} == {"destroyed"}
    assert [name for _, name, _ in sets.calls] == ["audit", "keys"]
    assert sorted(log[:3]) == ["prepare a", "prepare b", "prepare c"]
    assert sorted(log[3:]) == ["down a", "down b", "down c"]


def test_an_interrupted_run_on_aws_says_so_of_each_seat(run: Any, tmp_path: Path) -> None:
    made, _, _, _ = run

    def interrupted() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        made.told("deploy", "deployed", [interrupted])
    events = read(tmp_path / "home" / "class")[0]
    assert [one["seat"] for one in events if one["kind"] == "deploy.failed"] == ["a", "b", "c"]


def test_what_is_kept_can_be_read_by_nobody_else(project: Project) -> None:
    keep(project, Chosen(AWS, {}, "Enter", "ou-ab12-34cd56ef"))
    assert kept(project).ou == "ou-ab12-34cd56ef"
    assert (class_folder(project) / "class.json").stat().st_mode & 0o077 == 0
