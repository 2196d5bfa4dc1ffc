from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from kmslab.cdk import CdkCli, CdkError, follow, left_running, local_environment
from kmslab.model.errors import ExitCode
from kmslab.model.target import Credentials, Target, TargetKind

if TYPE_CHECKING:
    from kmslab.project import Project
    from tests.cli.conftest import Recorder

LOCAL = Target(
    TargetKind.LOCAL,
    "eu-central-1",
    "https://127.0.0.1:4566",
    "http://127.0.0.1:4567",
    Path("/lab/ca.pem"),
    Credentials("ASIALAB", "secret", "token"),
)
ROOT = Path(__file__).parents[2]
AWS = Target(TargetKind.AWS, "eu-west-1")
RESOURCES = {"kms-lab-keys": 22, "kms-lab-identity": 30}


def told(recorder: Recorder, *lines: str) -> list[tuple[str, ...]]:
    for line in lines:
        follow(line, recorder, RESOURCES)
    return recorder.said


def test_a_deployment_is_followed_stack_by_stack(recorder: Recorder) -> None:
    assert told(
        recorder,
        "kms-lab-keys: start: Building kms-lab-keys Template",
        "kms-lab-keys: deploying... [1/6]",
        "kms-lab-keys: creating stack...",
        "kms-lab-keys |   7 | 10:29:17 PM | CREATE_COMPLETE         | AWS::KMS::Alias            | MacAlias",
        "kms-lab-keys |  8/23 | 10:29:17 PM | CREATE_COMPLETE         | AWS::KMS::Key   | Mac",
        "✅  kms-lab-keys",
        "kms-lab-keys.KeyMac = arn:aws:kms:us-east-1:000000000000:key/7314",
        " ✅  kms-lab-identity (no changes)",
        "kms-lab-identity: destroying... [2/6]",
        " ✅  kms-lab-identity: destroyed",
    ) == [
        ("begin", "kms-lab-keys", "deploying"),
        ("advance", "kms-lab-keys", "7/22"),
        ("advance", "kms-lab-keys", "8/22"),
        ("end", "kms-lab-keys", "deployed"),
        ("end", "kms-lab-identity", "unchanged"),
        ("begin", "kms-lab-identity", "destroying"),
        ("end", "kms-lab-identity", "destroyed"),
    ]


def test_lines_about_other_stacks_mean_nothing(recorder: Recorder) -> None:
    assert (
        told(
            recorder,
            "✅  Environment aws://000000000000/us-east-1 bootstrapped.",
            "CDKToolkit |  1/15 | 10:29:16 PM | CREATE_COMPLETE | AWS::SSM::Parameter | CdkBootstrapVersion",
        )
        == []
    )


def test_variables_for_the_local_lab() -> None:
    assert local_environment(LOCAL, {}) == {
        "AWS_REGION": "eu-central-1",
        "AWS_DEFAULT_REGION": "eu-central-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "NO_PROXY": "127.0.0.1,localhost",
        "AWS_ENDPOINT_URL": "https://127.0.0.1:4566",
        "AWS_CA_BUNDLE": "/lab/ca.pem",
        "NODE_EXTRA_CA_CERTS": "/lab/ca.pem",
        "AWS_ACCESS_KEY_ID": "ASIALAB",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_SESSION_TOKEN": "token",
    }


@pytest.mark.parametrize("name", ["NO_PROXY", "no_proxy"])
def test_the_callers_exceptions_from_the_proxy_stay(name: str) -> None:
    assert local_environment(LOCAL, {name: "intranet"})["NO_PROXY"] == "intranet,127.0.0.1,localhost"


ENVIRONMENT = "import json, os, sys\nprint(json.dumps([dict(os.environ), os.getcwd(), sys.argv[1:]]))\n"


def seen(fake_cdk: Path, project: Project, target: Target) -> tuple[dict[str, str], str, list[str]]:
    """What the CDK CLI gets: environment, folder, arguments."""
    fake_cdk.write_text(ENVIRONMENT)
    lines: list[str] = []
    with CdkCli(project, target) as cli:
        cli.run("deploy", "--all", log=project.home / "log", on_line=lines.append)
    environment, folder, arguments = json.loads(lines[0])
    return environment, folder, arguments


def test_the_cli_runs_in_the_project_without_calling_home(fake_cdk: Path, project: Project) -> None:
    environment, folder, arguments = seen(fake_cdk, project, LOCAL)
    assert folder == str(project.root)
    assert arguments == ["deploy", "--all", "--no-notices"]
    assert environment["CDK_DISABLE_CLI_TELEMETRY"] == "true"
    assert environment["CDK_DISABLE_VERSION_CHECK"] == "1"
    assert environment["PATH"].startswith(str(Path(sys.executable).parent))


def test_nobody_else_may_read_its_log(fake_cdk: Path, project: Project) -> None:
    log = project.home / "log"
    log.touch(mode=0o644)
    seen(fake_cdk, project, LOCAL)
    assert stat.S_IMODE(log.stat().st_mode) == 0o600


def test_on_the_local_lab_it_has_its_own_caches_and_the_labs_variables(
    fake_cdk: Path, project: Project
) -> None:
    environment, _, _ = seen(fake_cdk, project, LOCAL)
    assert environment["CDK_HOME"] == str(project.home / "cdk")
    assert local_environment(LOCAL, os.environ).items() <= environment.items()


def test_on_aws_it_has_the_callers_configuration(
    fake_cdk: Path, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "sandbox")
    monkeypatch.delenv("CDK_HOME", raising=False)
    environment, _, _ = seen(fake_cdk, project, AWS)
    assert environment["AWS_PROFILE"] == "sandbox"
    assert environment["AWS_REGION"] == "eu-west-1"
    assert "CDK_HOME" not in environment


def test_everything_it_says_is_in_the_log_without_colours(fake_cdk: Path, project: Project) -> None:
    fake_cdk.write_text("import sys\nprint('\\x1b[32mgreen\\x1b[0m')\nprint('oops', file=sys.stderr)\n")
    log = project.home / "log"
    with CdkCli(project, LOCAL) as cli:
        cli.run("synth", log=log)
        cli.run("deploy", log=log)
    kept = log.read_text().splitlines()
    assert sorted(kept) == ["$ cdk deploy", "$ cdk synth", "green", "green", "oops", "oops"]


def failure(fake_cdk: Path, project: Project, *lines: str) -> CdkError:
    fake_cdk.write_text(f"import sys\nprint({chr(10).join(lines)!r})\nsys.exit(1)\n")
    with CdkCli(project, LOCAL) as cli, pytest.raises(CdkError) as caught:
        cli.run("deploy", log=project.home / "log")
    return caught.value


def test_a_failed_stack_is_named_with_what_cloudformation_said(fake_cdk: Path, project: Project) -> None:
    error = failure(
        fake_cdk,
        project,
        "kms-lab-keys: deploying... [1/6]",
        "kms-lab-keys |  1 | 10:34:31 PM | CREATE_FAILED | AWS::KMS::Key | Agreement not authorized to perform: kms:CreateKey",
        "❌  kms-lab-keys failed to deploy",
    )
    assert error.message == "Stack kms-lab-keys failed to deploy"
    assert error.exit_code is ExitCode.DEPLOYMENT
    assert error.excerpt[0].endswith("Agreement not authorized to perform: kms:CreateKey")
    assert error.hint == f"The whole output is in {project.home / 'log'}."


@pytest.mark.parametrize(
    "lines",
    [
        (
            "❌  kms-lab-keys failed: ValidationError: Template format error: "
            "Unrecognized resource types: [AWS::Scheduler::Schedule]",
        ),
        (
            "kms-lab-keys |  1 | 10:34:31 PM | CREATE_FAILED | AWS::KMS::Key | Pq Resource handler returned message: "
            '"KeySpec ML_DSA_65 is not supported in this Region (Service: Kms, Status Code: 400)"',
            "❌  kms-lab-keys failed to deploy",
        ),
    ],
)
def test_a_region_without_a_feature_is_told_as_that(
    fake_cdk: Path, project: Project, lines: tuple[str, ...]
) -> None:
    error = failure(fake_cdk, project, *lines)
    assert error.message.startswith("Stack kms-lab-keys failed")
    assert error.hint.startswith(
        "This Region does not have it: `kmslab down`, then set AWS_REGION to another."
    )


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        (
            "❌  kms-lab-keys failed: ExpiredToken: The security token included in the request is expired",
            "The credentials have expired. Sign in again, then repeat the command. It goes on where it stopped.",
        ),
        (
            "❌  kms-lab-keys failed: SignatureDoesNotMatch: Signature expired: 20261122T111131Z is now earlier",
            "The clock of this machine is wrong",
        ),
    ],
)
def test_what_gave_out_in_the_middle_of_a_deployment_is_told_as_that(
    fake_cdk: Path, project: Project, line: str, hint: str
) -> None:
    error = failure(fake_cdk, project, "kms-lab-keys: deploying... [1/6]", line)
    assert error.message.startswith("Stack kms-lab-keys failed: ")
    assert error.hint.startswith(hint)


def test_another_failure_shows_the_line_that_tells_most(fake_cdk: Path, project: Project) -> None:
    error = failure(fake_cdk, project, "starting", "Error: Cannot find asset at /nowhere", "the end")
    assert error.message == "cdk deploy failed: Error: Cannot find asset at /nowhere"
    assert error.excerpt == ("Error: Cannot find asset at /nowhere",)


def test_a_failure_without_a_word_is_still_one_line(fake_cdk: Path, project: Project) -> None:
    fake_cdk.write_text("import sys\nsys.exit(7)\n")
    with CdkCli(project, LOCAL) as cli, pytest.raises(CdkError, match="cdk synth failed: it said nothing"):
        cli.run("synth", log=project.home / "log")


SLOW = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print(child.pid, flush=True)
time.sleep(600)
"""


def gone(pid: int) -> bool:
    """Whether a process has ended, within 10 s; an orphan that nobody reaps counts as ended."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return True
        if state == "Z":
            return True
        time.sleep(0.02)
    return False


def test_ctrl_c_leaves_no_process_of_the_cli_behind(fake_cdk: Path, project: Project) -> None:
    fake_cdk.write_text(SLOW)
    pids: list[int] = []

    def interrupt(line: str) -> None:
        pids.append(int(line))
        raise KeyboardInterrupt

    with CdkCli(project, LOCAL) as cli, pytest.raises(KeyboardInterrupt):
        cli.run("deploy", log=project.home / "log", on_line=interrupt)
    assert gone(pids[0])


def test_leaving_the_cli_ends_what_another_thread_still_runs(fake_cdk: Path, project: Project) -> None:
    from concurrent.futures import ThreadPoolExecutor
    from threading import Event

    fake_cdk.write_text(SLOW)
    started = Event()
    pids: list[int] = []

    def remember(line: str) -> None:
        pids.append(int(line))
        started.set()

    with ThreadPoolExecutor(1) as pool:
        with CdkCli(project, LOCAL) as cli:
            run = pool.submit(cli.run, "synth", log=project.home / "log", on_line=remember)
            assert started.wait(10)
        with pytest.raises(CdkError):
            run.result(timeout=10)
    assert gone(pids[0])


COMMAND = """
import pathlib, sys
from kmslab import cdk, toolchain
from kmslab.model.target import Target, TargetKind
from kmslab.project import Project
root, script = map(pathlib.Path, sys.argv[1:])
cdk.require_node = lambda: toolchain.Node(pathlib.Path(sys.executable), "24.0.0", ())
cdk.cdk_script = lambda _: script
target = Target(TargetKind.AWS, "eu-west-1")
log = root / ".kmslab" / "log"
cdk.CdkCli(Project(root, log.parent), target).run("synth", log=log, on_line=lambda line: print(line, flush=True))
"""


def test_a_cli_whose_command_was_killed_is_known_until_it_ends(fake_cdk: Path, project: Project) -> None:
    fake_cdk.write_text("import os, time\nprint(os.getpid(), flush=True)\ntime.sleep(600)\n")
    assert not left_running(project.home)
    killed = subprocess.Popen(  # noqa: S603  # our own script
        [sys.executable, "-c", COMMAND, project.root, fake_cdk], stdout=subprocess.PIPE, cwd=ROOT
    )
    with killed:
        assert killed.stdout
        orphan = int(killed.stdout.readline())
        killed.kill()
    assert left_running(project.home)
    os.kill(orphan, signal.SIGKILL)
    assert gone(orphan)
    assert not left_running(project.home)
