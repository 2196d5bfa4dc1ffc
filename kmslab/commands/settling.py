"""Waits until a fault that was made or repaired counts, where permissions settle late: on AWS above all.

A verification right after it would still see the lab as it was: all well where something is broken, or broken where
all is well again.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from kmslab.lab import patience
from kmslab.model.capability import ALL

if TYPE_CHECKING:
    from collections.abc import Collection

    from kmslab.faults.workshop import Workshop
    from kmslab.model.verdict import Outcome

PAUSE_SECONDS = 1.0
"""Between two looks: each is a run of the checks that notice the fault."""


def until_it_counts(workshop: Workshop, checks: Collection[str], outcome: Outcome) -> bool:
    """Run the checks that notice a fault until each of them answers so, or the target had time to settle.

    Those that take a key of the lab out of service are left to the verification: they may not be able to bring
    it back while something is broken.

    Args:
        workshop: the lab.
        checks: their ids.
        outcome: FAIL once a fault is made, PASS once it is repaired.

    Returns: whether they do; no, too, where all of them are left. On a target where changes count at once
        nothing is run, and the answer is yes.
    """
    seconds = patience(workshop.access.target)
    if not seconds or not checks:
        return True
    from kmslab.checks.runner import catalogue, run_all

    harmless = [check.id for check in catalogue(sorted(checks)) if not check.serial]
    if not harmless:
        return False
    deadline = time.monotonic() + seconds
    while True:
        verdicts = run_all(workshop.access, workshop.outputs, ALL, harmless)
        if all(verdict.outcome is outcome for _, verdict in verdicts):
            return True
        if time.monotonic() >= deadline:
            return False
        workshop.access.stopping.wait(PAUSE_SECONDS)
