"""Starting, finding and stopping an engine from another process."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from kmslab.engine import control, identity
from kmslab.model.errors import ExitCode, LabError
from kmslab.model.target import TargetKind
from tests.engine.conftest import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from kmslab.model.target import Target


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    home = tmp_path / ".kmslab"
    yield home
    control.stop(home)


def kms_of(target: Target) -> Any:
    given = target.credentials
    assert given is not None
    session: Any = boto3.Session(
        given.access_key_id, given.secret_access_key, given.session_token, region_name=target.region
    )
    return session.client("kms", endpoint_url=target.endpoint_url, verify=str(target.ca_bundle))


def test_a_lab_survives_a_stop(home: Path) -> None:
    assert control.status(home) is None
    first = control.start(home)
    assert control.status(home) == first
    assert control.start(home) == first
    target = control.target(home)
    assert (target.kind, target.region) == (TargetKind.LOCAL, first.region)
    kms = kms_of(target)
    key = kms.create_key(Tags=[{"TagKey": "a", "TagValue": "b"}])["KeyMetadata"]["Arn"]
    rsa = kms.create_key(KeySpec="RSA_2048", KeyUsage="SIGN_VERIFY")["KeyMetadata"]["Arn"]
    kms.create_alias(AliasName="alias/kept", TargetKeyId=key)
    grant = kms.create_grant(
        KeyId=key, GranteePrincipal=f"arn:aws:iam::{first.account_id}:root", Operations=["Encrypt"]
    )
    blob = kms.encrypt(KeyId=key, Plaintext=b"x", EncryptionContext={"a": "b"})["CiphertextBlob"]
    kms.rotate_key_on_demand(KeyId=key)
    signature = kms.sign(KeyId=rsa, Message=b"m", SigningAlgorithm="RSASSA_PSS_SHA_256")["Signature"]

    assert control.stop(home) is True
    assert control.status(home) is None
    assert control.stop(home) is False
    with pytest.raises(LabError, match="not running"):
        control.target(home)

    second = control.start(home)
    assert (second.account_id, second.region, second.recovered) == (first.account_id, first.region, False)
    kms = kms_of(control.target(home))
    assert kms.decrypt(CiphertextBlob=blob, EncryptionContext={"a": "b"})["Plaintext"] == b"x"
    assert kms.describe_key(KeyId="alias/kept")["KeyMetadata"]["Arn"] == key
    assert kms.list_grants(KeyId=key)["Grants"][0]["GrantId"] == grant["GrantId"]
    assert kms.list_resource_tags(KeyId=key)["Tags"] == [{"TagKey": "a", "TagValue": "b"}]
    verified = kms.verify(KeyId=rsa, Message=b"m", SigningAlgorithm="RSASSA_PSS_SHA_256", Signature=signature)
    assert verified["SignatureValid"]


def test_an_engine_that_died_is_started_again_and_said_so(home: Path) -> None:
    died = control.start(home)
    os.kill(died.pid, signal.SIGKILL)
    while control.status(home):
        pass
    assert (home / "engine" / "ready.json").exists()
    again = control.start(home)
    assert again.recovered
    assert again.pid != died.pid
    assert control.start(home).recovered is False


def test_two_starts_at_once_give_one_engine(home: Path) -> None:
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(lambda _: control.start(home), range(2))
    assert first == second


def test_a_stop_during_a_start_stops_the_engine_that_comes(home: Path) -> None:
    with ThreadPoolExecutor(2) as pool:
        starting = pool.submit(control.start, home)
        while not (home / "engine" / "start.lock").exists():
            pass
        while not control._alive(home / "engine"):
            pass
        assert control.stop(home) is True
        assert starting.result().pid > 0
    assert control.status(home) is None


def begin_and_kill(home: Path, begun: str) -> None:
    """Start an engine, and kill whoever starts it once a file of the engine's is there."""
    start = "import sys, pathlib; from kmslab.engine import control; control.start(pathlib.Path(sys.argv[1]))"
    with subprocess.Popen([sys.executable, "-c", start, str(home)]) as starter:  # noqa: S603  # our own module
        eventually((home / "engine" / begun).exists)
        starter.kill()


@pytest.mark.parametrize("begun", ["engine.log", "root.json"], ids=["before its lock", "before it answers"])
def test_an_engine_whose_starter_is_killed_comes_and_is_found(home: Path, begun: str) -> None:
    begin_and_kill(home, begun)
    info = control.start(home)
    assert control.status(home) == info
    assert "Traceback" not in control.log_file(home).read_text()
    assert control.stop(home) is True


def test_an_engine_whose_starter_is_killed_can_be_stopped(home: Path) -> None:
    begin_and_kill(home, "root.json")
    assert control.stop(home) is True
    assert control.status(home) is None


SLOW_TO_END = """
import pathlib, sys, time
from kmslab.engine import __main__ as engine, server
serve = server.serve
def slowly(*given, **more):
    *given, ended = given
    def once_it_may():
        while not pathlib.Path(sys.argv[2]).exists():
            time.sleep(0.01)
        ended()
    serve(*given, once_it_may, **more)
server.serve = slowly
sys.exit(engine.main(["--home", sys.argv[1]]))
"""
"""An engine that is gone only once a file is there."""


def test_an_engine_that_is_ending_is_not_taken_for_a_running_one(home: Path, tmp_path: Path) -> None:
    """Whoever told it to end may have been killed meanwhile."""
    home.mkdir()
    may_go = tmp_path / "may go"
    with subprocess.Popen([sys.executable, "-c", SLOW_TO_END, str(home), str(may_go)]) as ending:  # noqa: S603  # ours
        try:
            eventually(lambda: control.status(home) is not None, 30)
            ending.terminate()
            eventually(lambda: control.status(home) is None)
            assert ending.poll() is None
            with ThreadPoolExecutor(1) as pool:
                starting = pool.submit(control.start, home)
                assert not starting.done()
                may_go.touch()
                again = starting.result()
        finally:
            may_go.touch()
    assert again.pid != ending.pid
    assert again.recovered is False
    assert kms_of(control.target(home)).list_keys()["Keys"] == []


def test_an_engine_that_does_not_end_is_named(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "START_SECONDS", 0.0)
    monkeypatch.setattr(control, "STOP_SECONDS", 0.0)
    folder = home / "engine"
    folder.mkdir(parents=True)
    (folder / "ready.json").write_text(json.dumps({"pid": 4711, "ending": True}))
    with (folder / "engine.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(LabError, match=r"the engine \(process 4711\) does not stop"):
            control.stop(home)


def test_a_fixed_port_is_used_and_a_taken_one_refused(home: Path, tmp_path: Path) -> None:
    running = control.start(home)
    port = int(running.endpoint_url.rsplit(":", 1)[1])
    with pytest.raises(LabError) as caught:
        control.start(tmp_path / "other", port=port)
    assert caught.value.message == f"port {port} on 127.0.0.1 cannot be used: Address already in use"
    assert caught.value.exit_code is ExitCode.ENGINE
    assert control.status(tmp_path / "other") is None
    control.stop(home)
    assert control.start(home, port=port).endpoint_url == f"https://127.0.0.1:{port}"


def test_a_start_that_fails_shows_the_last_line_of_the_log(home: Path) -> None:
    (home / "engine" / "tls").mkdir(parents=True)
    (home / "engine" / "tls" / "ca.pem").mkdir()
    with pytest.raises(LabError, match="the engine did not start") as caught:
        control.start(home)
    assert "IsADirectoryError" in caught.value.hint
    assert str(control.log_file(home)) in caught.value.hint
    assert control.status(home) is None


def test_a_damaged_identity_is_named(home: Path) -> None:
    (home / "engine").mkdir(parents=True)
    (home / "engine" / "root.json").write_text("{}")
    with pytest.raises(LabError, match=r"root\.json is damaged"):
        control.start(home)


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may write everywhere")
def test_a_read_only_folder_is_one_clear_line(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(LabError, match="cannot be made"):
        control.start(tmp_path / ".kmslab")


def test_a_file_in_the_way_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / ".kmslab").write_text("")
    with pytest.raises(LabError, match="cannot be made"):
        control.start(tmp_path / ".kmslab")


@pytest.mark.skipif(not os.path.exists("/proc/self/environ"), reason="reads Linux's procfs")  # noqa: PTH110  # procfs
def test_the_environment_that_is_given_reaches_the_engine_and_no_other(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "somebody's own")
    monkeypatch.setenv("MINISTACK_ACCOUNT_ID", "123456789012")
    info = control.start(home, environment={"NODE_PATH": "/somewhere", "AWS_REGION": "eu-central-1"})
    with open(f"/proc/{info.pid}/environ", "rb") as file:  # noqa: PTH123  # procfs
        environment = dict(entry.split(b"=", 1) for entry in file.read().split(b"\0") if entry)
    assert environment[b"NODE_PATH"] == b"/somewhere"
    assert b"AWS_SECRET_ACCESS_KEY" not in environment
    assert b"MINISTACK_ACCOUNT_ID" not in environment
    assert info.region == "eu-central-1"
    assert info.account_id != "123456789012"
    control.stop(home)
    assert control.start(home, environment={"AWS_REGION": "us-west-2"}).region == "eu-central-1"


def test_temporary_files_are_the_labs_own_and_go_with_the_next_start(home: Path) -> None:
    left = home / "engine" / "tmp" / "left"
    left.mkdir(parents=True)
    control.start(home)
    assert not left.exists()
    assert left.parent.stat().st_mode & 0o777 == 0o700


def test_each_target_has_fresh_credentials_of_the_administrator_role(home: Path) -> None:
    info = control.start(home)
    first, second = control.target(home).credentials, control.target(home).credentials
    assert first is not None
    assert second is not None
    assert first.access_key_id.startswith("ASIA")
    assert first.access_key_id != second.access_key_id
    root = identity.load(home / "engine")
    assert root.secret_access_key not in repr(root)
    assert root.account_id == info.account_id


def test_a_second_engine_in_the_foreground_is_refused(home: Path) -> None:
    control.start(home)
    done = subprocess.run(  # noqa: S603  # this interpreter and our own module
        [sys.executable, "-m", "kmslab.engine", "--home", str(home)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == ExitCode.ENGINE
    assert done.stderr == "kmslab.engine: this lab's engine is running already\n"


def test_an_interrupt_ends_the_engine_cleanly(home: Path) -> None:
    info = control.start(home)
    kms_of(control.target(home)).create_key()
    os.kill(info.pid, signal.SIGINT)
    while control._alive(home / "engine"):
        pass
    assert not (home / "engine" / "ready.json").exists()
    assert "kms" in json.loads((home / "engine" / "state" / "services.json").read_text())["services"]


def test_help_explains_itself() -> None:
    done = subprocess.run(  # this interpreter and our own module
        [sys.executable, "-m", "kmslab.engine", "--help"], capture_output=True, text=True, check=True
    )
    for words in ("127.0.0.1 only", "--home", "--port", "--hooks", "SIGTERM"):
        assert words in done.stdout


def test_hooks_can_be_listed(tmp_path: Path) -> None:
    done = subprocess.run(  # noqa: S603  # this interpreter and our own module
        [sys.executable, "-m", "kmslab.engine", "--home", str(tmp_path / "h"), "--hooks"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "ministack.services.kms.handle_request  [kmslab.engine.kms.service]" in done.stdout
