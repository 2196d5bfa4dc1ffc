from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from kmslab.guides.__main__ import main
from kmslab.guides.includes import TEMPLATES, refresh, stale
from kmslab.guides.page import PageError, read

if TYPE_CHECKING:
    from pathlib import Path

SOURCE = '''"""A module."""

KINDS = ("a",)


class Stack:
    """A stack."""

    @property
    def name(self) -> str:
        return "x"

    def build(self) -> None:
        data = make(
            "Data",
        )
        self.key = data
'''
KEY = {
    "Properties": {
        "KeyPolicy": {
            "Statement": [
                {
                    "Sid": "Use",
                    "Principal": {"AWS": {"Fn::Join": ["", ["arn:", {"Ref": "AWS::Partition"}, ":root"]]}},
                },
                {
                    "Sid": "Look",
                    "Resource": {"Fn::ImportValue": "lab-keys:ExportsOutputFnGetAttS3Arn0A1B2C3D"},
                },
                {"Sid": "Keep", "Resource": {"Fn::GetAtt": ["Logs", "Arn"]}},
            ]
        }
    }
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "stacks").mkdir()
    (tmp_path / "stacks" / "one.py").write_text(SOURCE)
    templates = tmp_path / TEMPLATES
    templates.mkdir(parents=True)
    (templates / "test_template[keys].json").write_text(
        json.dumps({"Resources": {"AppPolicy0A1B2C3D": KEY, "Plain": {"Properties": {}}}})
    )
    (templates / "test_template_with_every_option[net].json").write_text(
        json.dumps({"Resources": {"App": KEY}})
    )
    return tmp_path


def page(root: Path, comment: str, language: str = "python") -> Path:
    path = root / "07-page.md"
    path.write_text(f"# P\n\nBefore.\n\n<!-- {comment} -->\n```{language}\nold\nlines\n```\n\nAfter.\n")
    return path


def included(root: Path, comment: str, language: str = "python") -> str:
    path = page(root, comment, language)
    assert stale(path, root) == [f"{path}:7: {comment.partition(': ')[2]}"]
    assert refresh(path, root)
    assert not refresh(path, root)
    assert stale(path, root) == []
    text = path.read_text()
    assert text.startswith("# P\n\nBefore.\n\n<!-- ")
    assert text.endswith("\n```\n\nAfter.\n")
    return read(path).includes[0].text


@pytest.mark.parametrize(
    ("place", "text"),
    [
        ("stacks/one.py Stack.name", '@property\ndef name(self) -> str:\n    return "x"'),
        ("stacks/one.py Stack.build data", 'data = make(\n    "Data",\n)'),
        ("stacks/one.py Stack self.key", "self.key = data"),
        ("stacks/one.py KINDS", 'KINDS = ("a",)'),
        ("stacks/one.py", SOURCE.strip("\n")),
    ],
)
def test_code_is_included_as_it_is_written(root: Path, place: str, text: str) -> None:
    assert included(root, f"include: {place}") == text


def test_a_statement_is_included_as_a_reader_would_write_it(root: Path) -> None:
    text = included(root, "policy: keys AppPolicy Use", "json")
    assert json.loads(text) == {"Sid": "Use", "Principal": {"AWS": "arn:${AWS::Partition}:root"}}
    assert '\n  "Sid": "Use",\n' in text


def test_an_empty_fence_is_filled(root: Path) -> None:
    path = root / "07-page.md"
    path.write_text("# P\n\n<!-- include: stacks/one.py KINDS -->\n```python\n```\n\nAfter.\n")
    assert refresh(path, root)
    assert path.read_text().endswith('\n```python\nKINDS = ("a",)\n```\n\nAfter.\n')


def test_statements_and_whole_policies_are_included(root: Path) -> None:
    some = json.loads(included(root, "policy: net App Look Keep", "json"))
    assert some == [{"Sid": "Look", "Resource": "${S3.Arn}"}, {"Sid": "Keep", "Resource": "${Logs.Arn}"}]
    whole = json.loads(included(root, "policy: net App", "json"))
    assert [statement["Sid"] for statement in whole["Statement"]] == ["Use", "Look", "Keep"]


@pytest.mark.parametrize(
    ("comment", "what"),
    [
        ("include: stacks/none.py", "No such file"),
        ("include: stacks/one.py Stack.none", "there is no none"),
        ("include: stacks/one.py Stack.build none", "nothing in it makes none"),
        ("include: a b c d", "positional arguments"),
        ("policy: keys None", "no template of the stack keys has a resource None"),
        ("policy: keys Plain", "the resource has no policy"),
        ("policy: keys AppPolicy None", "no statement None; it has Use, Look, Keep"),
    ],
)
def test_what_is_not_there_is_told_with_its_place(root: Path, comment: str, what: str) -> None:
    path = page(root, comment)
    with pytest.raises(PageError) as told:
        stale(path, root)
    assert str(told.value).startswith(f"{path}:7: {comment}: ")
    assert what in str(told.value)


def test_authors_refresh_the_includes_of_pages(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(root)
    path = page(root, "include: stacks/one.py KINDS")
    assert main(["--include", str(path)]) == 0
    assert "fresh again" in capsys.readouterr().out
    assert stale(path, root) == []
    assert main(["--include", str(page(root, "include: stacks/none.py"))]) == 2
