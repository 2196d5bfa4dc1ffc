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

from benchmarks.score.result import Greens, Result
from benchmarks.score.scanners import SCANNERS, noticed_by
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
    from collections.abc import Iterator

    from kmslab.faults.workshop import Workshop

PROJECT = Path(__file__).resolve().parents[2]


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
        choices=["none", *(scanner.name for scanner in SCANNERS)],
        help="compare with it; may be repeated (default: with all of them)",
    )
    arguments = parser.parse_args()
    faults = [
        REGISTRY[one]
        for one in sorted(REGISTRY)
        if not arguments.only or one.startswith(tuple(arguments.only))
    ]
    with _own_lab() as workshop:
        greens = _greens(workshop, arguments.greens)
        result = score(faults, workshop, CAPABILITIES, tell)
        templates = Templates.read(find_project().assembly, workshop.prefix)
        environment = lab_environment(PROJECT)
        others = [
            noticed_by(scanner, faults, workshop, templates, environment, _note)
            for scanner in SCANNERS
            if scanner.name in (arguments.scanner or [scanner.name])
        ]
    measured = Result(machine(), len(catalogue()), result, greens, others)
    print(measured.table())
    kept = PROJECT / "benchmarks" / "results" / f"score-{measured.machine['date']}.json"
    kept.write_text(json.dumps(measured.as_json(), indent=1) + "\n", encoding="utf-8")
    return 0 if measured.perfect else 1


@contextmanager
def _own_lab() -> Iterator[Workshop]:
    """Deploy a lab that nobody else works on, and stop its engine in the end."""
    kmslab = str(Path(sys.executable).with_name("kmslab"))
    with tempfile.TemporaryDirectory(prefix="kmslab-score-") as folder:
        os.environ[HOME_VARIABLE] = str(Path(folder) / "home")
        try:
            subprocess.run([kmslab, "up"], cwd=PROJECT, check=True)  # noqa: S603  # our own command
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
        _note(f"green {done + 1} of {asked}")
    return Greens(asked, asked, {}, time.monotonic() - started)


def _note(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
