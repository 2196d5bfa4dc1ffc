"""The trial of the verifier: each fault is broken, looked for, repaired, and looked for again.

``python -m kmslab.trial [FAULT|TOPIC]...`` tries faults on the local lab that is up.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kmslab.checks.catalogue import catalogue
from kmslab.checks.runner import run_all
from kmslab.faults import REGISTRY
from kmslab.lab import Access
from kmslab.model.verdict import Outcome

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kmslab.faults import Fault
    from kmslab.faults.workshop import Workshop
    from kmslab.model.capability import Capability
    from kmslab.model.verdict import Verdict

GOOD = frozenset({Outcome.PASS, Outcome.UNPROVABLE})
"""What a check answers on a lab in good order; UNPROVABLE is for the target, not for the lab."""


@dataclass(frozen=True, slots=True)
class Trial:
    """What the verifier said about one fault.

    Attributes:
        fault: which.
        seconds: how long all of it took.
        missed: checks that had to answer FAIL and did not, with what they said.
        strangers: checks that answered FAIL or ERROR though the fault names them nowhere, with what they said.
        unrepaired: checks that did so after the repair, with what they said.
    """

    fault: Fault
    seconds: float
    missed: Mapping[str, str] = field(default_factory=dict)
    strangers: Mapping[str, str] = field(default_factory=dict)
    unrepaired: Mapping[str, str] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        """Whether the verifier noticed the fault, nothing but the fault, and its repair."""
        return not (self.missed or self.strangers or self.unrepaired)


def try_fault(fault: Fault, workshop: Workshop, capabilities: frozenset[Capability]) -> Trial:
    """Break, verify, compare, repair, verify.

    The persona's sessions are begun anew for it: those of before the fault would know nothing of a changed trust.
    """
    started = time.monotonic()
    change = fault.change
    saved = change.save(workshop)
    try:
        change.apply(workshop, saved)
        broken = _verify(workshop, capabilities)
    finally:
        change.restore(workshop, saved)
    return _judge(fault, broken, _verify(workshop, capabilities), time.monotonic() - started)


def _verify(workshop: Workshop, capabilities: frozenset[Capability]) -> dict[str, Verdict]:
    access = Access(workshop.access.target, workshop.prefix)
    return {check.id: verdict for check, verdict in run_all(access, workshop.outputs, capabilities)}


def _judge(
    fault: Fault, broken: Mapping[str, Verdict], repaired: Mapping[str, Verdict], seconds: float
) -> Trial:
    affected = {*fault.noticed_by, *(check.id for check in catalogue(fault.also) if fault.also)}
    return Trial(
        fault,
        seconds,
        {one: _said(broken[one]) for one in fault.noticed_by if broken[one].outcome is not Outcome.FAIL},
        {one: _said(verdict) for one, verdict in _red(broken).items() if one not in affected},
        {one: _said(verdict) for one, verdict in _red(repaired).items()},
    )


def _red(verdicts: Mapping[str, Verdict]) -> dict[str, Verdict]:
    return {one: verdict for one, verdict in verdicts.items() if verdict.outcome not in GOOD}


def _said(verdict: Verdict) -> str:
    return f"{verdict.outcome}: {verdict.summary}"


def main(words: Sequence[str]) -> int:
    """Try the faults that any of the words names, or all, on the local lab; return the exit code."""
    from kmslab.commands.settings import load_settings
    from kmslab.deployed import read_outputs
    from kmslab.engine.capabilities import CAPABILITIES
    from kmslab.faults.workshop import Workshop
    from kmslab.model.target import TargetKind
    from kmslab.project import find_project
    from kmslab.targets import choose_target, owner_access
    from kmslab.terminal import out

    project = find_project()
    access = Access(choose_target(project, TargetKind.LOCAL), load_settings(project).prefix)
    workshop = Workshop(access, read_outputs(access), owner_access(project, access))
    chosen = [
        fault for name, fault in REGISTRY.items() if not words or any(name.startswith(word) for word in words)
    ]
    trials = [try_fault(fault, workshop, CAPABILITIES) for fault in chosen]
    for trial in trials:
        out.print(
            f"{'ok ' if trial.passed else 'BAD'} {trial.fault.id} ({trial.seconds:.1f} s)", highlight=False
        )
        for word in ("missed", "strangers", "unrepaired"):
            for check, said in getattr(trial, word).items():
                out.print(f"      {word}: {check}: {said}", highlight=False, markup=False, soft_wrap=True)
    return 0 if trials and all(trial.passed for trial in trials) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
