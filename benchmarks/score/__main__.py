"""Measure the verifier by the lab's faults, on a lab of its own, and print its score."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.progress import note
from benchmarks.score.linters import CdkNag, CfnGuard, Checkov
from benchmarks.score.prowler import Prowler
from benchmarks.score.result import Greens, Result
from benchmarks.score.scanners import noticed_by_linter, noticed_by_prober
from benchmarks.timing import machine
from benchmarks.verification import lab_environment
from kmslab.checks.catalogue import catalogue
from kmslab.checks.runner import run_all
from kmslab.engine.capabilities import CAPABILITIES
from kmslab.faults import REGISTRY
from kmslab.faults.templates import Templates
from kmslab.project import HOME_VARIABLE, find_project
from kmslab.trial import GOOD, open_workshop, score, tell

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from benchmarks.score.scanners import Linter
    from kmslab.faults.workshop import Workshop

PROJECT = Path(__file__).resolve().parents[2]
EVERY_PART = ("-c", "kmslab.network=true")
"""The optional parts that faults are made in."""
LINTERS: dict[str, Callable[[Callable[[str], None]], Linter]] = {
    "checkov": Checkov,
    "cfn-guard": CfnGuard,
    "cdk-nag": CdkNag,
}


def main() -> int:
    """Print a Markdown table, keep everything as JSON; 1 if the score is not perfect."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.score", description=__doc__)
    parser.add_argument(
        "--only", action="append", default=[], metavar="FAULT|TOPIC", help="these faults; may be repeated"
    )
    parser.add_argument("--greens", type=int, default=0, help="runs on the healthy lab (default: none)")
    parser.add_argument(
        "--scanner",
        action="append",
        choices=["none", *LINTERS, "prowler"],
        help="compare with it; may be repeated (default: with all of them)",
    )
    parser.add_argument(
        "--prowler-every",
        type=int,
        default=1,
        metavar="N",
        help="show prowler every Nth fault only: it takes half a minute for each (default: all)",
    )
    parser.add_argument(
        "--scanners-only", action="store_true", help="compare scanners with each other, without our own trial"
    )
    arguments = parser.parse_args()
    words = tuple(arguments.only)
    with _own_lab() as workshop:
        faults = [
            fault
            for name, fault in sorted(REGISTRY.items())
            if fault.fits(workshop.outputs) and (not words or name.startswith(words))
        ]
        faults = [fault for fault in faults if fault.fits(workshop.outputs)]
        greens = _greens(workshop, arguments.greens)
        own = () if arguments.scanners_only else faults
        result = score(own, workshop, CAPABILITIES, tell)
        wanted = arguments.scanner or [*LINTERS, "prowler"]
        templates = Templates.read(find_project().assembly, workshop.prefix)
        others = [
            noticed_by_linter(linter(note), faults, templates)
            for name, linter in LINTERS.items()
            if name in wanted
        ]
        if "prowler" in wanted:
            shown = faults[:: arguments.prowler_every]
            others.append(noticed_by_prober(Prowler(note), shown, workshop, lab_environment(PROJECT), note))
    measured = Result(machine(), len(catalogue()), result, greens, others)
    print(measured.table())
    what = "scanners" if arguments.scanners_only else "score"
    kept = PROJECT / "benchmarks" / "results" / f"{what}-{measured.machine['date']}.json"
    kept.parent.mkdir(exist_ok=True)
    kept.write_text(json.dumps(measured.as_json(), indent=1) + "\n", encoding="utf-8")
    return 0 if measured.perfect else 1


@contextmanager
def _own_lab() -> Iterator[Workshop]:
    """Deploy a lab that nobody else works on, and stop its engine in the end."""
    kmslab = str(Path(sys.executable).with_name("kmslab"))
    with tempfile.TemporaryDirectory(prefix="kmslab-score-") as folder:
        os.environ[HOME_VARIABLE] = str(Path(folder) / "home")
        try:
            subprocess.run([kmslab, "up", *EVERY_PART], cwd=PROJECT, check=True)  # noqa: S603  # our own command
            yield open_workshop()
        finally:
            subprocess.run([kmslab, "engine", "stop"], cwd=PROJECT, check=False)  # noqa: S603  # our own command


def _greens(workshop: Workshop, asked: int) -> Greens:
    """Run every check on the healthy lab until one is not green, or as often as asked."""
    started = time.monotonic()
    for done in range(asked):
        verdicts = run_all(workshop.access, workshop.outputs, CAPABILITIES)
        red = {
            check.id: f"{verdict.outcome}: {verdict.summary}"
            for check, verdict in verdicts
            if verdict.outcome not in GOOD
        }
        if red:
            return Greens(asked, done, red, time.monotonic() - started)
        note(f"green {done + 1} of {asked}")
    return Greens(asked, asked, {}, time.monotonic() - started)


if __name__ == "__main__":
    sys.exit(main())
