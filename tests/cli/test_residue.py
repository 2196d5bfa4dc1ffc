"""`kmslab residue`: what it prints and how it ends."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from kmslab.cli import app
from kmslab.commands import residue as command
from kmslab.model.errors import ExitCode
from kmslab.model.target import Target
from kmslab.residue.model import Found, Residue, State, Why
from tests.checks.fakes import ACCOUNT, REGION, FakeAccess, World

if TYPE_CHECKING:
    from kmslab.project import Project

KEY = Found("kms:key", "arn:key/1", (Why.TAG, Why.STACK), State.GOING, "2026-11-29T08:00:00Z", "cloudtrail")
OF_A_CHECK = Found(
    "kms:key", "arn:key/2", (Why.TAG,), State.GOING, "2026-11-30T08:00:00Z", "kms", temporary=True
)
SECRET = Found("secretsmanager:secret", "arn:aws:x:secret:a", (Why.STACK,), State.LEFT)
HIDDEN = Found("kms:key", "arn:key/3", (Why.TAG,), State.UNSEEN, note="nobody may look")
STANDING = Found("s3", "arn:aws:s3:::data", (Why.STACK,), State.STANDS)


@pytest.fixture
def found(project: Project, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What the look finds: things, and lines about what it could not look at."""
    told: list[Any] = [(), ()]

    def look(access: FakeAccess, **_: object) -> Residue:
        return Residue(access.prefix, ACCOUNT, REGION, "2026-11-22T08:00:00Z", told[0], told[1], ("kms",))

    monkeypatch.chdir(project.root)
    monkeypatch.delenv("KMSLAB_HOME", raising=False)
    monkeypatch.setattr(command, "choose_target", lambda _, kind: Target(kind, REGION))
    monkeypatch.setattr(command, "Access", lambda *_: FakeAccess(World()))
    monkeypatch.setattr(command, "read_residue", look)
    return told


def run(*arguments: str) -> Any:
    return CliRunner(env={"COLUMNS": "200"}).invoke(app, ["residue", *arguments])


WHERE = f"(kms-lab in account {ACCOUNT}, {REGION}, 2026-11-22T08:00:00Z)"


@pytest.mark.usefixtures("found")
def test_nothing_is_left() -> None:
    result = run()
    assert (result.exit_code, result.stdout) == (ExitCode.OK, f"Nothing is left {WHERE}\n")


def test_keys_in_their_window_are_named_with_their_date_and_who_says_so(found: list[Any]) -> None:
    found[0] = (KEY, OF_A_CHECK)
    result = run()
    assert result.exit_code == ExitCode.OK
    assert result.stdout.splitlines() == [
        " going     kms:key  arn:key/1  by tag and stack; until 2026-11-29T08:00:00Z, says the trail",
        " going     kms:key  1 that checks made for themselves  the last until 2026-11-30T08:00:00Z",
        f"Nothing is left but 2 keys in the deletion window, at no cost {WHERE}",
    ]


@pytest.mark.parametrize(
    ("things", "unseen", "line"),
    [
        ((SECRET,), (), "Not proven empty: 1 left"),
        ((STANDING,), (), "Not proven empty: 1 of stacks that stand"),
        ((HIDDEN,), (), "Not proven empty: 1 of which nobody tells"),
        ((), ("sns: AccessDenied",), "Not proven empty: 1 look that failed"),
        ((SECRET, KEY), (), "Not proven empty: 1 left, 1 key in the deletion window"),
    ],
)
def test_anything_else_is_not_proven_empty(found: list[Any], things: Any, unseen: Any, line: str) -> None:
    found[:] = [things, unseen]
    result = run()
    assert result.exit_code == ExitCode.NOT_PROVEN
    assert result.stdout.splitlines()[-1].startswith(line)
    for one in (*things, *unseen):
        assert (one if isinstance(one, str) else one.id) in result.stdout


def test_json_has_everything(found: list[Any]) -> None:
    found[:] = [(KEY, OF_A_CHECK, SECRET), ("sns: AccessDenied",)]
    result = run("--format", "json")
    assert result.exit_code == ExitCode.NOT_PROVEN
    told = json.loads(result.stdout)
    assert (told["schema_version"], told["clean"], told["unseen"]) == (1, False, ["sns: AccessDenied"])
    assert told["things"][0] == {
        "kind": "kms:key",
        "id": "arn:key/1",
        "why": ["tag", "stack"],
        "state": "going",
        "until": "2026-11-29T08:00:00Z",
        "said_by": "cloudtrail",
        "note": "",
        "temporary": False,
    }
    assert len(told["things"]) == 3


def test_a_target_that_does_not_answer_is_one_line(found: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    del found
    world = World().refuses("cloudformation:ListStacks", code="ExpiredToken")
    from kmslab.residue.proof import read_residue

    monkeypatch.setattr(command, "read_residue", lambda _, **__: read_residue(FakeAccess(world)))
    result = run()
    assert result.exit_code == ExitCode.TARGET
    assert result.stderr.splitlines()[-2].startswith("error: The credentials have expired.")
