"""What a linter or the type checker is told to overlook has its reason beside it."""

from __future__ import annotations

import io
import re
import tokenize
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[1]
FOLDERS = ("stacks", "kmslab", "tests", "benchmarks", "tools")
IGNORE = re.compile(r"# (?:noqa|type: ignore|pragma)\b(?:: |\[)?(?P<codes>[\w, -]*)\]?(?P<reason>.*)")


def unexplained(source: str) -> list[int]:
    """Numbers of the lines that ignore something: no comment follows, and none above names what is ignored."""
    lines = source.splitlines()
    comments = (
        token
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type == tokenize.COMMENT
    )
    return [
        token.start[0]
        for token in comments
        if (ignore := IGNORE.search(token.string))
        and not re.search(r"# \w", ignore["reason"])
        and not _above(lines, token.start[0], ignore["codes"])
    ]


def _above(lines: list[str], number: int, codes: str) -> bool:
    """Whether the comment above a line begins with the codes: ``# S324: S3's own ETag.``"""
    above = lines[number - 2].strip() if number > 1 else ""
    return bool(codes) and re.match(rf"# {re.escape(codes.strip())}: \w", above) is not None


def test_every_ignore_has_its_reason() -> None:
    files = [PROJECT / "app.py", *(file for folder in FOLDERS for file in (PROJECT / folder).rglob("*.py"))]
    wrong = [
        f"{file.relative_to(PROJECT)}:{number}"
        for file in files
        if "node_modules" not in file.parts
        for number in unexplained(file.read_text(encoding="utf-8"))
    ]
    assert wrong == []


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("run()  # noqa: S603\n", [1]),
        ("run()  # noqa\n", [1]),
        ("run()  # type: ignore[attr-defined]\n", [1]),
        ("run()  # noqa: S603, S607\n", [1]),
        ("run()  # noqa: S603  # our own command\n", []),
        ("run()  # type: ignore[attr-defined]  # botocore's\n", []),
        ("# S603: our own command.\nrun()  # noqa: S603\n", []),
        ("# It runs.\nrun()  # noqa: S603\n", [2]),
        ('text = "# noqa: S603"\n', []),
    ],
)
def test_a_reason_is_a_comment_behind_or_one_above_that_names_the_code(source: str, found: list[int]) -> None:
    assert unexplained(source) == found


def test_every_rule_that_is_off_has_its_reason() -> None:
    settings = (PROJECT / "pyproject.toml").read_text(encoding="utf-8").partition("[tool.ruff.lint]")[2]
    rules = [line for line in settings.splitlines() if re.match(r'  "[A-Z]+\d*",', line)]
    assert len(rules) > 10
    assert [line for line in rules if not re.search(r"# \w", line)] == []
