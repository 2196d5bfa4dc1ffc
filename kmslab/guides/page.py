"""A guide page as steps: which commands it runs, and what it says one will see.

The markup is plain Markdown that GitHub renders; CONTRIBUTING.md describes it for authors:

- a ``bash`` fence is a step; the ``text`` or ``json`` fence that follows it in the same section is its output;
- a step whose first line is ``# Refused: <why>`` must fail, and its output shows the error;
- a step whose first line is ``# Shown only: <why>`` is not run, and is counted;
- a step whose first line is ``# Only on AWS: <why>`` is run in a sandbox account and nowhere else, and is counted;
- ``# Needs a second account: <why>``, above or below such a line, is for a step that is run wherever there is one;
- ``# Takes up to: <seconds> s``, likewise, gives a step its own time limit;
- a fence below ``<!-- include: ... -->`` or ``<!-- policy: ... -->`` is a copy of tested code (``includes``);
- a ``mermaid`` fence is a drawing. No other fence is allowed, so that no command escapes the tests.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from kmslab.guides.expectation import Expectation

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CLEAN_UP = "Clean up"
"""Title of the section whose steps run even when a step before them went wrong."""

_FENCE = re.compile(r"^(?P<indent>\s*)(?P<ticks>`{3,}|~{3,})\s*(?P<info>.*)$")
_HEADING = re.compile(r"^#{1,6}\s+(?P<title>.+?)\s*#*$")
_DIRECTIVE = re.compile(r"^# (?P<name>Refused|Shown only|Only on AWS): (?P<why>\S.*)$")
_SECOND = re.compile(r"^# Needs a second account: (?P<why>\S.*)$")
_LIMIT = re.compile(r"^# Takes up to: (?P<seconds>\d{1,4}) s$")
_ALMOST_DIRECTIVE = re.compile(
    r"^\s*#\s*(?:refused|shown[ -]only|only on aws|(?:needs )?a second account|takes up to|time ?out|not run|skip)\b",
    re.IGNORECASE,
)
_OUTPUT_LANGUAGES = ("text", "json")
_INCLUDED_LANGUAGES = ("python", "json", "toml", "yaml")
_INCLUDE = re.compile(r"^<!-- (?P<what>include|policy): (?P<place>\S.*?) -->$")
"""The comment above a fence whose text is a copy: of which file and symbol, or of which policy."""
_ALMOST_INCLUDE = re.compile(r"^\s*<!--\s*(?:include|policy)\b", re.IGNORECASE)
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
    AWS = "aws"
    """Run in a sandbox account only: exits 0. The page says why the local engine cannot."""


_KINDS = {"Refused": Kind.REFUSED, "Shown only": Kind.SHOWN, "Only on AWS": Kind.AWS}
"""What the first line of a step may say."""


@dataclass(frozen=True, slots=True)
class Step:
    """One ``bash`` fence.

    Attributes:
        line: line of the page where the script starts, counted from 1.
        section: title of the heading above it.
        script: the commands, as written.
        kind: what is expected of it.
        why: the reason given by ``Refused``, ``Shown only`` or ``Only on AWS``; else empty.
        second: why it needs a second account; empty: it does not.
        limit: seconds that the page allows it; None: as many as any step.
        expected: its output block; None: it prints nothing.
    """

    line: int
    section: str
    script: str
    kind: Kind
    why: str
    second: str
    limit: float | None
    expected: Expectation | None


@dataclass(frozen=True, slots=True)
class Include:
    """A fence that is a copy of something tested.

    Attributes:
        line: line of the page where its text starts, counted from 1.
        length: how many lines it has; an empty fence has none.
        what: ``include`` (of a file) or ``policy`` (of a template).
        place: what is copied, as the comment above it names it.
        text: what the fence holds.
    """

    line: int
    length: int
    what: str
    place: str
    text: str


@dataclass(frozen=True, slots=True)
class Page:
    """One guide page.

    Attributes:
        path: where it was read.
        title: its first heading.
        steps: its ``bash`` fences, in order.
        includes: its fences that are copies, in order.
        drawings: the text of its ``mermaid`` fences.
    """

    path: Path
    title: str
    steps: tuple[Step, ...]
    includes: tuple[Include, ...] = ()
    drawings: tuple[str, ...] = ()

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
    length: int
    include: re.Match[str] | None


def read(path: Path) -> Page:
    """Read one page.

    Raises:
        PageError: the page breaks the markup.
        OSError: it cannot be read.
    """
    title, fences = _scan(path)
    steps: list[Step] = []
    includes: list[Include] = []
    step_before: _Fence | None = None
    for fence in fences:
        if fence.include:
            if fence.info not in _INCLUDED_LANGUAGES:
                raise _error(path, fence.line, f"an include must be {', '.join(_INCLUDED_LANGUAGES)}")
            what, place = fence.include["what"], fence.include["place"]
            includes.append(Include(fence.line, fence.length, what, place, fence.text))
        elif fence.info == "bash":
            steps.append(_step(path, fence))
            step_before = fence
        elif fence.info in _OUTPUT_LANGUAGES:
            if step_before is None or step_before.section != fence.section:
                raise _error(path, fence.line, "this output belongs to no bash block of its section")
            steps[-1] = _with_output(path, steps[-1], fence)
            step_before = None
        elif fence.info != "mermaid":
            allowed = "bash, text, json, mermaid or an include"
            raise _error(path, fence.line, f"a fence must be {allowed}, not '{fence.info or 'unnamed'}'")
    for step in steps:
        if step.kind is Kind.REFUSED and step.expected is None:
            raise _error(path, step.line, "a refused step must show the error that one will see")
    drawings = tuple(fence.text for fence in fences if fence.info == "mermaid")
    return Page(path, title, tuple(steps), tuple(includes), drawings)


def _scan(path: Path) -> tuple[str, list[_Fence]]:
    title = section = ""
    fences: list[_Fence] = []
    above: re.Match[str] | None = None  # the include comment that waits for its fence
    lines = enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
    for number, line in lines:
        if opening := _FENCE.match(line):
            fences.append(_fence(path, opening, number, lines, section, above))
            above = None
            continue
        above = _include_above(path, number, line, above)
        if heading := _HEADING.match(line):
            section = heading["title"]
            title = title or section
        elif _HIDDEN_CODE.match(line):
            raise _error(path, number, "commands and code stand in fences, where the tests see them")
    if above:
        raise _error(path, number, "an include comment is followed by its fence")
    return title, fences


def _fence(
    path: Path,
    opening: re.Match[str],
    opened: int,
    lines: Iterator[tuple[int, str]],
    section: str,
    include: re.Match[str] | None,
) -> _Fence:
    """Take the lines of a fence, and the one that closes it."""
    if opening["indent"] or opening["ticks"] != "```":
        raise _error(path, opened, "a fence is three backticks at the start of the line")
    body: list[str] = []
    for _, line in lines:
        if line.strip() == "```":
            return _Fence(opened + 1, section, opening["info"].strip(), "\n".join(body), len(body), include)
        body.append(line)
    raise _error(path, opened, "this fence is not closed")


def _include_above(path: Path, number: int, line: str, above: re.Match[str] | None) -> re.Match[str] | None:
    """Return the include comment whose fence is to come, if this line is one or one has been."""
    if above and line.strip():
        raise _error(path, number, "an include comment is followed by its fence")
    if not _ALMOST_INCLUDE.match(line):
        return above
    match = _INCLUDE.match(line)
    if match is None:
        raise _error(
            path, number, "write <!-- include: FILE SYMBOL --> or <!-- policy: STACK RESOURCE SID -->"
        )
    return match


def _step(path: Path, fence: _Fence) -> Step:
    if not fence.text.strip():
        raise _error(path, fence.line, "this bash block is empty")
    kind, why, second, limit = Kind.RUN, "", "", None
    head = True  # directives stand above the first command
    for offset, line in enumerate(fence.text.splitlines()):
        if head and (given := _LIMIT.match(line)):
            limit = float(given["seconds"])
        elif head and (given := _SECOND.match(line)):
            second = given["why"]
        elif head and not why and (given := _DIRECTIVE.match(line)):
            kind, why = _KINDS[given["name"]], given["why"]
        elif _ALMOST_DIRECTIVE.match(line):
            wanted = ", ".join(f"'# {name}: <why>'" for name in _KINDS)
            raise _error(
                path,
                fence.line + offset,
                f"write {wanted}, '# Needs a second account: <why>' or '# Takes up to: <seconds> s' "
                "as the first line of the block",
            )
        else:
            head = False
    return Step(fence.line, fence.section, fence.text, kind, why, second, limit, expected=None)


def _with_output(path: Path, step: Step, fence: _Fence) -> Step:
    try:
        expected = Expectation(fence.text, line=fence.line, is_json=fence.info == "json")
    except ValueError as error:
        raise _error(path, fence.line, str(error)) from error
    return replace(step, expected=expected)


def _error(path: Path, line: int, what: str) -> PageError:
    return PageError(f"{path}:{line}: {what}")
