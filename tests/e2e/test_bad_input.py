"""What goes wrong in the real thing: one clear line, the documented exit code, and a lab that stays usable."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from kmslab.engine import control, saving
from kmslab.model.errors import ExitCode
from tests.conftest import KMSLAB, ROOT, DeployedLab, run_kmslab

if TYPE_CHECKING:
    from collections.abc import Iterator

NOBODY = {
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_REGION": "eu-central-1",
}
"""A machine with a Region and no credentials."""


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """The home of a lab that is not deployed; its engine, if any, is stopped afterwards."""
    folder = tmp_path / "home"
    yield folder
    run_kmslab(folder, "engine", "stop")


def one_line(result: subprocess.CompletedProcess[str], code: ExitCode) -> str:
    """The line after `error:`; a second one may say what to do, and no more."""
    assert result.returncode == code, result.stderr
    lines = result.stderr.strip().splitlines()
    errors = [line for line in lines if line.startswith("error: ")]
    assert len(errors) == 1, result.stderr
    assert len(lines) - lines.index(errors[0]) <= 2, result.stderr
    assert "Traceback" not in result.stdout + result.stderr
    return errors[0].removeprefix("error: ")


def kill(home: Path) -> None:
    """End the lab's engine as `kill -9` does."""
    info = control.status(home)
    assert info is not None
    os.kill(info.pid, signal.SIGKILL)
    deadline = time.monotonic() + 10
    while control.status(home) is not None:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_port_in_use(home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        refused = run_kmslab(home, "engine", "start", "--port", str(port))
    assert str(port) in one_line(refused, ExitCode.ENGINE)
    assert run_kmslab(home, "engine", "start").returncode == ExitCode.OK


def test_a_second_engine_for_the_same_lab_is_the_first_one(home: Path) -> None:
    first = run_kmslab(home, "engine", "start")
    second = run_kmslab(home, "engine", "start")
    assert first.returncode == second.returncode == ExitCode.OK
    assert first.stdout == second.stdout


def test_an_engine_that_died_is_noticed_and_started_again(home: Path) -> None:
    assert run_kmslab(home, "engine", "start").returncode == ExitCode.OK
    info = control.status(home)
    assert info is not None
    kill(home)
    assert one_line(run_kmslab(home, "verify"), ExitCode.ENGINE) == "The local engine is not running."
    again = run_kmslab(home, "engine", "start")
    assert again.returncode == ExitCode.OK, again.stderr
    assert f"process {info.pid}," not in again.stdout
    assert one_line(run_kmslab(home, "verify"), ExitCode.TARGET).startswith(
        "Stack kms-lab-keys is not deployed"
    )


def test_a_lab_whose_engine_died_twice_is_whole_again(home: Path) -> None:
    environment = {**os.environ, "KMSLAB_HOME": str(home), "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(  # noqa: S603  # our own script
        [KMSLAB, "up"], cwd=ROOT, env=environment, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as up:
        assert up.stderr is not None
        for line in up.stderr:
            if "kms-lab-keys: deployed" in line:
                break
        kill(home)
        up.communicate(timeout=120)
    assert up.returncode == ExitCode.DEPLOYMENT
    again = run_kmslab(home, "up")
    assert again.returncode == ExitCode.OK, again.stderr
    assert "engine: had died" in again.stderr
    time.sleep(2 * saving.BUSY_SECONDS)  # what the engine promises to have saved
    kill(home)
    once_more = run_kmslab(home, "up")
    assert once_more.returncode == ExitCode.OK, once_more.stderr
    assert "nothing had changed" in once_more.stdout
    verified = run_kmslab(home, "verify")
    assert verified.returncode == ExitCode.OK, verified.stdout


def test_a_lab_that_is_not_deployed(home: Path) -> None:
    assert run_kmslab(home, "engine", "start").returncode == ExitCode.OK
    line = one_line(run_kmslab(home, "verify"), ExitCode.TARGET)
    assert line == "Stack kms-lab-keys is not deployed in us-east-1."
    assert one_line(run_kmslab(home, "env", "--persona", "signer"), ExitCode.TARGET).startswith(
        "Not permitted: "
    )


def test_the_wrong_setting_of_a_plain_cdk_command(tmp_path: Path) -> None:
    from kmslab.toolchain import require_node

    node = require_node().executable
    cdk = [
        str(node),
        str(ROOT / "node_modules" / "aws-cdk" / "bin" / "cdk"),
        "synth",
        "--quiet",
        "--no-notices",
        # Not into the checkout's own cdk.out: the CLI lets one process at a time write there.
        *("--output", str(tmp_path / "cdk.out")),
    ]
    environment = {
        **os.environ,
        "PATH": os.pathsep.join((str(KMSLAB.parent), str(node.parent), os.environ["PATH"])),
    }
    refused = subprocess.run(  # noqa: S603  # the CDK CLI of this checkout
        [*cdk, "-c", "kmslab.pending_window_days=3"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert refused.returncode != 0
    assert (
        'kmslab.pending_window_days is "3", but must be a whole number of days from 7 to 30' in refused.stderr
    )
    assert "Traceback" not in refused.stderr


def test_no_credentials_for_aws(home: Path) -> None:
    for command in ("verify", "up", "down", "status"):
        line = one_line(run_kmslab(home, command, "--target", "aws", environment=NOBODY), ExitCode.TARGET)
        assert line == "No usable AWS credentials: Unable to locate credentials."


def test_an_endpoint_that_does_not_answer(home: Path) -> None:
    keys = {"AWS_ACCESS_KEY_ID": "AKIAEXAMPLE", "AWS_SECRET_ACCESS_KEY": "example"}
    refused = run_kmslab(home, "verify", "--endpoint-url", "https://127.0.0.1:1", environment=NOBODY | keys)
    assert one_line(refused, ExitCode.TARGET).startswith("The target does not answer: Could not connect")


def test_credentials_that_the_target_does_not_know(deployed_lab: DeployedLab) -> None:
    refused = run_kmslab(
        deployed_lab.home,
        *("verify", "--endpoint-url", deployed_lab.environment["AWS_ENDPOINT_URL"]),
        environment=NOBODY
        | {
            "AWS_ACCESS_KEY_ID": "ASIAEXPIREDEXAMPLE00",
            "AWS_SECRET_ACCESS_KEY": "example",
            "AWS_SESSION_TOKEN": "expired",
            "AWS_CA_BUNDLE": deployed_lab.environment["AWS_CA_BUNDLE"],
        },
    )
    line = one_line(refused, ExitCode.TARGET)
    assert line in {
        "The credentials have expired.",
        "No usable AWS credentials: they are not accepted (InvalidClientTokenId).",
    }


def test_the_callers_own_aws_configuration_does_not_disturb_the_local_lab(deployed_lab: DeployedLab) -> None:
    disturbing = {
        "AWS_PROFILE": "does-not-exist",
        "AWS_ENDPOINT_URL": "https://127.0.0.1:1",
        "AWS_CA_BUNDLE": "/does/not/exist",
        "HTTPS_PROXY": "http://127.0.0.1:1",
    }
    status = run_kmslab(deployed_lab.home, "status", environment=disturbing)
    assert status.returncode == ExitCode.OK, status.stderr


def test_another_command_holds_the_lab(deployed_lab: DeployedLab) -> None:
    import fcntl

    with (deployed_lab.home / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        refused = deployed_lab.kmslab("up")
    assert one_line(refused, ExitCode.DEPLOYMENT) == "Another kmslab command is working on this lab."


@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize("moment", ["engine: starting", "synthesis: app.py", "CDKToolkit: cdk bootstrap"])
def test_ctrl_c_while_the_lab_comes_up(home: Path, moment: str) -> None:
    environment = {**os.environ, "KMSLAB_HOME": str(home), "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(  # noqa: S603  # our own script
        [KMSLAB, "up"], cwd=ROOT, env=environment, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as up:
        assert up.stderr is not None
        said = ""
        for line in up.stderr:
            said += line
            if moment in line:
                up.send_signal(signal.SIGINT)
                break
        rest = up.communicate(timeout=60)[1]
    assert up.returncode == ExitCode.INTERRUPTED, said + rest
    assert "Interrupted; the lab is usable." in rest
    running = control.status(home) is not None
    assert ("The engine keeps running; `kmslab engine stop` stops it." in rest) == running
    assert running or moment == "engine: starting"
    assert "Traceback" not in rest
    assert left_running(home) == []
    assert run_kmslab(home, "engine", "start").returncode == ExitCode.OK


@pytest.mark.usefixtures("interruptible")
def test_ctrl_c_while_the_lab_is_verified(deployed_lab: DeployedLab) -> None:
    environment = {**os.environ, "KMSLAB_HOME": str(deployed_lab.home)}
    with subprocess.Popen(  # noqa: S603  # our own script
        [KMSLAB, "verify"],
        cwd=ROOT,
        env=environment,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as verify:
        deadline = time.monotonic() + 30
        while not held(deployed_lab.home / "lock"):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        verify.send_signal(signal.SIGINT)
        said = verify.communicate(timeout=60)[1]
    assert verify.returncode == ExitCode.INTERRUPTED, said
    assert "Interrupted; the lab is usable." in said
    assert "Traceback" not in said
    again = deployed_lab.kmslab("verify", "--only", "keys", "--only", "s3")
    assert again.returncode == ExitCode.OK, again.stdout


def held(lock: Path) -> bool:
    """Whether a command is working on the lab."""
    import fcntl

    with lock.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def left_running(home: Path) -> list[str]:
    """Command lines of processes that know this home, beside its engine: what Ctrl-C should have ended."""
    deadline = time.monotonic() + 10
    while True:
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                environment = (process / "environ").read_bytes().decode(errors="replace")
                command = (process / "cmdline").read_bytes().decode(errors="replace").replace("\0", " ")
            except (FileNotFoundError, ProcessLookupError, PermissionError):
                continue
            if (
                str(home) in environment + command
                and not re.search(r"-m kmslab\.engine ", command)
                and command
            ):
                found.append(command)
        if not found or time.monotonic() > deadline:
            return found
        time.sleep(0.1)
