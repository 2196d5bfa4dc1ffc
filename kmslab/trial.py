"""The trial of the verifier: each fault is made, looked for and repaired, and the lab looked at again.

``python -m kmslab.trial [FAULT|TOPIC]...`` tries faults on the local lab that is up.

What is looked at:

* with the fault in place: the whole catalogue, as `kmslab verify` would;
* after its repair: the checks that were red. What else a repair might have left would be red in the look at
  the next fault, or in the whole look that ends a run; two whole looks for each fault would tell no more,
  and take twice the time.
"""

from __future__ import annotations

import signal
import sys
import time
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from kmslab.checks.catalogue import catalogue
from kmslab.checks.runner import run_all
from kmslab.faults import REGISTRY
from kmslab.faults.ledger import Ledger, break_lab, from_the_newest, in_place, repair
from kmslab.lab import Access
from kmslab.model.errors import ExitCode, LabError
from kmslab.model.persona import Persona
from kmslab.model.verdict import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from kmslab.faults import Fault
    from kmslab.faults.workshop import Workshop
    from kmslab.model.capability import Capability
    from kmslab.model.verdict import Verdict

TRIAL_SECONDS = 12 * 3600
"""Life of the credentials for all faults together: as long as IAM lets a session be."""
GOOD = frozenset({Outcome.PASS, Outcome.UNPROVABLE})
"""What checks answer on a lab in good order; UNPROVABLE is said of the target, not of the lab."""


@dataclass(frozen=True, slots=True)
class Trial:
    """What the verifier said about one fault; the mappings are from a check's id to what it said.

    Attributes:
        fault: which.
        seconds: how long all of it took.
        missed: checks that had to answer FAIL and did not.
        strangers: checks that answered FAIL or ERROR although the fault does not affect them.
        unrepaired: checks that still did so after the repair.
        error: why it could not be made; empty if it could.
    """

    fault: Fault
    seconds: float
    missed: Mapping[str, str] = field(default_factory=dict)
    strangers: Mapping[str, str] = field(default_factory=dict)
    unrepaired: Mapping[str, str] = field(default_factory=dict)
    error: str = ""

    @property
    def passed(self) -> bool:
        """Whether the verifier noticed the fault, nothing but the fault, and its repair."""
        return not (self.missed or self.strangers or self.unrepaired or self.error)


@dataclass(frozen=True, slots=True)
class Score:
    """What a run of trials came to.

    Attributes:
        trials: one for each fault, in the order of the run.
        left: checks that were red when every fault was repaired, with what they said.
        seconds: how long all of it took.
    """

    trials: tuple[Trial, ...]
    left: Mapping[str, str]
    seconds: float

    @property
    def perfect(self) -> bool:
        """Whether every trial passed, and nothing was left."""
        return not self.left and all(trial.passed for trial in self.trials)


def score(
    faults: Iterable[Fault],
    workshop: Workshop,
    capabilities: frozenset[Capability],
    on_trial: Callable[[Trial], None] = lambda _: None,
) -> Score:
    """Try faults one after the other, on a lab that no fault is in yet, and that is left so.

    Checks that are red to begin with say nothing about faults: they do not count as strangers, but are
    still there at the end, as what is left.

    Args:
        faults: to be tried; those of optional parts that are not deployed are left out.
        workshop: where they are made and repaired.
        capabilities: what the target enforces.
        on_trial: told each result as it comes.

    Raises:
        LabError: a fault is in place already, or one cannot be repaired.
        ClientError, BotoCoreError: likewise.
    """
    started = time.monotonic()
    look = _Look(workshop, capabilities)
    ledger = Ledger(workshop.access)
    if in_place(workshop, ledger):
        raise LabError("Faults are in place already.", hint="`kmslab repair --all`.")
    before = look.red()
    trials = []
    try:
        for fault in faults:
            if not fault.fits(workshop.outputs):
                continue
            trials.append(_try(fault, workshop, ledger, look, frozenset(before)))
            on_trial(trials[-1])
    finally:
        for entry in from_the_newest(in_place(workshop, ledger)):
            repair(workshop, ledger, entry)
    return Score(tuple(trials), _said(look.red()), time.monotonic() - started)


def _try(fault: Fault, workshop: Workshop, ledger: Ledger, look: _Look, before: frozenset[str]) -> Trial:
    from botocore.exceptions import BotoCoreError, ClientError

    started = time.monotonic()
    try:
        entry = break_lab(workshop, ledger, fault)
    except (LabError, ClientError, BotoCoreError) as error:
        return Trial(fault, time.monotonic() - started, error=str(error))
    broken = look.all()
    repair(workshop, ledger, entry)
    red = {one: verdict for one, verdict in _red(broken).items() if one not in before}
    unrepaired = look.red(sorted(red)) if red else {}
    excused = {*fault.noticed_by, *(check.id for check in (catalogue(fault.also) if fault.also else ()))}
    return Trial(
        fault,
        time.monotonic() - started,
        _said({one: broken[one] for one in fault.noticed_by if broken[one].outcome is not Outcome.FAIL}),
        _said({one: verdict for one, verdict in red.items() if one not in excused}),
        _said(unrepaired),
    )


class _Look:
    """Runs checks, with sessions that are used again for as long as they are what new ones would be."""

    def __init__(self, workshop: Workshop, capabilities: frozenset[Capability]) -> None:
        self._workshop = workshop
        self._capabilities = capabilities
        self._warm = self._anew()
        self._trust = self._who_may_become_whom()

    def all(self, only: Sequence[str] = ()) -> dict[str, Verdict]:
        """Return the verdicts of checks, of all of them unless words say which."""
        # A session lives on when its role's trust changes; somebody who verifies would begin a new one.
        access = self._warm if self._who_may_become_whom() == self._trust else self._anew()
        verdicts = run_all(access, self._workshop.outputs, self._capabilities, only)
        return {check.id: verdict for check, verdict in verdicts}

    def red(self, only: Sequence[str] = ()) -> dict[str, Verdict]:
        """Return the verdicts that are not good."""
        return _red(self.all(only))

    def _who_may_become_whom(self) -> dict[str, Any]:
        pages = self._workshop.client("iam").get_paginator("list_roles").paginate()
        return {role["Arn"]: role["AssumeRolePolicyDocument"] for page in pages for role in page["Roles"]}

    def _anew(self) -> Access:
        """Return access with no session yet; it shares what knows nothing of sessions and is slow to make."""
        old, new = self._workshop.access, Access(self._workshop.access.target, self._workshop.prefix)
        old.client(Persona.OPERATOR, "iam")
        for name in ("loader", "connections"):
            new.once(name, partial(old.once, name, dict))
        return new


def _red(verdicts: Mapping[str, Verdict]) -> dict[str, Verdict]:
    return {one: verdict for one, verdict in verdicts.items() if verdict.outcome not in GOOD}


def _said(verdicts: Mapping[str, Verdict]) -> dict[str, str]:
    return {one: f"{verdict.outcome}: {verdict.summary}" for one, verdict in verdicts.items()}


def open_workshop() -> Workshop:
    """Open the local lab of the checkout at hand.

    Raises:
        LabError: it is not up.
    """
    from kmslab.commands.settings import load_settings
    from kmslab.deployed import read_outputs
    from kmslab.engine import control
    from kmslab.faults.workshop import Workshop
    from kmslab.model.target import TargetKind
    from kmslab.project import find_project
    from kmslab.targets import choose_target, owner_access

    project = find_project()
    choose_target(project, TargetKind.LOCAL)  # it is up, and no variable leads the clients elsewhere
    access = Access(control.target(project.home, TRIAL_SECONDS), load_settings(project).prefix)
    return Workshop(access, read_outputs(access), owner_access(project, access))


def tell(trial: Trial) -> None:
    """Print the result of one trial."""
    from kmslab.terminal import out, say

    word = "ok " if trial.passed else "BAD"
    out.print(f"{word} {trial.fault.id} ({trial.seconds:.1f} s)", markup=False, highlight=False)
    if trial.error:
        say(out, f"      could not be made: {trial.error}")
    for how in ("missed", "strangers", "unrepaired"):
        for check, said in getattr(trial, how).items():
            line = f"      {how}: {check}: {said}"
            out.print(line, markup=False, highlight=False, no_wrap=True, overflow="ellipsis")


def main(words: Sequence[str]) -> ExitCode:
    """Try the faults that any of the words names, or all, on the local lab; return the exit code."""
    from kmslab.engine.capabilities import CAPABILITIES
    from kmslab.project import find_project
    from kmslab.targets import aws_errors_in_one_line
    from kmslab.terminal import out, say, show_error
    from kmslab.turns import exclusively

    chosen = [
        fault for name, fault in REGISTRY.items() if not words or any(name.startswith(word) for word in words)
    ]
    try:
        with exclusively(find_project()), aws_errors_in_one_line():
            result = score(chosen, open_workshop(), CAPABILITIES, tell)
    except LabError as error:
        show_error(error)
        return error.exit_code
    for check, said in result.left.items():
        say(out, f"left: {check}: {said}")
    passed = sum(trial.passed for trial in result.trials)
    out.print(f"{passed} of {len(result.trials)} faults in {result.seconds:.0f} s", highlight=False)
    return ExitCode.OK if result.perfect else ExitCode.NOT_PROVEN


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a polite kill repairs as Ctrl-C does
    sys.exit(main(sys.argv[1:]))
