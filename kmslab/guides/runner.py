"""Run the steps of a page and compare what was seen with what the page says."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kmslab.guides.page import CLEAN_UP, Kind
from kmslab.guides.shell import Shell, ShellError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from kmslab.guides.page import Page, Step

STEP_SECONDS = 120.0
"""How long one step may take: generous, since a busy machine is no fault of the page."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Where a page and the lab disagree.

    Attributes:
        path: the page.
        line: of the step or of its output, counted from 1.
        what: in one line.
        detail: a diff or what was printed; may be empty.
    """

    path: Path
    line: int
    what: str
    detail: str = ""

    def __str__(self) -> str:
        """``file:line: what``, then the detail."""
        return f"{self.path}:{self.line}: {self.what}" + (f"\n{self.detail}" if self.detail else "")


@dataclass(frozen=True, slots=True)
class Result:
    """What running a page gave.

    Attributes:
        problems: where the page is wrong; empty: it is right.
        ran: how many steps were run.
        seconds: how long the page took.
        left_out: the steps that need a second account, where there was none.
    """

    problems: tuple[Problem, ...]
    ran: int
    seconds: float
    left_out: tuple[Step, ...] = ()


def run(
    page: Page,
    folder: Path,
    environment: Mapping[str, str],
    *,
    timeout: float = STEP_SECONDS,
    on_aws: bool = False,
    second_account: bool = True,
) -> Result:
    """Run a page in one shell.

    After the first problem only the steps of the page's "Clean up" section still run, so that a page that is
    wrong leaves as little behind as one that is right.

    Args:
        page: the page.
        folder: an empty, existing folder to start in.
        environment: the whole environment; it must have ``kmslab`` and ``aws`` on its PATH.
        timeout: seconds for each step that does not say its own.
        on_aws: whether the shell is a sandbox account's: then the steps that are for AWS only run too.
        second_account: whether ``kmslab env --neighbour`` knows one, as it does on the local engine.

    Raises:
        LabError: this machine has no bash.
    """
    started = time.monotonic()
    problems: list[Problem] = []
    known: dict[str, str] = {}
    left_out = tuple(step for step in page.steps if step.second and not second_account)
    ran = 0
    with Shell(folder, environment) as shell:
        for step in page.steps:
            elsewhere = step.kind is Kind.SHOWN or (step.kind is Kind.AWS and not on_aws)
            if elsewhere or step in left_out or (problems and step.section != CLEAN_UP):
                continue
            ran += 1
            try:
                status, output, failed = shell.run(step.script, timeout=step.limit or timeout)
            except ShellError as error:
                problems.append(Problem(page.path, step.line, str(error)))
                break
            problem = _judge(page.path, step, status, output, failed, known)
            if problem:
                problems.append(problem)
    return Result(tuple(problems), ran, time.monotonic() - started, left_out)


def _judge(
    path: Path, step: Step, status: int, output: str, failed: str, known: dict[str, str]
) -> Problem | None:
    if step.kind is not Kind.REFUSED and status:
        return Problem(path, step.line, f"exit code {status} of: {failed}", output.strip())
    if step.kind is Kind.REFUSED and not status:
        return Problem(path, step.line, "it should have been refused, but succeeded", output.strip())
    if step.expected is None:
        if output.strip():
            return Problem(
                path, step.line, "it prints something, and the page shows no output", output.strip()
            )
        return None
    difference = step.expected.mismatch(output, known)
    return (
        Problem(path, step.expected.line, "the output is not what the page says", difference)
        if difference
        else None
    )
