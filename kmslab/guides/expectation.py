"""What a page says one will see, with named holes for what differs from run to run.

A hole is ``<kind>`` or ``<name-kind>``, such as ``<account>`` or ``<new-material-id>``. It matches only what its
kind looks like, and the same hole means the same value on the whole page: a page can thus say "the same key id
as above". ``...`` matches anything within a line; alone on a line, any number of lines.
"""

from __future__ import annotations

import difflib
import json
import re

KINDS = {
    "account": r"\d{12}",
    "region": r"[a-z]{2}(?:-[a-z]+)+-\d",
    "zone": r"[a-z]{2}(?:-[a-z]+)+-\d(?:-[a-z]+-\d)?[a-z]",
    "key-id": r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|mrk-[0-9a-f]{32}",
    "material-id": r"[0-9a-f]{64}",
    "volume-id": r"vol-[0-9a-f]{8,17}",
    "snapshot-id": r"snap-[0-9a-f]{8,17}",
    "bucket": r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]",
    "date": r"\d{4}-\d\d-\d\dT[0-9:.]+(?:Z|[+-]\d\d:?\d\d)?|\d{10}(?:\.\d+)?",
    "base64": r"[A-Za-z0-9+/]{2,}={0,2}",
    "hex": r"[0-9a-f]+",
    "number": r"\d+",
    "version": r"\d+(?:\.\d+)+\S*",
    "name": r"[\w+=,.@/-]+",
}
"""Kinds of holes and what each looks like (a regular expression); no kind's name ends with another's."""

_HOLE = re.compile(r"<([a-z][a-z0-9-]*)>|(\.\.\.)")
_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_CLI_V2_ERROR = re.compile(r"^aws: \[ERROR\]: ", re.MULTILINE)
_ANY_LINES = r"(?:[^\n]*\n)*?"


def normalised(text: str) -> str:
    """Return the text without what never matters: colours, blank lines around it, spaces at line ends.

    AWS CLI v2 starts an error with ``aws: [ERROR]: `` where v1 does not; that goes too.
    """
    plain = _CLI_V2_ERROR.sub("", _ANSI.sub("", text).replace("\r\n", "\n"))
    return "\n".join(line.rstrip() for line in plain.splitlines()).strip("\n")


class Expectation:
    """One output block of a page.

    Attributes:
        text: the block as written, normalised.
        line: the line of the page where the output starts.
        is_json: compare as JSON where both sides parse, so that the order of members does not matter.

    Raises:
        ValueError: a hole of an unknown kind, or a block that would accept anything.
    """

    def __init__(self, text: str, *, line: int, is_json: bool = False) -> None:
        self.text = normalised(text)
        self.line = line
        self.is_json = is_json
        if not self.text.replace(".", "").strip():
            raise ValueError("an output block must say something; leave it out where nothing is printed")
        for name, _ in _HOLE.findall(self.text):
            if name:
                _pattern_of(name)

    def mismatch(self, output: str, known: dict[str, str]) -> str:
        """Compare with what was printed.

        Args:
            output: standard output and standard error of the step, as they came.
            known: values of the holes seen so far on the page; extended when the output matches.

        Returns: the empty string, or a unified diff from the page to what was seen.
        """
        expected, seen = self.text, normalised(output)
        if self.is_json:
            expected, seen = _as_json(expected, seen)
        match = re.fullmatch(_regex(expected, known), seen + "\n")
        if match:
            known.update({name.replace("_", "-"): value for name, value in match.groupdict().items()})
            return ""
        return _diff(expected, seen, known)


def _pattern_of(name: str) -> str:
    """Return the pattern of a hole by the kind that its name ends with.

    Raises:
        ValueError: it ends with none.
    """
    for kind, pattern in KINDS.items():
        if name == kind or name.endswith(f"-{kind}"):
            return pattern
    raise ValueError(f"<{name}> is no hole that the runner knows: its name must end with {', '.join(KINDS)}")


def _as_json(expected: str, seen: str) -> tuple[str, str]:
    try:
        wanted, got = json.loads(expected), json.loads(seen)
    except json.JSONDecodeError:
        return expected, seen  # ``...`` lines, or an error message instead of JSON: compared as text
    return json.dumps(wanted, indent=4, sort_keys=True), json.dumps(got, indent=4, sort_keys=True)


def _regex(expected: str, known: dict[str, str]) -> str:
    named: set[str] = set()
    lines = expected.split("\n")
    return "".join(
        _ANY_LINES if line.strip() == "..." else _line_regex(line, known, named) + "\n" for line in lines
    )


def _line_regex(line: str, known: dict[str, str], named: set[str]) -> str:
    parts: list[str] = []
    position = 0
    for hole in _HOLE.finditer(line):
        parts.append(re.escape(line[position : hole.start()]))
        position = hole.end()
        name = hole[1]
        group = (name or "").replace("-", "_")
        if not name:
            parts.append("[^\n]*?")
        elif name in known:
            parts.append(re.escape(known[name]))
        elif name in named:
            parts.append(f"(?P={group})")
        else:
            named.add(name)
            parts.append(f"(?P<{group}>{_pattern_of(name)})")
    return "".join(parts) + re.escape(line[position:])


def _diff(expected: str, seen: str, known: dict[str, str]) -> str:
    """Diff line by line; a line whose holes fit what was seen counts as equal."""
    got = seen.split("\n")
    wanted: list[str] = []
    for line in expected.split("\n"):
        pattern = re.compile(_line_regex(line, known, set()))
        wanted.append(next((other for other in got if pattern.fullmatch(other)), line))
    changes = difflib.unified_diff(wanted, got, "the page says", "was seen", lineterm="", n=2)
    return "\n".join(changes) or f"the holes differ between lines; known so far: {known}"
