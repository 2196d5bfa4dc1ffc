from __future__ import annotations

import re
from importlib.metadata import PackageNotFoundError
from io import StringIO
from typing import TYPE_CHECKING, Any, TypeAlias

import pytest
from botocore.exceptions import EndpointConnectionError
from rich.console import Console
from typer.testing import CliRunner

from kmslab import doctor
from kmslab.cli import app
from kmslab.commands import doctor as command
from kmslab.lab import Access
from kmslab.model.errors import ExitCode, LabError
from kmslab.model.finding import exit_code, fine, unseen, wrong
from kmslab.model.target import TargetKind
from tests.account.conftest import Account
from tests.checks.fakes import ACCOUNT, REGION, FakeAccess, Request

if TYPE_CHECKING:
    from collections.abc import Callable

    from kmslab.model.finding import Finding
    from kmslab.project import Project

Said: TypeAlias = "Callable[[], str]"


@pytest.fixture
def healthy(project: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A checkout in which everything is installed; no engine runs."""
    script = project.root / "node_modules" / "aws-cdk" / "bin" / "cdk"
    script.parent.mkdir(parents=True)
    script.touch()
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    monkeypatch.setattr(command, "find_project", lambda: project)
    return project


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> Said:
    """What the command printed so far; on a terminal that breaks no line."""
    printed = StringIO()
    monkeypatch.setattr(command, "out", Console(file=printed, width=400))
    return printed.getvalue


def findings(project: Project) -> dict[str, Finding]:
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


def broken(healthy: Project, what: str) -> Finding:
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


@pytest.mark.parametrize("good", [True, False])
def test_the_exit_code_says_whether_the_lab_can_run(
    healthy: Project, monkeypatch: pytest.MonkeyPatch, said: Said, *, good: bool
) -> None:
    found = fine("Node.js", "[seen]", "Do this.") if good else missing()
    monkeypatch.setattr(command, "examine", lambda _: [found])
    assert command.run(TargetKind.LOCAL, []) is (ExitCode.OK if good else ExitCode.TOOLCHAIN)
    assert ("✓" if good else "✗") in said()
    assert "[seen]" in said()
    assert "Do this." in said()


def missing() -> Finding:
    return wrong("Node.js", "[seen]", "Do this.", ExitCode.TOOLCHAIN)


def test_settings_are_of_an_account(healthy: Project) -> None:
    with pytest.raises(LabError, match="-c is for an account") as caught:
        command.run(TargetKind.LOCAL, ["kmslab.prefix=class-7"])
    assert "kmslab doctor --target aws -c kmslab.prefix=class-7" in caught.value.hint


@pytest.mark.parametrize(
    ("findings", "code"),
    [
        ([], ExitCode.OK),
        ([fine("a", "")], ExitCode.OK),
        ([fine("a", ""), unseen("b", "")], ExitCode.NOT_PROVEN),
        ([unseen("b", ""), wrong("c", "", "", ExitCode.DEPLOYMENT)], ExitCode.DEPLOYMENT),
        (
            [wrong("c", "", "", ExitCode.TARGET), wrong("d", "", "", ExitCode.DEPLOYMENT)],
            ExitCode.TARGET,
        ),
    ],
)
def test_what_is_wrong_first_is_the_exit_code(findings: list[Finding], code: ExitCode) -> None:
    assert exit_code(findings) is code


@pytest.fixture
def access(healthy: Project, monkeypatch: pytest.MonkeyPatch) -> FakeAccess:
    """An account of AWS, as the command line finds it."""
    found = FakeAccess(Account().world, kind=TargetKind.AWS)
    monkeypatch.setattr(command, "choose_target", lambda *_: found.target)
    monkeypatch.setattr(command, "Access", lambda *_: found)
    return found


NAMED = [f"kmslab.sandbox_accounts={ACCOUNT}"]


def test_an_account_that_can_run_the_lab(access: FakeAccess, said: Said) -> None:
    assert command.run(TargetKind.AWS, NAMED) is ExitCode.OK
    assert f"account {ACCOUNT} is named by kmslab.sandbox_accounts" in said()
    assert re.search(r"Cost +about \d+\.\d\d USD a day", said())
    assert "✗" not in said()
    assert "?" not in said()


def test_an_account_that_was_not_named(access: FakeAccess, said: Said) -> None:
    values = ["kmslab.prefix=class-7"]
    assert command.run(TargetKind.AWS, values) is ExitCode.TARGET
    wanted = f"`kmslab up --target aws -c kmslab.prefix=class-7 -c kmslab.sandbox_accounts={ACCOUNT}`"
    assert wanted in said()
    assert "Quota: KMS keys" not in said()


def test_what_could_not_be_looked_at_is_never_fine(access: FakeAccess, said: Said) -> None:
    access.world.refuses("iam:SimulatePrincipalPolicy", code="AccessDenied")
    assert command.run(TargetKind.AWS, NAMED) is ExitCode.NOT_PROVEN
    assert "?  Your permissions" in said()


def test_without_a_region_nothing_is_asked(
    access: FakeAccess, monkeypatch: pytest.MonkeyPatch, said: Said
) -> None:
    def none(*_: object) -> None:
        raise LabError("No Region is configured.", hint="Set AWS_REGION.", exit_code=ExitCode.TARGET)

    monkeypatch.setattr(command, "choose_target", none)
    assert command.run(TargetKind.AWS, NAMED) is ExitCode.TARGET
    assert "No Region is configured." in said()
    assert access.world.requests == []


@pytest.mark.parametrize(
    ("code", "line"),
    [
        ("ExpiredToken", "The credentials have expired."),
        ("InvalidClientTokenId", "they are not accepted (InvalidClientTokenId)"),
    ],
)
def test_credentials_that_do_not_work(
    access: FakeAccess, monkeypatch: pytest.MonkeyPatch, said: Said, code: str, line: str
) -> None:
    access.world.refuses("sts:GetCallerIdentity", code=code)
    monkeypatch.setattr(FakeAccess, "caller", Access.caller)
    assert command.run(TargetKind.AWS, NAMED) is ExitCode.TARGET
    assert line in said()
    assert "Sandbox" not in said()


def test_a_region_that_is_off_is_not_taken_for_wrong_credentials(
    access: FakeAccess, monkeypatch: pytest.MonkeyPatch, said: Said
) -> None:
    access.world.refuses("sts:GetCallerIdentity", code="InvalidClientTokenId")
    access.world.answers(
        "sts:GetCallerIdentity", {"Account": ACCOUNT}, when=lambda request: request.region == "us-east-1"
    )
    monkeypatch.setattr(FakeAccess, "caller", Access.caller)
    assert command.run(TargetKind.AWS, NAMED) is ExitCode.TARGET
    assert f"{REGION} is not switched on for this account" in said()


def test_a_region_that_there_is_not_is_not_one_that_is_off(
    access: FakeAccess, monkeypatch: pytest.MonkeyPatch, said: Said
) -> None:
    def nobody(_: Request) -> dict[str, Any]:
        raise EndpointConnectionError(endpoint_url="https://sts.eu-centrall-1.amazonaws.com/")

    access.world.answers("sts:GetCallerIdentity", {"Account": ACCOUNT})
    access.world.answers("sts:GetCallerIdentity", nobody, when=lambda request: not request.region)
    monkeypatch.setattr(FakeAccess, "caller", Access.caller)
    assert command.run(TargetKind.AWS, NAMED) is ExitCode.TARGET
    assert "✗  Endpoint  The target does not answer" in said()
    assert "No Region eu-centrall-1 is known to botocore" in said()
    assert "switched on" not in said()


def test_a_region_without_a_service_is_told(access: FakeAccess, said: Said) -> None:
    access.world.refuses(
        "cloudformation:DescribeType",
        code="TypeNotFoundException",
        when=lambda request: request["TypeName"] == "AWS::CloudTrail::Trail",
    )
    assert command.run(TargetKind.AWS, NAMED) is ExitCode.DEPLOYMENT
    assert f"{REGION} lacks AWS::CloudTrail::Trail" in said()


def test_a_wrong_setting_is_one_line(access: FakeAccess) -> None:
    with pytest.raises(LabError, match=r"kmslab\.prefix"):
        command.run(TargetKind.AWS, ["kmslab.prefix=A"])


@pytest.mark.parametrize("arguments", [["doctor"], ["doctor", "--target", "aws", "-c", "kmslab.prefix=x7"]])
def test_the_command_line_hands_on_what_was_typed(
    monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    given: list[Any] = []

    def run(kind: TargetKind, values: list[str]) -> ExitCode:
        given.append((kind, values))
        return ExitCode.TARGET

    monkeypatch.setattr(command, "run", run)
    assert CliRunner().invoke(app, arguments).exit_code == ExitCode.TARGET
    on_aws = len(arguments) > 1
    assert given == [(TargetKind.AWS, ["kmslab.prefix=x7"]) if on_aws else (TargetKind.LOCAL, [])]
