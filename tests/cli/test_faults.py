from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError
from typer.testing import CliRunner

from kmslab.cli import app
from kmslab.commands import faults as command
from kmslab.deployment import Deployment
from kmslab.faults.cloudformation import OwnerNeededError
from kmslab.faults.ledger import Ledger
from kmslab.model.errors import ExitCode, LabError
from kmslab.model.outputs import LabStack
from kmslab.model.target import Target
from kmslab.model.verdict import Outcome
from kmslab.turns import exclusively
from tests.checks.fakes import ACCOUNT, OUTPUTS, PREFIX, REGION, FakeAccess, World
from tests.faults.fakes import Setting, a_fault, an_entry, parameter_store

if TYPE_CHECKING:
    from kmslab.faults import Fault
    from kmslab.project import Project
    from tests.cli.cloud import Cloud
    from tests.cli.conftest import Recorder


class Broken:
    """A lab of three settings, one fault for each, and a ledger in memory."""

    def __init__(self) -> None:
        self.lab: dict[str, Any] = {}
        self.parameters: dict[str, str] = {}
        self.world = parameter_store(World(), self.parameters)
        self.changes: dict[str, Setting] = {}
        self.register: dict[str, Fault] = {}
        self.waited: list[Any] = []
        for name, guide in (("encryption", "05-s3"), ("volume", "06-ebs"), ("tag", "05-s3")):
            self.lab[name] = "good"
            self.changes[name] = Setting(self.lab, name, "bad")
            fault = a_fault(name, self.changes[name], guide=guide, explanation=f"What {name} leads to.")
            self.register[fault.id] = fault

    @property
    def bad(self) -> list[str]:
        """The settings that are broken now."""
        return [name for name, value in self.lab.items() if value == "bad"]


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> Broken:
    fake = Broken()
    monkeypatch.setattr(command, "REGISTRY", fake.register)
    monkeypatch.setattr("kmslab.faults.ledger.REGISTRY", fake.register)
    return fake


@pytest.fixture
def lab(project: Project, broken: Broken, monkeypatch: pytest.MonkeyPatch) -> Broken:
    """The lab at hand, on whichever target a command asks for."""
    monkeypatch.chdir(project.root)
    monkeypatch.delenv("KMSLAB_HOME", raising=False)
    monkeypatch.setattr(command, "choose_target", lambda _, kind: Target(kind, REGION))
    monkeypatch.setattr(command, "Access", lambda target, _: FakeAccess(broken.world, kind=target.kind))
    monkeypatch.setattr(command, "read_outputs", lambda _: OUTPUTS)
    monkeypatch.setattr(command, "owner_access", lambda _, __: None)

    def counts(_: object, *asked: Any) -> bool:
        broken.waited.append(asked)
        return True

    monkeypatch.setattr(command, "until_it_counts", counts)
    return broken


def run(*arguments: str) -> Any:
    return CliRunner().invoke(app, arguments, env={"COLUMNS": "200"})


def test_break_says_what_it_did_and_what_to_try(lab: Broken) -> None:
    result = run("break", "fake.volume")
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "Broken: The volume is wrong.",
        "Who notices? `kmslab verify`. Put it right: `kmslab repair`.",
    ]
    assert lab.bad == ["volume"]


def test_repair_names_the_fault_and_what_it_was(lab: Broken) -> None:
    run("break", "fake.volume")
    result = run("repair")
    assert result.exit_code == 0
    assert result.stdout == "Repaired fake.volume: The volume is wrong. What volume leads to.\n"
    assert lab.bad == []
    assert run("repair").stdout == "No fault is in place.\n"


def test_one_fault_is_repaired_by_its_name_and_those_made_after_it_before(lab: Broken) -> None:
    for name in ("encryption", "volume", "tag"):
        run("break", f"fake.{name}")
    result = run("repair", "fake.volume")
    assert [line.split(":")[0] for line in result.stdout.splitlines()] == [
        "Repaired fake.tag",
        "Repaired fake.volume",
    ]
    assert lab.bad == ["encryption"]


def test_break_and_repair_end_when_the_change_counts(lab: Broken) -> None:
    run("break", "fake.volume")
    run("break", "fake.tag")
    run("repair", "fake.tag")
    noticed = lab.register["fake.volume"].noticed_by
    assert noticed == lab.register["fake.tag"].noticed_by
    # What the fault that is left breaks too cannot be waited for.
    assert lab.waited == [(noticed, Outcome.FAIL), (noticed, Outcome.FAIL), (set(), Outcome.PASS)]
    run("repair")
    assert lab.waited[-1] == (set(noticed), Outcome.PASS)


def test_who_waited_in_vain_is_told(lab: Broken, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "until_it_counts", lambda *_: False)
    assert "Not everybody knows of the change yet" in run("break", "fake.volume").stdout


def test_several_faults_are_repaired_when_asked_for_all(lab: Broken) -> None:
    for name in ("encryption", "volume"):
        run("break", f"fake.{name}")
    refused = run("repair")
    assert refused.exit_code == ExitCode.BAD_INPUT
    assert refused.stderr == (
        "error: 2 faults are in place.\n  Name one, or repair all of them: `kmslab repair --all`.\n"
    )
    assert lab.bad == ["encryption", "volume"]
    assert run("repair", "--all").exit_code == 0
    assert lab.bad == []
    assert lab.parameters == {}


@pytest.mark.parametrize("guide", ["", "06-ebs"])
def test_a_mystery_is_not_named_until_it_is_repaired(lab: Broken, guide: str) -> None:
    result = run("break", "--random", *(["--guide", guide] if guide else []))
    assert result.exit_code == 0
    (name,) = lab.bad
    assert not guide or name == "volume"
    said = [result.stdout, run("faults", "--in-place").stdout]
    said.append(run("faults", "--in-place", "--format", "json").stdout)
    assert not [line for line in said if name in line or f"fake.{name}" in line]
    assert "`kmslab faults --hint`" in result.stdout
    assert f"that guide {guide} is about" in result.stdout or not guide
    repaired = run("repair").stdout
    assert repaired.startswith(f"Repaired fake.{name}: The {name} is wrong.")
    assert "It is noticed by s3.copy-encrypts-anew." in repaired


def test_each_hint_says_more_than_the_one_before(lab: Broken) -> None:
    run("break", "--random", "--guide", "06-ebs")
    hints = [run("faults", "--hint").stdout for _ in range(4)]
    assert hints == [
        "It belongs to the guide 06-ebs: read lab_guides/06-ebs.md.\n",
        "The topic s3 notices it: `kmslab verify --only s3`.\n",
        "It is this: The volume is wrong.\n",
        "It is this: The volume is wrong.\n",
    ]
    assert lab.bad == ["volume"]


def test_a_hint_is_for_mysteries(lab: Broken) -> None:
    run("break", "fake.volume")
    result = run("faults", "--hint")
    assert result.exit_code == ExitCode.BAD_INPUT
    assert result.stderr.startswith("error: No mystery is in place.")
    assert lab.bad == ["volume"]


def test_every_mystery_is_another_one_until_none_is_left(lab: Broken) -> None:
    for count in (1, 2, 3):
        run("break", "--random")
        assert len(lab.bad) == count
    result = run("break", "--random")
    assert result.exit_code == ExitCode.BAD_INPUT
    assert result.stderr.startswith("error: No fault is left that could be made here.")


def test_a_random_fault_is_one_that_the_target_lets_us_make(lab: Broken) -> None:
    def refuse() -> None:
        raise OwnerNeededError("only the root user may")

    for name in ("encryption", "volume"):
        lab.changes[name].on_restore = refuse
    assert run("break", "--random").exit_code == 0
    assert lab.bad == ["tag"]
    named = run("break", "fake.volume")
    assert named.stderr.startswith("error: only the root user may")


def test_in_place_are_named(lab: Broken) -> None:
    assert run("faults", "--in-place").stdout == "No fault is in place.\n"
    run("break", "fake.volume")
    assert "fake.volume  The volume is wrong." in run("faults", "--in-place").stdout
    (entry,) = json.loads(run("faults", "--in-place", "--format", "json").stdout)
    assert entry["fault"] == "fake.volume"
    assert lab.bad == ["volume"]


def test_the_catalogue_needs_no_lab(broken: Broken) -> None:
    lines = run("faults").stdout.splitlines()
    assert lines[0].split() == ["fault", "what", "is", "broken", "guide", "noticed", "by"]
    assert [line.split()[0] for line in lines[1:]] == ["fake.encryption", "fake.tag", "fake.volume"]
    only = json.loads(run("faults", "--guide", "06-ebs", "--format", "json").stdout)
    assert only == [
        {
            "id": "fake.volume",
            "title": "The volume is wrong.",
            "explanation": "What volume leads to.",
            "guide": "06-ebs",
            "noticed_by": ["s3.copy-encrypts-anew"],
        }
    ]
    assert broken.bad == []


@pytest.mark.parametrize(
    ("arguments", "line", "hint"),
    [
        (("break",), "Name one fault, or say --random.", "kmslab faults"),
        (("break", "fake.tag", "--random"), "--random chooses the fault: name none.", "kmslab faults"),
        (("break", "fake.tagg"), "No fault is called fake.tagg.", "Did you mean fake.tag"),
        (("break", "zzzzzz"), "No fault is called zzzzzz.", "`kmslab faults` shows every fault."),
        (("break", "--random", "--guide", "99"), "No fault belongs to a guide 99.", "05-s3, 06-ebs"),
        (("break", "fake.tag", "--guide", "05-s3"), "--guide is for --random.", "break --random --guide"),
        (("repair", "fake.tagg"), "No fault is called fake.tagg.", "Did you mean fake.tag"),
        (("repair", "fake.tag"), "fake.tag is not in place.", "kmslab faults --in-place"),
        (("repair", "fake.tag", "--all"), "--all repairs every fault: name none.", "kmslab repair --all"),
        (("faults", "--guide", "99"), "No fault belongs to a guide 99.", "05-s3, 06-ebs"),
    ],
)
def test_bad_input_is_one_line_and_a_hint(
    lab: Broken, arguments: tuple[str, ...], line: str, hint: str
) -> None:
    result = run(*arguments)
    assert result.exit_code == ExitCode.BAD_INPUT
    said = result.stderr.splitlines()
    assert len(said) == 2
    assert said[0] == f"error: {line}"
    assert hint in said[1]
    assert lab.bad == []


@pytest.mark.parametrize("arguments", [("break", "fake.tag"), ("break", "--random"), ("repair", "--all")])
def test_an_account_that_is_no_sandbox_is_left_alone(lab: Broken, arguments: tuple[str, ...]) -> None:
    result = run(*arguments, "--target", "aws", "-c", "kmslab.prefix=kms-lab")
    assert result.exit_code == ExitCode.TARGET
    assert result.stderr.startswith(f"error: Account {ACCOUNT} is not named as a sandbox")
    assert "-c kmslab.prefix=kms-lab -c kmslab.sandbox_accounts=" in " ".join(result.stderr.split())
    assert (lab.bad, lab.parameters) == ([], {})


def test_in_a_sandbox_account_the_hints_are_for_it(lab: Broken) -> None:
    result = run("break", "fake.tag", "--target", "aws", "-c", f"kmslab.sandbox_accounts={ACCOUNT}")
    assert result.exit_code == 0
    assert lab.bad == ["tag"]
    options = f"--target aws -c kmslab.sandbox_accounts={ACCOUNT}"
    assert f"`kmslab verify {options}`" in result.stdout
    assert f"`kmslab repair {options}`" in result.stdout


@pytest.mark.parametrize("arguments", [("break", "fake.tag"), ("repair",), ("faults", "--in-place")])
def test_one_command_at_a_time(lab: Broken, project: Project, arguments: tuple[str, ...]) -> None:
    with exclusively(project):
        result = run(*arguments)
    assert result.exit_code == ExitCode.DEPLOYMENT
    assert result.stderr.startswith("error: Another kmslab command is working on this lab.")
    assert lab.bad == []


@pytest.mark.parametrize("arguments", [("break", "fake.tag"), ("break", "--random", "--guide", "06-ebs")])
def test_ctrl_c_leaves_what_repair_can_repair(lab: Broken, arguments: tuple[str, ...]) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    for change in lab.changes.values():
        change.on_apply = interrupt
    result = run(*arguments)
    assert result.exit_code == ExitCode.INTERRUPTED
    assert result.stderr == (
        "error: Interrupted. What is broken by now is on record.\n  Put it right: `kmslab repair --all`.\n"
    )
    assert len(lab.bad) == 1
    assert run("repair", "--all").exit_code == 0
    assert (lab.bad, lab.parameters) == ([], {})


class Mended:
    """A deployment in the fake cloud, with faults of `Broken` in place."""

    def __init__(self, cloud: Cloud, broken: Broken, deployment: Deployment) -> None:
        parameter_store(cloud.world, broken.parameters)
        self.cloud = cloud
        self.broken = broken
        self.deployment = deployment
        self.ledger = Ledger(deployment.access)

    def put_in_place(self, *names: str, **other: Any) -> None:
        for number, name in enumerate(names, 1):
            self.broken.lab[name] = "bad"
            entry = an_entry(number=number, fault_id=f"fake.{name}", saved={"value": "good"}, **other)
            self.ledger.write(entry)


@pytest.fixture
def mended(
    project: Project, cloud: Cloud, broken: Broken, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> Mended:
    monkeypatch.setattr("kmslab.deployment.owner_access", lambda _, __: None)
    monkeypatch.setattr(Deployment, "_ensure_secure_string", lambda _, __: None)
    deployment = Deployment(project, FakeAccess(cloud.world), {"kmslab.prefix": PREFIX}, recorder)
    deployment.up()
    cloud.commands.clear()
    return Mended(cloud, broken, deployment)


def test_up_repairs_a_lab_left_broken_and_names_the_faults(mended: Mended, recorder: Recorder) -> None:
    mended.put_in_place("encryption", "volume")
    assert not mended.deployment.up()
    assert mended.broken.bad == []
    assert mended.ledger.entries() == []
    assert [said[2] for said in recorder.said if said[1] == "repaired"] == [
        "fake.volume: The volume is wrong.",
        "fake.encryption: The encryption is wrong.",
    ]


def test_up_repairs_before_cloudformation_meets_what_is_broken(mended: Mended) -> None:
    mended.put_in_place("encryption")
    seen: list[list[str]] = []
    mended.cloud.during = lambda verb: seen.append(mended.broken.bad) if verb == "deploy" else None
    mended.deployment.project.root.joinpath("app.py").write_text("changed")
    assert mended.deployment.up()
    assert seen == [[]]


def test_up_repairs_a_lab_that_a_stack_is_missing_from_once_it_is_there(mended: Mended) -> None:
    mended.put_in_place("encryption")
    del mended.cloud.stacks[f"{PREFIX}-{LabStack.STORAGE}"]
    assert mended.deployment.up()
    assert mended.broken.bad == []
    assert mended.ledger.entries() == []


def test_up_does_not_go_on_with_a_fault_that_it_cannot_repair(mended: Mended) -> None:
    mended.put_in_place("encryption")

    def refuse() -> None:
        raise ClientError({"Error": {"Code": "AccessDenied"}}, "PutBucketEncryption")

    mended.broken.changes["encryption"].on_restore = refuse
    with pytest.raises(ClientError, match="AccessDenied"):
        mended.deployment.up()
    assert len(mended.ledger.entries()) == 1


def test_down_repairs_first(mended: Mended, recorder: Recorder) -> None:
    mended.put_in_place("encryption")
    seen: list[list[str]] = []
    mended.cloud.during = lambda _: seen.append(mended.broken.bad)
    mended.deployment.down()
    assert seen == [[]]
    assert ("end", "repaired", "fake.encryption: The encryption is wrong.") in recorder.said


@pytest.mark.parametrize("whole", [True, False])
def test_down_is_not_stopped_by_a_fault(
    mended: Mended, recorder: Recorder, whole: bool
) -> None:  # a parameter of the test
    mended.put_in_place("encryption", "volume")
    if not whole:
        del mended.cloud.stacks[f"{PREFIX}-{LabStack.STORAGE}"]

    def refuse() -> None:
        raise LabError("the key is gone")

    mended.broken.changes["volume"].on_restore = refuse
    mended.deployment.down()
    assert set(mended.cloud.stacks) == {"CDKToolkit"}
    assert mended.ledger.entries() == []
    assert (("end", "left broken", "fake.volume: the key is gone") in recorder.said) is whole


def test_down_is_not_stopped_by_a_ledger_that_cannot_be_read(mended: Mended) -> None:
    mended.broken.parameters[f"/{PREFIX}/faults/somebodys"] = "nonsense"
    mended.deployment.down()
    assert set(mended.cloud.stacks) == {"CDKToolkit"}
    assert mended.broken.parameters == {}
