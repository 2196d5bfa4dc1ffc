"""What the learner's lab has passed: the last verdict of each check, and which checkpoints are green by them."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from kmslab.guides.course import PAGES
from kmslab.guides.page import read

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

FILE = "progress.json"
WHOLE = "*"
"""Stands for a run of every check."""

_ONLY = re.compile(r"--only ([a-z0-9.-]+)")


class State(StrEnum):
    """Of a page's checkpoint."""

    PASSED = "passed"
    FAILED = "failed"
    OPEN = "open"
    """Not all of its checks have been run yet."""


@dataclass(frozen=True, slots=True)
class Seen:
    """The last verdict of a check."""

    guide: str
    passed: bool


@dataclass(frozen=True, slots=True)
class Progress:
    """Everything that was verified so far.

    Attributes:
        checks: the last verdict of each check, by its id.
        words: what ``--only`` has named in runs that left nothing out; `WHOLE` for a run of everything.
    """

    checks: dict[str, Seen] = field(default_factory=dict)
    words: frozenset[str] = frozenset()

    def with_run(
        self, only: Sequence[str], verdicts: Iterable[tuple[str, str, bool]], *, quick: bool
    ) -> Progress:
        """Return the progress after one more run.

        Args:
            only: what the run was asked to verify; nothing: everything.
            verdicts: id, guide page and whether it passed, of each check that ran.
            quick: whether checks were left out.
        """
        seen = {check_id: Seen(guide, passed) for check_id, guide, passed in verdicts}
        words = frozenset() if quick else frozenset(only or (WHOLE,))
        return Progress({**self.checks, **seen}, self.words | words)

    def checkpoint(self, words: Sequence[str]) -> tuple[State, list[str]]:
        """Return the state of a checkpoint that verifies these words, and the checks that did not pass."""
        mine = {
            one: seen for one, seen in self.checks.items() if any(_names(word, one, seen) for word in words)
        }
        failed = sorted(one for one, seen in mine.items() if not seen.passed)
        if failed:
            return State.FAILED, failed
        run = WHOLE in self.words or set(words) <= self.words
        return (State.PASSED if run and mine else State.OPEN), []


def load(home: Path) -> Progress:
    """Read the progress of the lab whose home this is; of a file that cannot be read, nothing."""
    try:
        kept = json.loads((home / FILE).read_text(encoding="utf-8"))
        checks = {
            one: Seen(str(seen["guide"]), seen["passed"] is True) for one, seen in kept["checks"].items()
        }
        return Progress(checks, frozenset(map(str, kept["words"])))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return Progress()


def save(home: Path, progress: Progress) -> None:
    """Keep the progress; another command never sees half of it."""
    kept = {
        "words": sorted(progress.words),
        "checks": {
            one: {"guide": seen.guide, "passed": seen.passed} for one, seen in sorted(progress.checks.items())
        },
    }
    new = home / f"{FILE}.new"
    new.write_text(json.dumps(kept, indent=1), encoding="utf-8")
    new.replace(home / FILE)


def checkpoint_words(pages: Path) -> dict[str, list[str]]:
    """Return what the checkpoint of each page of the course verifies, by the stem of the page."""
    words: dict[str, list[str]] = {}
    for path in (pages / f"{stem}.md" for stem in PAGES):
        if path.exists():
            scripts = [step.script for step in read(path).steps if step.section == "Checkpoint"]
            words[path.stem] = _ONLY.findall("\n".join(scripts))
    return words


def answer(home: Path, words: dict[str, list[str]]) -> dict[str, dict[str, object]]:
    """Return what the pages ask for: the state of every checkpoint, and what did not pass."""
    progress = load(home)
    states = {stem: progress.checkpoint(named) for stem, named in words.items()}
    return {stem: {"state": state, "failed": failed} for stem, (state, failed) in states.items()}


def _names(word: str, check_id: str, seen: Seen) -> bool:
    """As ``--only`` means it: a topic, a page, an id, or how ids begin."""
    return word in {check_id.partition(".")[0], seen.guide} or ("." in word and check_id.startswith(word))
