"""`kmslab engine at-rest` names the file, the key and the context, and shows ciphertext."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from kmslab.cli import app
from kmslab.engine.s3.sealed import RootKey, build
from kmslab.model.errors import ExitCode

if TYPE_CHECKING:
    from pathlib import Path

    from kmslab.project import Project

PLAINTEXT = b"nobody sees this"


@pytest.fixture
def stored(project: Project, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An object under SSE-S3, as the engine leaves it on the disk."""
    monkeypatch.chdir(project.root)
    monkeypatch.delenv("KMSLAB_HOME", raising=False)
    file = project.home / "engine" / "s3" / "111122223333" / "bucket" / "folder" / "object"
    file.parent.mkdir(parents=True)
    name = "bucket/folder/object"
    file.write_bytes(build(RootKey.of(project.home / "engine").generate(name), PLAINTEXT, name))
    sidecar = {"key": "folder/object", "preserved_headers": {"x-amz-server-side-encryption": "AES256"}}
    file.with_name("object.meta.json").write_text(json.dumps(sidecar))
    return file


def run(*arguments: str) -> Any:
    return CliRunner(env={"COLUMNS": "200"}).invoke(app, ["engine", "at-rest", *arguments])


def test_an_objects_file_is_shown_as_it_is(stored: Path) -> None:
    result = run("s3://bucket/folder/object")
    assert result.exit_code == ExitCode.OK
    lines = result.stdout.splitlines()
    content = stored.read_bytes()
    assert lines[:4] == [
        "object s3://bucket/folder/object",
        f"  stored in   {stored}",
        "  encryption  SSE-S3",
        "  key         the lab's S3 key, in the file s3.key",
    ]
    assert lines[4].startswith("  data key    encrypted, 63 bytes: ")
    assert lines[5] == f"  content     {len(content)} bytes, the first {len(content)}:"
    assert lines[6].startswith("  00000000  4b 4c 53 33 00 3f 53 33 52 ")
    shown = bytes.fromhex("".join(line[12:60] for line in lines[6:]))
    assert shown == content
    assert PLAINTEXT not in shown


def test_what_is_not_there_is_bad_input(stored: Path) -> None:
    result = run("s3://bucket/another")
    assert stored.exists()
    assert result.exit_code == ExitCode.BAD_INPUT
    assert result.stderr.startswith("error: the engine has stored nothing for s3://bucket/another")
