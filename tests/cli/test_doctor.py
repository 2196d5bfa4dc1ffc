from __future__ import annotations

from importlib.metadata import PackageNotFoundError
from typing import TYPE_CHECKING, Any

import pytest

from kmslab import doctor
from kmslab.model.errors import ExitCode, LabError

if TYPE_CHECKING:
    from kmslab.project import Project


@pytest.fixture
def healthy(project: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A checkout in which everything is installed; no engine runs."""
    script = project.root / "node_modules" / "aws-cdk" / "bin" / "cdk"
    script.parent.mkdir(parents=True)
    script.touch()
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    return project


def findings(project: Project) -> dict[str, doctor.Finding]:
    return {finding.what: finding for finding in doctor.examine(project)}


def test_a_machine_that_can_run_the_lab(healthy: Project) -> None:
    found = findings(healthy)
    assert [finding.what for finding in found.values() if not finding.fine] == []
    assert "aws-cdk-lib 2." in found["Packages"].seen
    assert found["Settings"].seen == "prefix kms-lab, admin user kenya-one"
    assert found["Engine"].seen == "not running; `kmslab up` starts it"
    assert "reach AWS" in found["Environment"].seen


def test_a_shell_that_is_set_to_a_lab_is_told(healthy: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "https://127.0.0.1:1")
    assert "AWS_ENDPOINT_URL=https://127.0.0.1:1" in findings(healthy)["Environment"].seen


def broken(healthy: Project, what: str) -> doctor.Finding:
    found = findings(healthy)
    assert [name for name, finding in found.items() if not finding.fine] == [what]
    assert found[what].remedy
    return found[what]


def test_no_node(healthy: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    def none() -> None:
        raise LabError(
            "Node.js 22 or 24 was not found.", hint="Run `make setup`.", exit_code=ExitCode.TOOLCHAIN
        )

    monkeypatch.setattr(doctor, "require_node", none)
    assert broken(healthy, "Node.js").remedy == "Run `make setup`."


def test_no_cdk_cli(healthy: Project) -> None:
    (healthy.root / "node_modules" / "aws-cdk" / "bin" / "cdk").unlink()
    assert broken(healthy, "CDK CLI").remedy == "Run `make setup`."


def test_a_missing_package(healthy: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(doctor, "version", missing)
    assert broken(healthy, "Packages").seen == "aws-cdk-lib is not installed."


def test_a_wrong_setting(healthy: Project) -> None:
    (healthy.root / "cdk.json").write_text('{"context": {"kmslab": {"prefix": "A"}}}')
    assert "kmslab.prefix" in broken(healthy, "Settings").seen


def test_a_read_only_home(healthy: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kmslab.project.os.access", lambda *_: False)
    assert broken(healthy, "Lab's home").seen.endswith("permission denied.")


def test_a_full_disk(healthy: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    class Usage:
        free = 5 << 20

    monkeypatch.setattr("kmslab.doctor.shutil.disk_usage", lambda _: Usage)
    assert broken(healthy, "Free space").seen.startswith("only 5 MiB are free")


def test_no_loopback(healthy: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr("kmslab.doctor.socket.create_server", refuse)
    assert broken(healthy, "Loopback").seen == "cannot listen on 127.0.0.1: Operation not permitted."


@pytest.mark.parametrize("fine", [True, False])
def test_the_exit_code_says_whether_the_lab_can_run(
    healthy: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *, fine: bool
) -> None:
    from rich.console import Console

    from kmslab.commands import doctor as command

    monkeypatch.setattr(command, "find_project", lambda: healthy)
    monkeypatch.setattr(command, "out", Console(width=120))
    monkeypatch.setattr(command, "examine", lambda _: [doctor.Finding("Node.js", fine, "[seen]", "Do this.")])
    assert command.run() is (ExitCode.OK if fine else ExitCode.TOOLCHAIN)
    said = capsys.readouterr().out
    assert ("✓" if fine else "✗") in said
    assert "[seen]" in said
    assert "Do this." in said
