from __future__ import annotations

import json
import shlex
import shutil
import stat
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from kmslab.cli import app
from kmslab.commands import engine as engine_command
from kmslab.commands import lab as command
from kmslab.deployed import Stack
from kmslab.engine import control
from kmslab.engine.control import EngineInfo
from kmslab.faults.ledger import Ledger
from kmslab.model.errors import ExitCode
from kmslab.model.naming import PREFIX_TAG
from kmslab.model.target import Target
from kmslab.residue.model import Found, Residue, State, Why
from kmslab.residue.stacks import Membership
from kmslab.toolchain import Node
from tests.checks.fakes import ACCOUNT, OUTPUTS, REGION, FakeAccess, World
from tests.faults.fakes import an_entry, parameter_store

if TYPE_CHECKING:
    from kmslab.project import Project

INFO = EngineInfo("https://127.0.0.1:4566", "http://127.0.0.1:4567", Path("/ca.pem"), REGION, ACCOUNT, 42)


OWNED = Membership()
GOING = Found("kms:key", OUTPUTS.key_s3, (Why.TAG,), State.GOING, "2026-11-29T08:00:00Z", "kms")
STRAY = Found("ec2:snapshot", "snap-1", (Why.KEY,), State.LEFT)


class Lab:
    """Stands in for the engine and the deployment: remembers what the commands ask of them."""

    def __init__(self) -> None:
        self.running: EngineInfo | None = None
        self.started: list[dict[str, Any]] = []
        self.did: list[str] = []
        self.changed = True
        self.contexts: list[dict[str, str]] = []
        self.recovered = False
        self.settle = 0.0
        self.others: list[str] = []
        self.things: tuple[Found, ...] = (GOING,)

    def read_residue(self, access: FakeAccess, before: Membership, **_: object) -> Residue:
        assert before is OWNED
        self.did.append("residue")
        return Residue(access.prefix, ACCOUNT, REGION, "2026-11-22T08:00:00Z", self.things)

    def start(self, home: Path, *, port: int, environment: dict[str, str], settle: float) -> EngineInfo:
        self.settle = settle
        self.started.append({"home": home, "port": port, "environment": environment})
        self.running = replace(INFO, recovered=self.recovered)
        return self.running

    def stop(self, _: Path) -> bool:
        self.did.append("engine stopped")
        was_running, self.running = self.running is not None, None
        return was_running


@pytest.fixture
def lab(project: Project, monkeypatch: pytest.MonkeyPatch) -> Lab:
    fake = Lab()

    class Deployment:
        def __init__(
            self, _project: object, _access: object, context: dict[str, str], _progress: object
        ) -> None:
            fake.contexts.append(context)

        def up(self) -> bool:
            fake.did.append("up")
            return fake.changed

        def down(self) -> Membership:
            fake.did.append("down")
            return OWNED

    monkeypatch.chdir(project.root)
    monkeypatch.delenv("KMSLAB_HOME", raising=False)
    monkeypatch.setattr(control, "start", fake.start)
    monkeypatch.setattr(control, "stop", fake.stop)
    monkeypatch.setattr(control, "status", lambda _: fake.running)
    monkeypatch.setattr(
        engine_command, "require_node", lambda: Node(Path("/opt/node/bin/node"), "24.0.0", ())
    )
    monkeypatch.setattr(command, "choose_target", lambda _, kind: Target(kind, REGION))
    world = World().answers("ssm:GetParametersByPath", {"Parameters": []})
    world.refuses("iam:ListUserTags", code="NoSuchEntity")
    world.refuses("organizations:DescribeOrganization", code="AWSOrganizationsNotInUseException")
    monkeypatch.setattr(command, "Access", lambda target, _: FakeAccess(world, kind=target.kind))
    monkeypatch.setattr(command, "Deployment", Deployment)
    monkeypatch.setattr(command, "read_residue", fake.read_residue)
    monkeypatch.setattr(command, "other_labs", lambda _: fake.others)
    monkeypatch.setattr(
        command, "wait_until", lambda moment, _: fake.did.append(f"waited for {moment:%H:%M}")
    )
    return fake


def run(*arguments: str) -> Any:
    return CliRunner(env={"COLUMNS": "200"}).invoke(app, list(arguments))


def test_up_starts_the_engine_and_deploys(lab: Lab, project: Project) -> None:
    result = run("up", "--port", "4566")
    assert result.exit_code == ExitCode.OK, result.output
    assert result.stdout == f"The lab kms-lab stands in account {ACCOUNT}, {REGION}.\n"
    assert "engine: listens at https://127.0.0.1:4566" in result.stderr
    (started,) = lab.started
    assert (started["home"], started["port"]) == (project.home, 4566)
    assert started["environment"]["NODE_PATH"] == str(project.root / "node_modules")
    assert started["environment"]["PATH"].startswith("/opt/node/bin:")
    assert lab.did == ["up"]


def test_up_says_when_nothing_had_changed(lab: Lab) -> None:
    lab.running, lab.changed = INFO, False
    assert (
        run("up").stdout == f"The lab kms-lab stands in account {ACCOUNT}, {REGION}; nothing had changed.\n"
    )
    assert lab.started == []


def test_up_says_when_the_engine_had_died(lab: Lab) -> None:
    lab.recovered = True
    assert "engine: had died; listens at" in run("up").stderr


def test_the_settings_of_up_hold_for_what_comes_after(lab: Lab, project: Project) -> None:
    run("up", "-c", "kmslab.prefix=class-7", "-c", "kmslab.volume_count=2")
    run("up")
    context = {"kmslab.prefix": "class-7", "kmslab.volume_count": "2"}
    assert json.loads((project.home / "context.json").read_text()) == context
    assert stat.S_IMODE((project.home / "context.json").stat().st_mode) == 0o600
    down = run("down")
    assert lab.contexts == [context, context, context]
    assert "The lab class-7 is destroyed." in down.stdout


def test_the_settings_of_a_destroyed_lab_are_forgotten(lab: Lab) -> None:
    run("up", "-c", "kmslab.prefix=class-7")
    run("down")
    run("up")
    assert lab.contexts[-1] == {}


def test_destroying_another_lab_forgets_nothing(lab: Lab) -> None:
    run("up", "-c", "kmslab.prefix=class-7")
    run("down", "-c", "kmslab.prefix=class-8")
    run("up")
    assert lab.contexts[-1] == {"kmslab.prefix": "class-7"}


def test_a_setting_given_to_down_comes_on_top_of_those_of_up(lab: Lab) -> None:
    run("up", "-c", "kmslab.prefix=class-7")
    down = run("down", "-c", "kmslab.pending_window_days=9")
    assert lab.contexts[-1] == {"kmslab.prefix": "class-7", "kmslab.pending_window_days": "9"}
    assert "The lab class-7 is destroyed." in down.stdout


def test_the_whole_object_given_to_down_stands_alone(lab: Lab) -> None:
    run("up", "-c", "kmslab.prefix=class-7")
    down = run("down", "-c", 'kmslab={"prefix": "class-8"}')
    assert lab.contexts[-1] == {"kmslab": '{"prefix": "class-8"}'}
    assert "The lab class-8 is destroyed." in down.stdout


def test_down_proves_what_is_left_and_stops_the_engine(lab: Lab) -> None:
    result = run("down")
    assert lab.did == ["down", "residue", "engine stopped"]
    assert f"{OUTPUTS.key_s3}  by tag; until 2026-11-29T08:00:00Z, says KMS" in result.stdout
    assert "Nothing is left but 1 key in the deletion window, at no cost" in result.stdout
    assert result.exit_code == ExitCode.OK
    assert len(lab.started) == 1  # destroying needs an engine


def test_down_fails_where_something_is_left(lab: Lab) -> None:
    lab.things = (STRAY, GOING)
    result = run("down")
    assert result.exit_code == ExitCode.NOT_PROVEN
    assert "ec2:snapshot  snap-1  by key" in result.stdout
    assert "Not proven empty: 1 left" in result.stdout
    assert lab.did[-1] == "engine stopped"


def test_down_leaves_the_engine_to_the_other_labs_on_it(lab: Lab) -> None:
    lab.others = ["team-a", "team-b"]
    result = run("down")
    assert result.exit_code == ExitCode.OK
    assert "The engine keeps running: team-a, team-b stand on it." in result.stdout
    assert "engine stopped" not in lab.did


def test_an_engine_can_be_started_whose_permissions_settle_late(lab: Lab) -> None:
    assert run("engine", "start").exit_code == ExitCode.OK
    assert lab.settle == 0.0
    assert run("engine", "start", "--settle", "3").exit_code == ExitCode.OK
    assert lab.settle == 3.0
    assert run("engine", "start", "--settle", "-1").exit_code == ExitCode.BAD_INPUT


def test_down_can_leave_the_engine_running(lab: Lab) -> None:
    run("down", "--keep-engine")
    assert lab.did == ["down", "residue"]


def test_down_can_wait(lab: Lab) -> None:
    assert run("down", "--at", "18:00").exit_code == ExitCode.OK
    assert lab.did[:2] == ["waited for 18:00", "down"]


def test_down_on_aws_refuses_before_it_waits(lab: Lab) -> None:
    assert run("down", "--target", "aws", "--at", "18:00").exit_code == ExitCode.TARGET
    assert lab.did == []
    result = run("down", "--target", "aws", "--at", "18:00", "-c", f"kmslab.sandbox_accounts={ACCOUNT}")
    assert "your credentials valid until then" in result.stderr
    assert lab.did[0] == "waited for 18:00"


@pytest.mark.parametrize("arguments", [("--at", "6 pm"), ("--at", "25:00"), ("--at", "18:00", "--forget")])
def test_a_time_that_is_none_is_refused(lab: Lab, arguments: tuple[str, ...]) -> None:
    result = run("down", *arguments)
    assert result.exit_code == ExitCode.BAD_INPUT
    assert result.stderr.startswith(("error: --at ", "error: --forget"))
    assert lab.did == []


def test_forgetting_deletes_the_engines_state_without_asking_the_stacks(lab: Lab, project: Project) -> None:
    for name in (
        "engine/root.json",
        "cdk.out/manifest.json",
        "deployed-local.json",
        "context.json",
        "setup.log",
    ):
        (project.home / name).parent.mkdir(exist_ok=True)
        (project.home / name).write_text("{}")
    result = run("down", "--forget")
    assert result.exit_code == ExitCode.OK
    assert lab.did == ["engine stopped"]
    assert sorted(path.name for path in project.home.iterdir()) == ["lock", "setup.log"]


def test_forgetting_that_is_killed_leaves_no_half_of_an_engine(
    lab: Lab, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = project.home / "engine" / "state"
    state.mkdir(parents=True)
    for name in ("root.json", "state/services.json"):
        (project.home / "engine" / name).write_text("{}")

    def killed(folder: Path, **_: object) -> None:
        for found in folder.rglob("root.json"):
            found.unlink()
            raise SystemExit("killed")

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", killed)
        run("down", "--forget")
    assert list(project.home.rglob("services.json")) != []
    assert not (project.home / "engine").exists()
    run("up")
    assert list(project.home.rglob("services.json")) == []


def test_only_the_local_lab_can_be_forgotten(lab: Lab) -> None:
    result = run("down", "--target", "aws", "--forget", "-c", f"kmslab.sandbox_accounts={ACCOUNT}")
    assert result.exit_code == ExitCode.BAD_INPUT
    assert result.stderr.startswith("error: --forget deletes the local engine's state; there is none on AWS.")
    assert lab.did == []


@pytest.mark.parametrize("arguments", [("up",), ("down",)])
def test_an_account_that_is_no_sandbox_is_left_alone(lab: Lab, arguments: tuple[str, ...]) -> None:
    result = run(*arguments, "--target", "aws")
    assert result.exit_code == ExitCode.TARGET
    assert f"error: Account {ACCOUNT} is not named as a sandbox" in result.stderr
    assert lab.did == []


def test_the_command_that_the_refusal_shows_is_one_that_works(lab: Lab) -> None:
    for name in ("up", "down"):
        refused = run(name, "--target", "aws", "-c", 'kmslab={"prefix": "class-7"}')
        shown = refused.stderr.partition("`")[2].partition("`")[0]
        kmslab, *arguments = shlex.split(shown)
        assert kmslab == "kmslab"
        assert arguments[-1] == f"kmslab.sandbox_accounts={ACCOUNT}"
        assert run(*arguments).exit_code == ExitCode.OK
    assert lab.did == ["up", "down", "residue"]
    assert all(context["kmslab"] == '{"prefix": "class-7"}' for context in lab.contexts)


@pytest.mark.usefixtures("lab")
def test_down_on_aws_says_what_is_left_in_the_account() -> None:
    said = run("down", "--target", "aws", "-c", f"kmslab.sandbox_accounts={ACCOUNT}").stdout
    assert "Left in the account: the stack CDKToolkit" in said
    assert "Left in the account" not in run("down").stdout


def test_a_named_sandbox_is_deployed_without_an_engine(lab: Lab) -> None:
    result = run("up", "--target", "aws", "-c", f"kmslab.sandbox_accounts={ACCOUNT}")
    assert result.exit_code == ExitCode.OK, result.output
    assert (lab.did, lab.started) == (["up"], [])


@pytest.mark.usefixtures("lab")
def test_status_names_what_stands_what_is_broken_and_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    tags = {PREFIX_TAG: "kms-lab"}
    stacks = [
        Stack("kms-lab-keys", "arn", "CREATE_COMPLETE", "", tags, {"KeyS3": "arn"}),
        Stack("kms-lab-storage", "arn", "ROLLBACK_COMPLETE", "", tags),
    ]
    monkeypatch.setattr(command, "read_stacks", lambda _: {stack.name: stack for stack in stacks})
    lines = {line.split()[1]: line for line in run("status").stdout.splitlines() if "kms-lab-" in line}
    assert "CREATE_COMPLETE" in lines["kms-lab-keys"]
    assert "ROLLBACK_COMPLETE" in lines["kms-lab-storage"]
    assert "not deployed" in lines["kms-lab-audit"]
    assert "kms-lab-network" not in lines  # optional, and not chosen


def test_the_engine_by_itself(lab: Lab) -> None:
    line = f"The engine runs at https://127.0.0.1:4566 (process 42, account {ACCOUNT}, {REGION}).\n"
    assert run("engine", "start", "--port", "4566").stdout == line
    assert lab.started[0]["port"] == 4566
    assert run("engine", "status").stdout == line
    assert run("engine", "stop").stdout == "The engine is stopped; its state is kept.\n"
    assert run("engine", "status").exit_code == ExitCode.ENGINE


@pytest.mark.parametrize(
    ("mystery", "said"),
    [
        (False, "tags.a-key-has-lost-its-tag: The RSA key has lost the tag that says whose it is."),
        (True, "a mystery: `kmslab faults --hint` helps to find it"),
    ],
)
@pytest.mark.usefixtures("lab")
def test_status_names_the_faults_in_place_but_no_mystery(
    monkeypatch: pytest.MonkeyPatch, mystery: bool, said: str
) -> None:
    access = FakeAccess(parameter_store(World()))
    Ledger(access).write(an_entry(mystery=mystery))
    monkeypatch.setattr(command, "Access", lambda *_: access)
    monkeypatch.setattr(command, "read_stacks", lambda _: {})
    assert run("status").stdout.splitlines()[-1] == f"Broken since 2026-11-22T01:00:00Z: {said}"
