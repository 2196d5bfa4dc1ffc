"""A guide page as steps: which commands it runs, and what it says one will see.

The markup is plain Markdown that GitHub renders; CONTRIBUTING.md describes it for authors:

- a ``bash`` fence is a step; the ``text`` or ``json`` fence that follows it in the same section is its output;
- a step whose first line is ``# Refused: <why>`` must fail, and its output shows the error;
- a step whose first line is ``# Shown only: <why>`` is not run, and is counted;
- a ``mermaid`` fence is a drawing. No other fence is allowed, so that no command escapes the tests.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from kmslab.guides.expectation import Expectation

if TYPE_CHECKING:
    from pathlib import Path

CLEAN_UP = "Clean up"
"""Title of the section whose steps run even when a step before them went wrong."""

_FENCE = re.compile(r"^(?P<indent>\s*)(?P<ticks>`{3,}|~{3,})\s*(?P<info>.*)$")
_HEADING = re.compile(r"^#{1,6}\s+(?P<title>.+?)\s*#*$")
_DIRECTIVE = re.compile(r"^# (?P<name>Refused|Shown only): (?P<why>\S.*)$")
_ALMOST_DIRECTIVE = re.compile(r"^\s*#\s*(?:refused|shown[ -]only|not run|skip)\b", re.IGNORECASE)
_OUTPUT_LANGUAGES = ("text", "json")
_HIDDEN_CODE = re.compile(r"^(?:<pre\b|\t| {4,}(?:aws|kmslab|make|cdk|eval|export)\s)")


class PageError(Exception):
    """A page breaks the markup; the message starts with ``file:line:``."""


class Kind(StrEnum):
    """What is expected of a step."""

    RUN = "run"
    """Exits 0."""
    REFUSED = "refused"
    """Exits with another code, and its output says why."""
    SHOWN = "shown"
    """Not run; the page says why."""


@dataclass(frozen=True, slots=True)
class Step:
    """One ``bash`` fence.

    Attributes:
        line: line of the page where the script starts, counted from 1.
        section: title of the heading above it.
        script: the commands, as written.
        kind: what is expected of it.
        why: the reason given by ``Refused`` or ``Shown only``; else empty.
        expected: its output block; None: it prints nothing.
    """

    line: int
    section: str
    script: str
    kind: Kind
    why: str
    expected: Expectation | None


@dataclass(frozen=True, slots=True)
class Page:
    """One guide page.

    Attributes:
        path: where it was read.
        title: its first heading.
        steps: its ``bash`` fences, in order.
    """

    path: Path
    title: str
    steps: tuple[Step, ...]

    @property
    def name(self) -> str:
        """The file's name without its ending: ``02-first-key``, as checks call their guide."""
        return self.path.stem


@dataclass(frozen=True, slots=True)
class _Fence:
    line: int
    section: str
    info: str
    text: str


def read(path: Path) -> Page:
    """Read one page.

    Raises:
        PageError: the page breaks the markup.
        OSError: it cannot be read.
    """
    title, fences = _scan(path)
    steps: list[Step] = []
    step_before: _Fence | None = None
    for fence in fences:
        if fence.info == "bash":
            steps.append(_step(path, fence))
            step_before = fence
        elif fence.info in _OUTPUT_LANGUAGES:
            if step_before is None or step_before.section != fence.section:
                raise _error(path, fence.line, "this output belongs to no bash block of its section")
            steps[-1] = _with_output(path, steps[-1], fence)
            step_before = None
        elif fence.info != "mermaid":
            allowed = "bash, text, json or mermaid"
            raise _error(path, fence.line, f"a fence must be {allowed}, not '{fence.info or 'unnamed'}'")
    for step in steps:
        if step.kind is Kind.REFUSED and step.expected is None:
            raise _error(path, step.line, "a refused step must show the error that one will see")
    return Page(path, title, tuple(steps))


def _scan(path: Path) -> tuple[str, list[_Fence]]:
    title = section = ""
    fences: list[_Fence] = []
    ticks = ""
    opened = 0
    body: list[str] = []
    info = ""
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        fence = _FENCE.match(line)
        if ticks:
            if line.strip() == ticks:
                fences.append(_Fence(opened + 1, section, info, "\n".join(body)))
                ticks = ""
            else:
                body.append(line)
        elif fence:
            if fence["indent"] or fence["ticks"] != "```":
                raise _error(path, number, "a fence is three backticks at the start of the line")
            ticks, info, opened, body = fence["ticks"], fence["info"].strip(), number, []
        elif heading := _HEADING.match(line):
            section = heading["title"]
            title = title or section
        elif _HIDDEN_CODE.match(line):
            raise _error(path, number, "commands and code stand in fences, where the tests see them")
    if ticks:
        raise _error(path, opened, "this fence is not closed")
    return title, fences


def _step(path: Path, fence: _Fence) -> Step:
    first, _, _ = fence.text.partition("\n")
    directive = _DIRECTIVE.match(first)
    for offset, line in enumerate(fence.text.splitlines()):
        if _ALMOST_DIRECTIVE.match(line) and not (offset == 0 and directive):
            wanted = "'# Refused: <why>' or '# Shown only: <why>' as the first line of the block"
            raise _error(path, fence.line + offset, f"write {wanted}")
    if not fence.text.strip():
        raise _error(path, fence.line, "this bash block is empty")
    kind = Kind.RUN
    if directive:
        kind = Kind.REFUSED if directive["name"] == "Refused" else Kind.SHOWN
    why = directive["why"] if directive else ""
    return Step(fence.line, fence.section, fence.text, kind, why, expected=None)


def _with_output(path: Path, step: Step, fence: _Fence) -> Step:
    try:
        expected = Expectation(fence.text, line=fence.line, is_json=fence.info == "json")
    except ValueError as error:
        raise _error(path, fence.line, str(error)) from error
    return replace(step, expected=expected)


def _error(path: Path, line: int, what: str) -> PageError:
    return PageError(f"{path}:{line}: {what}")
