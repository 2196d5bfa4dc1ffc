"""What the interruptions are judged by: a thing that is lost, left or changed is seen, whoever's it is."""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING, Any

import pytest

from benchmarks import killing
from benchmarks.interruptions import VARIATIONS, changed_by
from benchmarks.killing import ALONE, CHANGES, CHILDREN, RUN, WORK, Killer, Moment, processes
from benchmarks.whole_account import differences, look, shape
from kmslab.engine import control
from kmslab.faults import REGISTRY
from kmslab.lab import Access
from kmslab.model.persona import Persona
from kmslab.project import Project
from kmslab.targets import owner_access
from tests.engine.conftest import engine_in

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

COMMAND = f"""\
#!{sys.executable}
import itertools, os, pathlib, signal, subprocess, sys, time
print("begun")
if sys.argv[1] == "ends":
    sys.exit(7)
home = pathlib.Path(os.environ["KMSLAB_HOME"])
subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()", home])
(home / "lock").touch()
if sys.argv[1] == "changes":
    for number in itertools.count():
        (home / "engine" / "state" / "journal-1").write_text("." * number)
        time.sleep(0.05)
signal.pause()
"""


@pytest.fixture(scope="module")
def owner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Access]:
    with engine_in(tmp_path_factory.mktemp("whole-account")) as engine:
        home = engine.home
        access = owner_access(Project(home.parent, home), Access(control.target(home), "killed"))
        assert access is not None
        yield access


@pytest.mark.parametrize(
    ("fault", "excused"),
    [
        ("secrets.the-secure-string-is-plain", "changed: ssm:value /killed/secure-string"),
        ("secrets.the-secret-is-under-the-managed-key", "changed: secretsmanager:versions arn:aws:x"),
    ],
)
def test_a_fault_excuses_what_it_changes_for_good_and_nothing_lost(fault: str, excused: str) -> None:
    meant = changed_by(REGISTRY[fault])
    assert excused.startswith(meant)
    assert not excused.replace("changed", "lost").startswith(meant)
    assert not "changed: ssm:value /killed/other".startswith(meant)
    assert changed_by(REGISTRY["keys.the-app-key-is-disabled"]) == ()


def kinds(lines: list[str]) -> set[str]:
    return {line.partition(" ")[0] + " " + line.split()[1] for line in lines}


def test_what_nobody_tagged_is_seen_when_it_comes_changes_and_goes(owner: Access) -> None:
    def client(service: str) -> Any:
        return owner.client(Persona.OPERATOR, service)

    kms, s3, ssm, secrets, ec2 = (client(name) for name in ("kms", "s3", "ssm", "secretsmanager", "ec2"))
    kms.create_key(Description="nobody touches it")
    empty = look(owner)
    key = kms.create_key()["KeyMetadata"]["Arn"]
    kms.create_alias(AliasName="alias/stray", TargetKeyId=key)
    kms.create_grant(KeyId=key, GranteePrincipal=owner.caller["Arn"], Operations=["Decrypt"])
    s3.create_bucket(Bucket="stray-bucket")
    s3.put_bucket_versioning(Bucket="stray-bucket", VersioningConfiguration={"Status": "Enabled"})
    s3.put_object(Bucket="stray-bucket", Key="stray", Body=b"1")
    s3.create_multipart_upload(Bucket="stray-bucket", Key="half")
    ssm.put_parameter(Name="/stray", Value="1", Type="String")
    secret = secrets.create_secret(Name="stray", SecretString="1")["ARN"]
    volume = ec2.create_volume(AvailabilityZone="us-east-1a", Size=1)["VolumeId"]
    full = look(owner)
    assert kinds(differences(empty, full)) >= {
        "left: kms:key",
        "left: kms:alias",
        "left: kms:grant",
        "left: s3",
        "left: s3:object",
        "left: s3:upload",
        "left: ssm:parameter",
        "left: secretsmanager:secret",
        "left: ec2:volume",
    }
    kms.disable_key(KeyId=key)
    s3.put_object(Bucket="stray-bucket", Key="stray", Body=b"2")
    ssm.put_parameter(Name="/stray", Value="2", Type="String", Overwrite=True)
    secrets.put_secret_value(SecretId=secret, SecretString="2")
    ec2.delete_volume(VolumeId=volume)
    ec2.enable_ebs_encryption_by_default()
    assert kinds(differences(full, look(owner))) == {
        "changed: kms:key",
        "left: s3:object",
        "changed: ssm:value",
        "changed: secretsmanager:versions",
        "lost: ec2:volume",
        "changed: ec2:settings",
    }


def test_what_waits_for_its_deletion_is_gone(owner: Access) -> None:
    before = look(owner)
    kms = owner.client(Persona.OPERATOR, "kms")
    key = kms.create_key()["KeyMetadata"]["Arn"]
    kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    assert differences(before, look(owner)) == []


def test_two_deployments_of_one_lab_have_one_shape() -> None:
    assert differences(shape(["s3 a", "s3 b", "sns a"]), shape(["sns c", "s3 d", "s3 e"])) == []
    assert differences(shape(["s3 a", "sns a"]), shape(["s3 a", "s3 b", "sqs a"])) == [
        "lost: sns",
        "left: sqs",
        "changed: s3",
    ]


def test_every_command_is_killed_in_every_state_of_the_lab_in_which_it_does_something() -> None:
    assert {command for command, stands in VARIATIONS if stands} == {
        "up",
        "verify",
        "break",
        "repair",
        "down",
    }
    assert {command for command, stands in VARIATIONS if not stands} == {"up"}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The home of a `kmslab` that works for a day, with a child of its own."""
    command = tmp_path / "kmslab"
    command.write_text(COMMAND)
    command.chmod(0o700)
    monkeypatch.setattr(killing, "KMSLAB", str(command))
    folder = tmp_path / "home"
    folder.mkdir()
    yield folder
    for pid in running(folder):
        os.kill(pid, signal.SIGKILL)


def running(home: Path) -> list[int]:
    return [pid for pid, line in processes() if str(home) in line]


@pytest.mark.parametrize(("victims", "left"), [(ALONE, 1), (CHILDREN, 0)])
def test_the_command_is_killed_alone_or_with_its_children(home: Path, victims: str, left: int) -> None:
    ended = Killer(home).run(["up"], Moment(0.1, WORK, victims))
    assert ended.code is None
    assert ended.seconds >= ended.until_work + 0.1
    assert len(running(home)) == left


def test_a_command_is_killed_between_two_changes(home: Path) -> None:
    state = home / "engine" / "state"
    state.mkdir(parents=True)
    (state / "journal-1").write_text("of another command")
    ended = Killer(home).run(["changes"], Moment(3, CHANGES, ALONE))
    assert (ended.code, ended.changes) == (None, 3)


def test_a_command_that_ends_before_its_moment_has_ended(home: Path) -> None:
    ended = Killer(home).run(["ends"], Moment(3600.0, RUN, ALONE))
    assert (ended.code, ended.said) == (7, "begun")
