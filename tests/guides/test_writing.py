"""How the course is written: spelling, Markdown that GitHub and the site read alike, and sentences that are short."""

from __future__ import annotations

import re
import statistics
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
PATHS = sorted((ROOT / "lab_guides").glob("*.md"))
NAMES = [path.stem for path in PATHS]
HAND_WRITTEN = [path for path in PATHS if path.stem != "B-checks"]
"""Page B is generated: its sentences are the catalogue's."""

LONGEST_MEAN = 15
"""Words a sentence, on the mean of a page: what plain-language guides ask for, and half again above today's pages."""
LONG = 25
"""Words: above this GOV.UK's guide calls a sentence hard to read, and asks to split it."""
MOST_LONG = 0.1


def prose(text: str) -> list[str]:
    """The sentences of a page: no fences, tables, headings, sources or addresses; code is one word."""
    text = re.sub(r"^```.*?^```$|<!--.*?-->", "", text, flags=re.MULTILINE | re.DOTALL)
    text = text.partition("\n## Sources\n")[0]
    text = re.sub(r"^(?:#|\||<|!\[).*$", "", text, flags=re.MULTILINE)
    text = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", re.sub(r"`[^`\n]*`", "code", text))
    blocks = re.split(r"\n\s*\n|\n(?=\s*(?:[-*]|\d+\.|>) )", text)
    plain = (
        " ".join(re.sub(r"^\s*(?:[-*]|\d+\.|>) |\*+|^> ?", "", block, flags=re.MULTILINE).split())
        for block in blocks
    )
    return [
        sentence for block in plain for sentence in re.split(r"(?<=[.!?])[*\")]* +", block) if words(sentence)
    ]


def words(sentence: str) -> int:
    return len(re.findall(r"[A-Za-z0-9][\w'.,-]*", sentence))


@pytest.mark.parametrize("path", HAND_WRITTEN, ids=lambda path: path.stem)
def test_sentences_are_short(path: Path) -> None:
    sentences = prose(path.read_text(encoding="utf-8"))
    assert len(sentences) > 20
    assert statistics.mean(map(words, sentences)) <= LONGEST_MEAN
    long = [sentence for sentence in sentences if words(sentence) > LONG]
    assert len(long) <= MOST_LONG * len(sentences), "\n".join(long)


def test_sentences_are_counted_as_one_reads_them() -> None:
    text = (
        "# A. Title\n\nOne two. Three `a b c` four?\n\n- Five [six](x.md) seven.\n- **Eight.** Nine\n  ten.\n\n"
        "| a | b |\n\n```text\nnot this\n```\n\n> **Box.** Eleven 4,096 twelve.\n\n## Sources\n\nnothing\n"
    )
    assert [words(sentence) for sentence in prose(text)] == [2, 3, 3, 1, 2, 1, 3]


@pytest.mark.parametrize(
    "given", ["lab_guides", "README.md CONTRIBUTING.md CHANGELOG.md SECURITY.md decisions docs/settings.md"]
)
def test_words_are_spelled_right(given: str) -> None:
    """By codespell, which knows misspellings; pyproject.toml has its settings."""
    done = _run("codespell_lib", *given.split())
    assert (done.returncode, done.stdout) == (0, "")


def test_a_misspelling_is_noticed(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("An encrpyted key.\n")
    assert "encrpyted ==> encrypted" in _run("codespell_lib", str(page)).stdout


def test_pages_are_clean_markdown() -> None:
    """By the rules of pyproject.toml, each exception with its reason."""
    done = _run("pymarkdown", "scan", *map(str, PATHS))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_what_is_no_clean_markdown_is_noticed(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# One\n\n### Three\n\n* a\n- b\n")
    done = _run("pymarkdown", "scan", str(page))
    assert {"MD001", "MD004"} <= set(re.findall(r"MD\d+", done.stdout))


def _run(module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603  # the project's own tools
        [sys.executable, "-m", module, *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )
