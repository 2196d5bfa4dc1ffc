from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from kmslab.commands import env
from kmslab.model.persona import Persona
from kmslab.model.target import Credentials, Target, TargetKind
from tests.checks.fakes import ACCOUNT, FakeAccess, World
from tests.conftest import exported

if TYPE_CHECKING:
    from kmslab.project import Project

TARGET = Target(
    TargetKind.LOCAL,
    "eu-central-1",
    "https://127.0.0.1:4566",
    None,
    Path("/a folder/with 'quotes'/ca.pem"),
    Credentials("ASIAOPERATOR", "secret/+=", "token"),
)


@pytest.fixture(autouse=True)
def local_lab(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(env, "find_project", lambda: project)
    monkeypatch.setattr(env, "choose_target", lambda *_: TARGET)
    monkeypatch.delenv("AWS_PROFILE", raising=False)


def test_a_shell_reads_back_every_value(capsys: pytest.CaptureFixture[str]) -> None:
    env.run(Persona.OPERATOR)
    lines = capsys.readouterr().out
    assert all(line.startswith("export ") for line in lines.splitlines())
    shell = subprocess.run(  # noqa: S603  # the lines under test
        [
            "/bin/sh",
            "-c",
            f'{lines}\nprintf "%s|%s|%s" "$AWS_CA_BUNDLE" "$AWS_SECRET_ACCESS_KEY" "$AWS_SESSION_TOKEN"',
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert shell.stdout == "/a folder/with 'quotes'/ca.pem|secret/+=|token"
    assert exported(lines)["AWS_ENDPOINT_URL"] == "https://127.0.0.1:4566"


def test_a_profile_that_would_win_is_unset(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "sandbox")
    env.run(Persona.OPERATOR)
    assert capsys.readouterr().out.startswith("unset AWS_PROFILE\nexport ")


def test_a_persona_has_its_own_credentials(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    world = World().answers(
        "sts:AssumeRole",
        {
            "Credentials": {
                "AccessKeyId": "ASIAOWNER",
                "SecretAccessKey": "owners",
                "SessionToken": "owners-token",
                "Expiration": "2026-11-21T23:00:00Z",
            }
        },
    )
    monkeypatch.setattr("kmslab.lab.Access", lambda *_: FakeAccess(world))
    env.run(Persona.DATA_OWNER)
    variables = exported(capsys.readouterr().out)
    assert variables["AWS_ACCESS_KEY_ID"] == "ASIAOWNER"
    assert variables["AWS_SECRET_ACCESS_KEY"] == "owners"
    assert variables["AWS_SESSION_TOKEN"] == "owners-token"
    (request,) = world.asked("sts:AssumeRole")
    assert request["RoleArn"] == f"arn:aws:iam::{ACCOUNT}:role/kms-lab-data-owner"
