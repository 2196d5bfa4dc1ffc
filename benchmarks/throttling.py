"""What a bad day costs: every check with a tenth of all requests throttled, against the same without."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from benchmarks.timing import Figure, median_of, wall_seconds
from kmslab.checks.runner import run_all
from kmslab.deployed import read_outputs
from kmslab.engine import control
from kmslab.engine.capabilities import CAPABILITIES
from kmslab.lab import Access
from kmslab.model.settings import LabSettings
from kmslab.model.verdict import Outcome
from tests.stress.proxy import Trouble, spoiled

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

THROTTLED = 0.1
SLOWER = 2.0


def measure(project: Path, repeat: int, note: Callable[[str], None]) -> list[Figure]:
    """Verify through the proxy of the tests, with and without throttling, on the lab that is up.

    Raises:
        RuntimeError: a verdict was wrong; such a run has no time.
    """
    wall_seconds([str(project / ".venv" / "bin" / "kmslab"), "up"], cwd=project)
    target = control.target(project / ".kmslab")
    prefix = LabSettings.from_project(project, {}).prefix
    outputs = read_outputs(Access(target, prefix))

    def seconds(share: float, seed: int) -> float:
        with spoiled(target, share, Trouble.THROTTLED, seed=seed) as through:
            started = time.monotonic()
            verdicts = run_all(Access(through.target, prefix), outputs, CAPABILITIES)
            took = time.monotonic() - started
        if wrong := [check.id for check, verdict in verdicts if verdict.outcome is Outcome.FAIL]:
            raise RuntimeError(f"a healthy lab was said to fail {', '.join(wrong)}")
        return took

    seeds = iter(range(repeat))

    def ratio() -> float:
        seed = next(seeds)
        return seconds(THROTTLED, seed) / seconds(0.0, seed)

    seconds(0.0, 0)  # imports, page cache
    name = "every check with a tenth of the requests throttled, against none"
    return [median_of(name, "x", SLOWER, repeat, ratio, note)]
