"""Page 17's Tink: its environment is made once, and what KMS is sent carries the lab's encryption context."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from kmslab.guides import tink
from kmslab.guides.examples.tink_envelope import send_with
from kmslab.model.errors import ExitCode, LabError

if TYPE_CHECKING:
    from pathlib import Path


class Pip:
    """In place of making an environment and of pip; counts, and fails if told to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.runs = 0
        self.error = ""
        monkeypatch.setattr("venv.create", lambda home, **_: home.mkdir(parents=True, exist_ok=True))
        monkeypatch.setattr("subprocess.run", self)

    def __call__(self, command: list[Any], **_: Any) -> subprocess.CompletedProcess[str]:
        self.runs += 1
        assert "--require-hashes" in command
        return subprocess.CompletedProcess(command, 1 if self.error else 0, "", self.error)


def test_the_environment_is_made_once_and_again_for_another_list(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pip = Pip(monkeypatch)
    lock = tmp_path / "lock.txt"
    lock.write_text("tink==1.0.0 --hash=sha256:00\n", encoding="utf-8")
    monkeypatch.setattr(tink, "LOCK", lock)
    home = tmp_path / "home"
    assert tink.install(home) == tink.install(home) == home / "bin" / "python"
    assert pip.runs == 1
    lock.write_text("tink==1.0.1 --hash=sha256:00\n", encoding="utf-8")
    tink.install(home)
    assert pip.runs == 2
    assert tink.version() == "1.0.1"


def test_an_installation_that_fails_says_why_and_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pip = Pip(monkeypatch)
    pip.error = "WARNING: slow\nERROR: No matching distribution found for tink\n"
    with pytest.raises(LabError, match="No matching distribution") as caught:
        tink.install(tmp_path / "home")
    assert caught.value.exit_code is ExitCode.TOOLCHAIN
    pip.error = ""
    tink.install(tmp_path / "home")
    assert pip.runs == 2


def test_the_list_locks_tink_and_its_aws_integration() -> None:
    locked = tink.LOCK.read_text(encoding="utf-8")
    assert "tink==" in locked
    assert "boto3==" in locked
    assert all(
        "--hash=sha256:" in entry for entry in locked.replace("\\\n", "").splitlines() if "==" in entry
    )


@pytest.mark.parametrize("context", ["kmslab=training", ""])
def test_requests_carry_the_context_that_was_asked_for(context: str) -> None:
    kms = boto3.client("kms", region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b")
    sent: list[dict[str, Any]] = []

    def catch(request: Any, **_: Any) -> None:
        sent.append(json.loads(request.body))
        raise InterruptedError

    kms.meta.events.register("before-send.kms", catch)
    if context:
        send_with(kms, context)
    for call in (
        lambda: kms.encrypt(KeyId="k", Plaintext=b"p", EncryptionContext={}),
        lambda: kms.decrypt(KeyId="k", CiphertextBlob=b"c", EncryptionContext={}),
    ):
        with pytest.raises(InterruptedError):
            call()
    wanted = {"kmslab": "training"} if context else {}
    assert [request["EncryptionContext"] for request in sent] == [wanted, wanted]
