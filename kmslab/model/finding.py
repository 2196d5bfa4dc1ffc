"""What ``kmslab doctor`` finds: fine, not fine, or not to be seen."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from kmslab.model.errors import ExitCode

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kmslab.model.errors import LabError


class State(StrEnum):
    """How a thing stands that was looked at."""

    FINE = "fine"
    WRONG = "wrong"
    UNSEEN = "unseen"
    """It could not be looked at, which is never fine."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        what: its name.
        state: how it stands.
        seen: what was found, in one line.
        remedy: what to do; may be empty where it is fine.
        code: what the process ends with if nothing before it was wrong.
    """

    what: str
    state: State
    seen: str
    remedy: str = ""
    code: ExitCode = ExitCode.OK

    @property
    def fine(self) -> bool:
        """Whether it was seen, and nothing has to be done."""
        return self.state is State.FINE


def fine(what: str, seen: str, remedy: str = "") -> Finding:
    """Return a finding that stops nobody."""
    return Finding(what, State.FINE, seen, remedy)


def wrong(what: str, seen: str, remedy: str, code: ExitCode) -> Finding:
    """Return a finding that must be mended first."""
    return Finding(what, State.WRONG, seen, remedy, code)


def refused(what: str, error: LabError) -> Finding:
    """Return what a ``LabError`` says as a finding."""
    return wrong(what, error.message, error.hint, error.exit_code)


def unseen(what: str, seen: str, remedy: str = "") -> Finding:
    """Return that something could not be looked at."""
    return Finding(what, State.UNSEEN, seen, remedy, ExitCode.NOT_PROVEN)


def exit_code(findings: Iterable[Finding]) -> ExitCode:
    """Return the code of the first thing that is wrong; else that of one that could not be seen; else OK."""
    found = list(findings)
    for state in (State.WRONG, State.UNSEEN):
        for finding in found:
            if finding.state is state:
                return finding.code
    return ExitCode.OK
