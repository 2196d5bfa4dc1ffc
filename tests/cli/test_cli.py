from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import typer
from typer.testing import CliRunner

from kmslab import cli
from kmslab.cdk import CdkError
from kmslab.model.errors import ExitCode, LabError

if TYPE_CHECKING:
    from kmslab.project import Project

HEAVY = ("boto3", "botocore", "aws_cdk", "jsii", "ministack", "cryptography", "pydantic", "jinja2", "asyncio")
"""What must not be imported to print a page of help."""


@pytest.fixture
def run(project: Project, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run a command in a checkout of its own."""
    monkeypatch.chdir(project.root)
    monkeypatch.delenv("KMSLAB_HOME", raising=False)

    def invoke(*arguments: str) -> Any:
        return CliRunner(env={"COLUMNS": "300"}).invoke(cli.app, list(arguments))

    return invoke


def test_help_teaches_the_first_steps_and_the_exit_codes(run: Any) -> None:
    said = run("--help").stdout
    for step in ("kmslab up", "kmslab verify", 'eval "$(kmslab env)"', "kmslab down", "cdk deploy --all"):
        assert step in said
    for code in ExitCode:
        assert f" {int(code)} " in said
    for command in ("doctor", "up", "verify", "status", "down", "engine", "env"):
        assert f" {command} " in said


def test_without_a_command_the_help_is_shown(run: Any) -> None:
    assert "kmslab verify" in run().output


@pytest.mark.parametrize("command", ["doctor", "up", "down", "status", "verify", "env", "engine"])
def test_every_command_has_help(run: Any, command: str) -> None:
    result = run(command, "--help")
    assert result.exit_code == ExitCode.OK
    assert f" {command} " in result.stdout.splitlines()[1]


@pytest.mark.parametrize("command", ["up", "down", "verify"])
def test_what_touches_an_account_says_that_it_must_be_named(run: Any, command: str) -> None:
    said = run(command, "--help").stdout
    assert "sandbox_accounts" in said
    assert "--context" in said


def test_version(run: Any) -> None:
    assert run("--version").stdout == "kmslab 0.1.0\n"


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys\nfrom typer.testing import CliRunner\nfrom kmslab.cli import app\n"
        "assert CliRunner().invoke(app, ['--help']).exit_code == 0\n"
        "print(' '.join(name for name in sys.modules if '.' not in name))"
    )
    loaded = subprocess.run(  # noqa: S603  # this interpreter
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert "typer" in loaded
    assert sorted(set(loaded) & set(HEAVY)) == []


def failing(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr("kmslab.commands.lab.up", fail)


def test_an_error_is_one_line_a_hint_and_its_exit_code(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    failing(monkeypatch, LabError("It is [bold]broken[/].", hint="Mend it.", exit_code=ExitCode.ENGINE))
    result = run("up")
    assert result.exit_code == ExitCode.ENGINE
    assert result.stdout == ""
    assert result.stderr == "error: It is [bold]broken[/].\n  Mend it.\n"


def test_a_failure_of_the_cdk_cli_shows_what_it_said(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    failing(monkeypatch, CdkError("Stack x failed", ("CREATE_FAILED | why",), Path("/home/deploy.log")))
    result = run("up")
    assert result.exit_code == ExitCode.DEPLOYMENT
    assert result.stderr == (
        "error: Stack x failed\n  | CREATE_FAILED | why\n  The whole output is in /home/deploy.log.\n"
    )


def test_ctrl_c_is_130_and_one_line(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    failing(monkeypatch, KeyboardInterrupt())
    result = run("up")
    assert result.exit_code == ExitCode.INTERRUPTED
    assert result.stderr == "\nInterrupted; the lab is usable. Run the command again to go on.\n"


def test_ctrl_c_says_that_the_engine_keeps_running(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    failing(monkeypatch, KeyboardInterrupt())
    monkeypatch.setattr("kmslab.engine.control.status", lambda _: object())
    result = run("up")
    assert result.exit_code == ExitCode.INTERRUPTED
    assert result.stderr.endswith(
        "Run the command again to go on.\n  The engine keeps running; `kmslab engine stop` stops it.\n"
    )


def test_a_fault_of_ours_is_one_line_and_a_file(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def fail(**_: Any) -> None:
        raise ZeroDivisionError("division\nby zero")

    monkeypatch.setattr(cli, "app", fail)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(SystemExit) as caught:
        cli.main()
    assert caught.value.code == ExitCode.FAULT  # and not 1, which says that a check failed
    line, hint = capsys.readouterr().err.splitlines()
    assert line == "error: ZeroDivisionError: division by zero"
    (kept,) = tmp_path.iterdir()
    assert str(kept) in hint
    assert "Traceback" in kept.read_text()


def test_a_polite_kill_cleans_up_like_ctrl_c(monkeypatch: pytest.MonkeyPatch) -> None:
    import os
    import signal

    monkeypatch.setattr(cli, "app", lambda **_: os.kill(os.getpid(), signal.SIGTERM))
    before = signal.getsignal(signal.SIGTERM)
    try:
        with pytest.raises(SystemExit) as caught:
            cli.main()
    finally:
        signal.signal(signal.SIGTERM, before)
    assert caught.value.code == ExitCode.INTERRUPTED


@pytest.mark.parametrize(
    ("setting", "line"),
    [
        (
            "kmslab.pending_window_days=5",
            'kmslab.pending_window_days is "5", but must be a whole number of days from 7 to 30',
        ),
        (
            "kmslab.rotation_days.s3=30",
            'kmslab.rotation_days.s3 is "30", but must be a whole number of days from 90 to 2560',
        ),
        ("kmslab.admin_user=root", 'kmslab.admin_user is "root", but must be an IAM user name'),
        ("kmslab.colour=blue", "kmslab.colour is no setting of the lab"),
        ("prefix=x", "-c prefix=x is not a setting of the lab.\n  Did you mean kmslab.prefix?"),
        (
            "kmslabs.prefix=x",
            "-c kmslabs.prefix=x is not a setting of the lab.\n  Did you mean kmslab.prefix?",
        ),
        ("kms-lab={}", "-c kms-lab={} is not a setting of the lab.\n  Did you mean kmslab?"),
        (
            "rotationdays.s3=90",
            "-c rotationdays.s3=90 is not a setting of the lab.\n  Did you mean kmslab.rotation_days.s3?",
        ),
        (
            "@aws-cdk/core:x=1",
            "-c @aws-cdk/core:x=1 is not a setting of the lab.\n  For example: -c kmslab.prefix=class-7.",
        ),
        ("kmslab.prefix", "-c kmslab.prefix has no value.\n  Write -c kmslab.prefix=VALUE."),
    ],
)
def test_a_wrong_setting_is_one_line_before_anything_starts(
    run: Any, project: Project, setting: str, line: str
) -> None:
    for command in ("up", "verify", "down"):
        result = run(command, "-c", setting)
        assert result.exit_code == ExitCode.BAD_INPUT
        assert result.stderr.startswith(f"error: {line}")
        assert len(result.stderr.splitlines()) <= 2
    assert not (project.home / "engine").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        *(((command, "--target", "nowhere"), "nowhere") for command in ("up", "down", "status", "verify")),
        *(
            ((command, "--colour"), "--colour")
            for command in ("up", "down", "status", "verify", "env", "doctor")
        ),
        (("verify", "--only"), "--only"),
        (("up", "kms"), "kms"),
        (("down", "--port", "1"), "--port"),
        (("engine", "logs", "-n", "0"), "--lines"),
        (("engine", "fly"), "fly"),
        (("env", "--persona", "nobody"), "nobody"),
        (("engine", "start", "--port", "70000"), "65535"),
        (("fly",), "fly"),
        (("verify", "--format", "table,pdf"), "--format pdf is not known."),
        (("verify", "--only", "nonsense"), "--only nonsense"),
    ],
)
def test_a_wrong_option_is_named(run: Any, arguments: tuple[str, ...], said: str) -> None:
    result = run(*arguments)
    assert result.exit_code == ExitCode.BAD_INPUT
    assert said in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("command", [("verify",), ("status",), ("env",), ("engine", "status")])
def test_without_an_engine_each_command_says_so(run: Any, command: tuple[str, ...]) -> None:
    result = run(*command)
    assert result.exit_code == ExitCode.ENGINE
    assert result.stderr == "error: The local engine is not running.\n  Run `kmslab up`.\n"


def test_the_log_of_an_engine_that_never_ran(run: Any) -> None:
    result = run("engine", "logs")
    assert result.exit_code == ExitCode.ENGINE
    assert result.stderr.startswith("error: The engine has written no log yet.")


def test_the_last_lines_of_the_engines_log(run: Any, project: Project) -> None:
    from kmslab.engine import control

    log = control.log_file(project.home)
    log.parent.mkdir(parents=True)
    log.write_text("".join(f"line {number} [dim]\n" for number in range(100)))
    assert run("engine", "logs", "-n", "2").stdout == "line 98 [dim]\nline 99 [dim]\n"


def test_stopping_what_does_not_run_is_no_error(run: Any) -> None:
    result = run("engine", "stop")
    assert (result.exit_code, result.stdout) == (ExitCode.OK, "The engine was not running.\n")


def test_outside_of_a_checkout(run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("kmslab.project.__file__", str(tmp_path / "a" / "b" / "project.py"))
    result = run("status")
    assert result.exit_code == ExitCode.BAD_INPUT
    assert result.stderr.startswith("error: No KMS Lab checkout at or above")


def test_the_console_script_is_this_app() -> None:
    assert isinstance(cli.app, typer.Typer)
    assert cli.main.__module__ == "kmslab.cli"
