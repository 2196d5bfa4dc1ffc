"""What a page names is there: commands with their options, checks, faults, and the places that links lead to."""

from __future__ import annotations

import re
import shlex
from itertools import pairwise
from pathlib import Path

import pytest
import typer.core
import typer.main

from kmslab.checks import REGISTRY
from kmslab.cli import app
from kmslab.faults import REGISTRY as FAULTS

ROOT = Path(__file__).resolve().parent.parent.parent
PATHS = [*sorted((ROOT / "lab_guides").glob("*.md")), ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
LINKED = [
    *PATHS,
    ROOT / "SECURITY.md",
    *sorted((ROOT / "decisions").glob("*.md")),
    *sorted((ROOT / "docs").glob("*.md")),
]
TOPICS = {name.partition(".")[0] for name in (*REGISTRY, *FAULTS)}
FENCE = re.compile(r"^```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL)
DRAWING = re.compile(r"^```mermaid\n.*?^```$", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"`([^`\n]+)`|<code>([^<\n]+)</code>")
COMMAND = re.compile(r"(?<![\w./-])kmslab(?= [a-z-])((?:[^\n|;&<>()`\"]|\"[^\"\n]*\"|<[a-z -]+>)*)")
NAME = re.compile(r"(?<![\w./:@*-])([a-z0-9-]+)\.([a-z0-9]+(?:-[a-z0-9]+)+)(?![\w.:/*-])")
"""A check or a fault: both of its parts, the second with a hyphen, which a file's ending has not."""


def code_of(text: str) -> str:
    """What a page prints as code: its fences but drawings, and what stands in backticks."""
    text = DRAWING.sub("", text)
    inline = CODE.findall(FENCE.sub("", text))
    return "\n".join([*FENCE.findall(text), *(one or other for one, other in inline)]).replace("\\\n", " ")


def wrong_with(command: str) -> str:
    """Say what the command line would not understand; empty: nothing.

    Placeholders (``<fault>``, ``FAULT``, ``...``) stand for what a learner puts there.
    """
    words = shlex.split(re.sub(r"<[a-z -]+>", "PLACEHOLDER", command), comments=True)
    here = typer.main.get_command(app)
    while isinstance(here, typer.core.TyperGroup):
        if not words or words[0].startswith("-") or words[0] == "...":
            break
        found = here.commands.get(words.pop(0))
        if found is None:
            return "there is no such command"
        here = found
    known = {name: one for one in here.params if isinstance(one, typer.core.TyperOption) for name in one.opts}
    known |= {
        name: one
        for one in here.params
        if isinstance(one, typer.core.TyperOption)
        for name in one.secondary_opts
    }
    for word, value in pairwise([*words, ""]):
        option = word.partition("=")[0]
        if option in {"-h", "--help", "--version"} or not re.match(r"--?[a-z]", word):
            continue
        if option not in known:
            return f"{option} is no option of it"
        if option == "--only" and not is_known(value):
            return f"{value} is no check"
    if here.name in {"break", "repair"}:
        named = [word for word in words if "." in word.strip(".")]
        return "".join(f"{name} is no fault" for name in named if name not in FAULTS)
    return ""


def is_known(only: str) -> bool:
    """Whether ``--only`` finds a check by this word."""
    guides = {check.guide for check in REGISTRY.values()}
    begun = "." in only and any(name.startswith(only) for name in REGISTRY)
    return only in TOPICS | guides or begun or not re.fullmatch(r"[a-z0-9.-]+", only)


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_a_command_that_a_page_names_is_one(path: Path) -> None:
    commands = [arguments.strip() for arguments in COMMAND.findall(code_of(path.read_text(encoding="utf-8")))]
    wrong = {command: why for command in commands if (why := wrong_with(command))}
    assert wrong == {}


def test_commands_are_found_in_every_numbered_page() -> None:
    numbered = [path for path in PATHS if path.stem[:2].isdigit()]
    assert all(len(COMMAND.findall(code_of(path.read_text(encoding="utf-8")))) > 5 for path in numbered)


@pytest.mark.parametrize(
    ("command", "why"),
    [
        ("verify --only s3 --format html", ""),
        ("verify --only s3.default-encryption-is-the-labs-key", ""),
        ("verify --only <topic>", ""),
        ("verify --onyl s3", "--onyl is no option of it"),
        ("verify --only s4", "s4 is no check"),
        ("verify --only s3.nothing-of-this-name", "s3.nothing-of-this-name is no check"),
        ("verfy", "there is no such command"),
        ("engine stop", ""),
        ("engine explode", "there is no such command"),
        ("break s3.default-encryption-is-sse-s3", ""),
        ("repair s3.nothing", "s3.nothing is no fault"),
    ],
)
def test_a_command_that_is_none_is_noticed(command: str, why: str) -> None:
    assert wrong_with(command) == why


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_a_check_or_fault_that_a_page_names_is_there(path: Path) -> None:
    named = {
        match[0] for match in NAME.finditer(code_of(path.read_text(encoding="utf-8"))) if match[1] in TOPICS
    }
    assert sorted(named - {*REGISTRY, *FAULTS}) == []


def test_every_check_and_fault_is_named_by_a_page() -> None:
    named = {match[0] for path in PATHS for match in NAME.finditer(path.read_text(encoding="utf-8"))}
    assert sorted({*REGISTRY, *FAULTS} - named) == []


def anchors(path: Path) -> set[str]:
    """The anchors that GitHub gives to the headings of a page."""
    found: list[str] = []
    for heading in re.findall(r"^#+ (.+)$", FENCE.sub("", path.read_text(encoding="utf-8")), re.MULTILINE):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        slug = re.sub(r"[^\w -]", "", plain.lower()).strip().replace(" ", "-")
        again = sum(re.fullmatch(rf"{re.escape(slug)}(-\d+)?", one) is not None for one in found)
        found.append(f"{slug}-{again}" if again else slug)
    return set(found)


def lost(path: Path) -> list[str]:
    """The links of a page that lead nowhere within the project."""
    text = CODE.sub(
        "", FENCE.sub("", re.sub(r"^````.*?^````$", "", path.read_text(encoding="utf-8"), flags=re.M | re.S))
    )
    wrong = []
    for target in re.findall(r"\]\((?!https?://|mailto:)([^)\s]+)\)", text):
        place, _, anchor = target.partition("#")
        file = path.parent / place if place else path
        if not file.exists() or (anchor and file.suffix == ".md" and anchor not in anchors(file)):
            wrong.append(target)
    return wrong


@pytest.mark.parametrize("path", LINKED, ids=lambda path: path.stem)
def test_links_and_anchors_lead_somewhere(path: Path) -> None:
    assert lost(path) == []


def test_a_link_that_leads_nowhere_is_noticed(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "# A *b*, `c`\n\n## Again\n\n## Again\n\n[x](#a-b-c) [x](#again-1) [x](#nope) [x](no.md) [x](page.md#d)\n"
    )
    assert lost(page) == ["#nope", "no.md", "page.md#d"]
