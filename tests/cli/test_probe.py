"""``kmslab probe``: what can be typed, what is refused before it costs minutes, and what is kept."""

from __future__ import annotations

import json
import socket
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from kmslab import cli
from kmslab.commands import probe as command
from kmslab.model.errors import ExitCode, LabError
from kmslab.model.target import Credentials, Target, TargetKind
from kmslab.probe import clients, runner
from kmslab.probe.model import Outcome, Result
from kmslab.targets import aws_errors_in_one_line
from tests.probe.conftest import agrees, is_away, lacks_everything, world_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from kmslab.probe.model import Probe
    from kmslab.probe.world import World
    from kmslab.project import Project

URL = "http://127.0.0.1:4566"
ENDPOINT = ("--endpoint-url", URL)


class Asked:
    """What the command gave the runner, and what the runner is to find."""

    def __init__(self) -> None:
        self.world: World
        self.probes: list[str] = []
        self.outcome = Outcome.AS_DOCUMENTED

    def run_all(
        self, world: World, probes: Sequence[Probe], on_result: Callable[[Result], None]
    ) -> list[Result]:
        self.world, self.probes = world, [one.id for one in probes]
        results = [Result(one, self.outcome, "a|b *c*", 0.25) for one in probes]
        for result in results:
            on_result(result)
        return results


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    """The runner replaced; nobody is called but who must be there to answer."""
    fake = Asked()
    monkeypatch.setattr(runner, "run_all", fake.run_all)
    monkeypatch.setattr(command, "_greet", lambda _: None)
    return fake


@pytest.fixture
def run(project: Project, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run the command in a checkout of its own."""
    monkeypatch.chdir(project.root)
    monkeypatch.setenv("KMSLAB_HOME", str(project.home))
    monkeypatch.setenv("AWS_REGION", "us-east-1")

    def invoke(*arguments: str) -> Any:
        return CliRunner(env={"COLUMNS": "300"}).invoke(cli.app, ["probe", *arguments])

    return invoke


def test_the_catalogue_is_listed_and_nothing_is_asked(run: Any) -> None:
    said = run("--list").stdout
    assert f"{len(runner.catalogue())} probes in 24 areas." in said
    assert "grants.a-revoked-grant-permits-nothing" in said


def test_a_part_of_the_catalogue_is_listed_for_programs(run: Any) -> None:
    listed = json.loads(run("--list", "--only", "macs", "--format", "json").stdout)
    assert [one["id"] for one in listed] == [one.id for one in runner.catalogue(["macs"])]
    assert all(one["source"].startswith("https://docs.aws.amazon.com/") for one in listed)


def test_a_part_of_the_catalogue_is_listed_for_a_page(run: Any) -> None:
    lines = run("--list", "--only", "macs", "--format", "markdown").stdout.splitlines()
    assert len(lines) == 2 + len(runner.catalogue(["macs"]))
    assert lines[2].startswith("| `macs.")


@pytest.mark.parametrize("given", [("--list",), ENDPOINT])
def test_an_unknown_word_is_bad_input(run: Any, asked: Asked, given: tuple[str, ...]) -> None:
    result = run(*given, "--only", "nonsense")
    assert result.exit_code == ExitCode.BAD_INPUT
    assert "nonsense is no area and no probe." in result.stderr
    assert asked.probes == []


@pytest.mark.parametrize(
    ("url", "said"),
    [("127.0.0.1:4566", "is no endpoint"), ("https://kms.us-east-1.amazonaws.com", "is AWS itself")],
)
def test_what_is_no_emulator_is_refused(run: Any, asked: Asked, url: str, said: str) -> None:
    result = run("--endpoint-url", url)
    assert result.exit_code == ExitCode.BAD_INPUT
    assert said in result.stderr
    assert asked.probes == []


def test_without_an_engine_there_is_nothing_to_ask(run: Any) -> None:
    result = run()
    assert result.exit_code == ExitCode.ENGINE
    assert "The local engine is not running." in result.stderr


def test_a_folder_that_cannot_be_is_told_before_the_probes(run: Any, asked: Asked, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    result = run(*ENDPOINT, "--output", str(tmp_path / "file"))
    assert result.exit_code == ExitCode.BAD_INPUT
    assert f"Cannot write {tmp_path / 'file'}" in result.stderr
    assert asked.probes == []


def test_all_as_documented_is_0_and_is_kept(run: Any, asked: Asked, tmp_path: Path) -> None:
    folder = tmp_path / "new" / "folder"
    result = run(*ENDPOINT, "--only", "macs", "--output", str(folder))
    assert result.exit_code == ExitCode.OK, result.output
    ids = [one.id for one in runner.catalogue(["macs"])]
    assert asked.probes == ids
    assert "macs  9 of 9 as documented" in result.stdout
    kept = json.loads((folder / "fidelity.json").read_text())
    assert kept["endpoint"] == URL
    assert [one["id"] for one in kept["results"]] == ids
    assert "## macs: 9 of 9" in (folder / "fidelity.md").read_text()


@pytest.mark.parametrize("outcome", [Outcome.NOT_AS_DOCUMENTED, Outcome.COULD_NOT_LOOK])
def test_anything_else_is_1_and_is_shown(run: Any, asked: Asked, tmp_path: Path, outcome: Outcome) -> None:
    asked.outcome = outcome
    result = run(*ENDPOINT, "--only", "macs", "--output", str(tmp_path))
    assert result.exit_code == ExitCode.NOT_PROVEN
    assert "macs  0 of 9 as documented" in result.stdout
    assert result.stdout.count("a|b *c*") == 9
    assert f"9 {outcome}" in result.stdout


@pytest.mark.parametrize(("form", "file"), [("json", "fidelity.json"), ("markdown", "fidelity.md")])
def test_what_is_printed_is_what_is_kept(
    run: Any, asked: Asked, tmp_path: Path, form: str, file: str
) -> None:
    result = run(*ENDPOINT, "--only", "macs", "--format", form, "--output", str(tmp_path))
    assert asked.probes
    assert result.stdout == (tmp_path / file).read_text()


def test_the_callers_own_credentials_are_used_unless_others_are_asked_for(
    run: Any, asked: Asked, tmp_path: Path
) -> None:
    run(*ENDPOINT, "--only", "macs", "--output", str(tmp_path))
    assert (asked.world.target.credentials, asked.world.other) == (None, None)
    run(*ENDPOINT, "--only", "macs", "--output", str(tmp_path), "--test-credentials")
    assert asked.world.target.credentials == Credentials("test", "test")
    assert asked.world.other == Credentials("222222222222", "test")


def test_the_local_engine_is_swept_and_asked_from_two_accounts(
    run: Any, asked: Asked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own, other = Credentials("a", "b"), Credentials("c", "d")
    local = Target(TargetKind.LOCAL, "us-east-1", "https://127.0.0.1:1", credentials=own)
    monkeypatch.setattr(command, "choose_target", lambda *_: local)
    monkeypatch.setattr("kmslab.engine.control.neighbour", lambda _: replace(local, credentials=other))
    swept: list[World] = []

    def sweep(world: World) -> list[str]:
        swept.append(world)
        return ["a role stays"]

    monkeypatch.setattr(command, "sweep", sweep)
    result = run("--only", "macs", "--output", str(tmp_path))
    assert (asked.world.target, asked.world.other, swept) == (local, other, [asked.world])
    assert "could not clean up: a role stays" in result.stderr


def test_of_many_things_that_stay_some_are_named_and_all_counted(
    run: Any, asked: Asked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_down(world: World, *rest: Any) -> list[Result]:
        world.problems.extend(f"thing {number}" for number in range(8))
        return asked.run_all(world, *rest)

    monkeypatch.setattr(runner, "run_all", break_down)
    said = run(*ENDPOINT, "--only", "macs", "--output", str(tmp_path)).stderr
    assert [f"thing {number}" in said for number in range(8)] == [True] * 5 + [False] * 3
    assert "could not clean up 3 more things" in said


def test_nobody_there_is_one_line_and_no_probe() -> None:
    with pytest.raises(LabError, match="does not answer") as caught, aws_errors_in_one_line():
        command._greet(world_of(is_away))
    assert caught.value.exit_code is ExitCode.TARGET


@pytest.mark.parametrize("answer", [agrees, lacks_everything])
def test_any_answer_is_somebody(answer: Any) -> None:
    command._greet(world_of(answer))


@pytest.fixture
def silent(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A socket that takes connections and never says a word."""
    monkeypatch.setattr(clients, "READ_SECONDS", 0.2)
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(64)
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def test_an_emulator_that_hangs_is_told_at_once(run: Any, silent: str) -> None:
    result = run("--endpoint-url", silent, "--test-credentials", "--only", "macs")
    assert result.exit_code == ExitCode.TARGET
    assert "The target does not answer" in result.stderr


def test_what_hangs_in_the_midst_could_not_be_looked_at(
    run: Any, silent: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "_greet", lambda _: None)
    result = run("--endpoint-url", silent, "--test-credentials", "--only", "macs", "--output", str(tmp_path))
    assert result.exit_code == ExitCode.NOT_PROVEN
    found = json.loads((tmp_path / "fidelity.json").read_text())["results"]
    assert {one["outcome"] for one in found} == {"could not look"}
    assert any("Read timeout" in one["seen"] for one in found)
