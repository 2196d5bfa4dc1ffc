"""Measure the figures that the README states: `python -m benchmarks`, or `make bench`."""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from dataclasses import asdict
from pathlib import Path

from benchmarks.progress import note
from benchmarks.timing import machine

PROJECT = Path(__file__).resolve().parent.parent
PARTS = (
    "command_line",
    "engine",
    "engine_calls",
    "engine_data",
    "engine_load",
    "verification",
    "throttling",
    "synthesis",
    "destruction",
    "guides",
    "whole_lab",
)


def main() -> int:
    """Measure, print a Markdown table, keep the samples; 1 if a figure misses its limit."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", action="append", choices=PARTS, help="measure this part; may be repeated")
    parser.add_argument(
        "--repeat", type=int, default=5, help="samples per figure; the median counts (default 5)"
    )
    arguments = parser.parse_args()

    figures = []
    for part in arguments.only or PARTS:
        figures += importlib.import_module(f"benchmarks.{part}").measure(PROJECT, arguments.repeat, note)
    about = machine()
    print(
        f"Measured {about['date']} on {about['cores']} cores, {about['memory']}, Python {about['python']}, "
        f"load average {about['load']}.\n"
    )
    print("| figure | median | limit | reached |\n|---|---|---|---|")
    for figure in figures:
        reached = "yes" if figure.reached else "NO"
        limit = f"{'at least' if figure.least else 'at most'} {figure.limit:g} {figure.unit}"
        print(f"| {figure.name} | {figure.value:.2f} {figure.unit} | {limit} | {reached} |")
    kept = PROJECT / "benchmarks" / "results" / f"{about['date']}.json"
    kept.parent.mkdir(exist_ok=True)
    # What else was measured on the day stays: the parts may be measured one by one.
    before = json.loads(kept.read_text(encoding="utf-8"))["figures"] if kept.exists() else []
    names = {figure.name for figure in figures}
    all_figures = [one for one in before if one["name"] not in names] + [asdict(figure) for figure in figures]
    kept.write_text(json.dumps({"machine": about, "figures": all_figures}, indent=1) + "\n", encoding="utf-8")
    return 0 if all(figure.reached for figure in figures) else 1


if __name__ == "__main__":
    sys.exit(main())
