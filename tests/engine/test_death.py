"""An engine that is killed loses nothing that it acknowledged, and its lab stays usable whatever its files became."""

from __future__ import annotations

import json
import os
import signal
import stat
import time
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from kmslab.engine import control, journal, saving
from kmslab.engine.s3 import recovery
from kmslab.model.errors import LabError
from tests.engine.conftest import Engine

if TYPE_CHECKING:
    from collections.abc import Iterator

BUCKET = "staging-bucket"
TEMPLATE = json.dumps(
    {"Resources": {"Staging": {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": BUCKET}}}}
)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    home = tmp_path / ".kmslab"
    yield home
    control.stop(home)


def started(home: Path) -> Engine:
    return Engine(home, control.start(home))


def kill(engine: Engine) -> None:
    os.kill(engine.info.pid, signal.SIGKILL)
    while control.status(engine.home):
        pass


def saved(home: Path) -> Path:
    return home / "engine" / "state" / "services.json"


def put_back(home: Path, text: str) -> None:
    """The state of an earlier moment, as from somebody's copy: what was written since is gone."""
    saved(home).write_text(text)
    for _, path in journals(home):
        path.unlink()


def journals(home: Path) -> list[tuple[int, Path]]:
    return journal.files(home / "engine" / "state")


def wait_until_saved(home: Path, *words: str) -> None:
    """Return when the saved state holds these words."""
    deadline = time.monotonic() + 4 * saving.BUSY_SECONDS
    while not (saved(home).exists() and all(word in saved(home).read_text() for word in words)):
        assert time.monotonic() < deadline, f"{words} were never saved"


def deploy(engine: Engine) -> None:
    """A stack with a bucket, as CDK's bootstrap has one."""
    cloudformation = engine.client("cloudformation")
    cloudformation.create_stack(StackName="toolkit", TemplateBody=TEMPLATE)
    cloudformation.get_waiter("stack_create_complete").wait(
        StackName="toolkit", WaiterConfig={"Delay": 1, "MaxAttempts": 10}
    )


def test_what_was_saved_is_there_after_a_kill(home: Path) -> None:
    engine = started(home)
    key = engine.key()
    deploy(engine)
    sse = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key}
    engine.client("s3").put_object(Bucket=BUCKET, Key="a", Body=b"secret", **sse)
    blob = engine.client("kms").encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    wait_until_saved(home, key, "CREATE_COMPLETE", BUCKET)
    kill(engine)
    engine = started(home)
    assert engine.info.recovered
    assert engine.client("kms").decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"
    assert engine.client("s3").get_object(Bucket=BUCKET, Key="a")["Body"].read() == b"secret"
    stack = engine.client("cloudformation").describe_stacks(StackName="toolkit")["Stacks"][0]
    assert stack["StackStatus"] == "CREATE_COMPLETE"
    assert "removed" not in control.log_file(home).read_text()


def test_what_was_not_saved_is_gone_as_a_whole(home: Path) -> None:
    engine = started(home)
    wait_until_saved(home)
    before = saved(home).read_text()
    deploy(engine)
    engine.client("s3").put_object(Bucket=BUCKET, Key="a", Body=b"a")
    kill(engine)
    put_back(home, before)
    engine = started(home)
    assert f"removed, newer than what was saved: bucket {BUCKET}" in control.log_file(home).read_text()
    assert engine.client("s3").list_buckets()["Buckets"] == []
    deploy(engine)
    assert "Contents" not in engine.client("s3").list_objects_v2(Bucket=BUCKET)


def test_a_kill_before_anything_was_saved_leaves_an_empty_lab(home: Path) -> None:
    engine = started(home)
    engine.client("s3").create_bucket(Bucket=BUCKET)
    engine.client("s3").put_object(Bucket=BUCKET, Key="a", Body=b"a")
    kill(engine)
    put_back(home, "")
    saved(home).unlink()
    deploy(started(home))


def test_an_object_under_a_key_that_was_not_saved_is_removed(home: Path) -> None:
    engine = started(home)
    s3 = engine.client("s3")
    s3.create_bucket(Bucket=BUCKET)
    s3.put_object(Bucket=BUCKET, Key="kept", Body=b"kept")
    wait_until_saved(home, BUCKET)
    before = saved(home).read_text()
    s3.put_object(
        Bucket=BUCKET, Key="lost", Body=b"x", ServerSideEncryption="aws:kms", SSEKMSKeyId=engine.key()
    )
    kill(engine)
    put_back(home, before)
    os.utime(saved(home), (time.time() - 1, time.time() - 1))
    s3 = started(home).client("s3")
    assert [one["Key"] for one in s3.list_objects_v2(Bucket=BUCKET)["Contents"]] == ["kept"]
    s3.delete_object(Bucket=BUCKET, Key="kept")
    s3.delete_bucket(Bucket=BUCKET)


def test_a_save_that_was_cut_short_is_ignored(home: Path) -> None:
    engine = started(home)
    key = engine.key()
    wait_until_saved(home, key)
    kill(engine)
    text = saved(home).read_text()
    saved(home).with_name("services.json.new").write_text(text[: len(text) // 2])
    assert started(home).client("kms").describe_key(KeyId=key)["KeyMetadata"]["Enabled"]


def begin_to_wait(engine: Engine) -> None:
    """Begin a deployment that makes a bucket and then waits for longer than any test."""
    waiting = {
        "Resources": {
            "Staging": {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": BUCKET}},
            "Handle": {"Type": "AWS::CloudFormation::WaitConditionHandle"},
            "Wait": {
                "Type": "AWS::CloudFormation::WaitCondition",
                "DependsOn": "Staging",
                "Properties": {"Handle": {"Ref": "Handle"}, "Timeout": "600"},
            },
        }
    }
    engine.client("cloudformation").create_stack(StackName="toolkit", TemplateBody=json.dumps(waiting))
    while not engine.client("s3").list_buckets()["Buckets"]:
        pass


def test_a_stop_does_not_wait_for_a_deployment(home: Path) -> None:
    engine = started(home)
    key = engine.key()
    wait_until_saved(home, key)
    begin_to_wait(engine)
    assert control.stop(home) is True
    again = started(home)
    assert again.info.recovered is False
    assert again.client("kms").describe_key(KeyId=key)["KeyMetadata"]["Enabled"]
    deploy(again)


def test_a_deployment_that_was_cut_short_never_began(home: Path) -> None:
    engine = started(home)
    key = engine.key()
    wait_until_saved(home, key)
    begin_to_wait(engine)
    with pytest.raises(AssertionError, match="never saved"):
        wait_until_saved(home, BUCKET)
    kill(engine)
    engine = started(home)
    with pytest.raises(ClientError, match="does not exist"):
        engine.client("cloudformation").describe_stacks(StackName="toolkit")
    assert engine.client("kms").describe_key(KeyId=key)["KeyMetadata"]["Enabled"]
    deploy(engine)


def test_nothing_is_written_while_idle_or_unchanged(home: Path) -> None:
    engine = started(home)
    key = engine.key()
    wait_until_saved(home, key)
    kms: Any = engine.client("kms")
    time.sleep(
        saving.BUSY_SECONDS
    )  # until the look at what a request may have left in the background is over
    before = saved(home).stat().st_mtime_ns
    kms.describe_key(KeyId=key)
    time.sleep(saving.BUSY_SECONDS)
    assert saved(home).stat().st_mtime_ns == before


def test_nobody_else_may_read_what_is_saved(home: Path) -> None:
    engine = started(home)
    wait_until_saved(home, engine.key())
    control.stop(home)
    for path in (home / "engine" / "state").rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path
    for path in (home / "engine", home / "engine" / "state"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700
    assert stat.S_IMODE((home / "engine" / "state.key").stat().st_mode) == 0o600


def test_a_commit_that_was_cut_short_is_ignored(home: Path) -> None:
    engine = started(home)
    kept = engine.key()
    kill(engine)
    number, last = journals(home)[-1]
    assert number
    with last.open("a") as file:
        file.write('[{"service": "kms", "store": "ke')
    assert started(home).client("kms").describe_key(KeyId=kept)["KeyMetadata"]["Enabled"]


def test_a_damaged_journal_is_named(home: Path) -> None:
    engine = started(home)
    engine.key()
    kill(engine)
    with journals(home)[-1][1].open("a") as file:
        file.write('{"half\n')
    with pytest.raises(LabError, match=r"services\.json is damaged"):
        control.start(home)


def test_a_state_sealed_under_another_secret_is_named(home: Path) -> None:
    engine = started(home)
    engine.key()
    kill(engine)
    (home / "engine" / "state.key").write_bytes(b"x" * 64)
    with pytest.raises(LabError, match=r"services\.json is damaged"):
        control.start(home)


def test_a_damaged_state_is_named(home: Path) -> None:
    started(home)
    control.stop(home)
    saved(home).write_text("{")
    with pytest.raises(LabError, match=r"services\.json is damaged"):
        control.start(home)


def test_halves_of_objects_are_removed_and_old_content_stays(tmp_path: Path) -> None:
    folder = tmp_path / "111111111111" / BUCKET
    folder.mkdir(parents=True)
    whole = ["old", "whole", "whole.meta.json", "marker.meta.json"]
    for name in [*whole, "half", "cut.tmp", "cut.meta.json.tmp"]:
        (folder / name).write_text("{}")
    version = tmp_path / ".versions" / "111111111111" / BUCKET / "v1"
    version.mkdir(parents=True)
    (version / "whole").write_text("older")
    (folder / "whole").write_text("KLS3, and then something else")
    os.utime(folder / "old", (1, 1))
    known = SimpleNamespace(_data={("111111111111", BUCKET): {}})
    removed = recovery.reconcile(tmp_path, {"s3": {"buckets_meta": known}}, time.time())
    assert {Path(name).name for name in removed} == {"half", "cut.tmp", "cut.meta.json.tmp"}
    assert sorted(path.name for path in folder.iterdir()) == sorted(whole)
    assert (version / "whole").exists()
