"""The board of a class in headless Chromium: until it is painted, and until an update is seen.

`python -m benchmarks.board --seats 200`; it needs Playwright (`make setup-dev`) and a Chromium on the PATH.
"""

from __future__ import annotations

import argparse
import itertools
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.progress import note
from benchmarks.timing import Figure, machine, median_of
from kmslab.checks.catalogue import catalogue, topic
from kmslab.classroom.classes import Chosen, keep
from kmslab.classroom.events import append, event
from kmslab.classroom.seats import Seat, class_folder, keep_seats, made_up_account
from kmslab.model.target import TargetKind
from kmslab.project import HOME_VARIABLE, Project

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser

PROJECT = Path(__file__).resolve().parent.parent
PAINT_SECONDS = 0.5
UPDATE_SECONDS = 1.0
LEARNERS = ("Ada Lovelace", "Grace Hopper", "Alan Turing", "Radia Perlman", "Whitfield Diffie", "Hedy Lamarr")
SEEN = """([id, words]) => { window.seen = new Promise(resolve => {
  const row = document.getElementById(id);
  const look = () => row.textContent.includes(words) &&
    requestAnimationFrame(() => resolve(performance.timeOrigin + performance.now()));
  if (!look()) new MutationObserver(look).observe(row, { subtree: true, childList: true, characterData: true });
}); }"""
"""Begins to wait for the frame in which a row has words; milliseconds since 1970."""
UPDATES = itertools.cycle((("reset.started", "resetting"), ("deploy.started", "deploying")))
"""Events that change every row, and what the row then says."""


def write_class(project: Project, count: int) -> list[str]:
    """Make a class in the middle of its first verify: every kind of cell, one seat in eight stuck somewhere."""
    chance = random.Random(count)  # noqa: S311  # the same class each time
    names = [f"seat-{number:03}" for number in range(1, count + 1)]
    keep_seats(
        project,
        [
            Seat(name, made_up_account(name), "", LEARNERS[at % len(LEARNERS)])
            for at, name in enumerate(names)
        ],
    )
    keep(project, Chosen(TargetKind.LOCAL, {}))
    checks: dict[str, list[str]] = {}
    for check in catalogue():
        checks.setdefault(topic(check), []).append(check.id)
    folder = class_folder(project)
    for name in names:
        append(folder, event(name, "deploy.started"))
        append(folder, event(name, "deploy.done", seconds=30.0))
        append(folder, event(name, "verify.started"))
        stuck = chance.choice(list(checks)) if chance.random() < 1 / 8 else ""
        for one in list(checks)[: chance.randint(1, len(checks))]:
            failed = checks[one][:2] if one == stuck else []
            verdicts = {"PASS": len(checks[one]) - len(failed), "FAIL": len(failed)}
            append(folder, event(name, "verify.topic", topic=one, verdicts=verdicts, failed=failed))
    return names


@contextmanager
def serving(project: Project) -> Iterator[str]:
    """Serve the board as `kmslab class board` does; yield the trainer's address."""
    command = [sys.executable, "-c", "from kmslab.commands import board; board.run(0, browser=False)"]
    variables = {**os.environ, HOME_VARIABLE: str(project.home), "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(  # noqa: S603  # our own command
        command, cwd=project.root, env=variables, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout is not None  # noqa: S101  # for mypy: it is a pipe
        try:
            yield process.stdout.readline().split()[0]
        finally:
            process.terminate()


def measure(project: Path, repeat: int, note: Callable[[str], None], seats: int = 200) -> list[Figure]:
    """Time the first paint and the updates of a class of so many seats."""
    from playwright.sync_api import sync_playwright

    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if chromium is None:
        raise SystemExit("No Chromium on the PATH.")
    with tempfile.TemporaryDirectory(prefix="kmslab-board-") as home:
        lab = Project(project, Path(home))
        names = write_class(lab, seats)
        with serving(lab) as address, sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
            _first_paint(browser, address)  # the first page of a browser pays for the browser
            folder = class_folder(lab)
            figures = [
                median_of(
                    f"board of {seats} seats, first paint",
                    "s",
                    PAINT_SECONDS,
                    repeat,
                    lambda: _first_paint(browser, address),
                    note,
                ),
                median_of(
                    f"board of {seats} seats, one seat's update seen",
                    "s",
                    UPDATE_SECONDS,
                    repeat,
                    lambda: _update(browser, address, folder, names[-1:]),
                    note,
                ),
                median_of(
                    f"board of {seats} seats, every seat's update seen",
                    "s",
                    UPDATE_SECONDS,
                    repeat,
                    lambda: _update(browser, address, folder, names),
                    note,
                ),
            ]
            browser.close()
    return figures


def _page(browser: Browser, address: str) -> Any:
    page = browser.new_page(viewport={"width": 1920, "height": 1080})
    page.goto(address)
    page.wait_for_selector("#live[data-state=live]")
    return page


def _first_paint(browser: Browser, address: str) -> float:
    """Seconds from the navigation to the first paint with content, by the browser's own clock."""
    page = _page(browser, address)
    try:
        # The page may be live before its first frame was shown and noted.
        milliseconds = page.wait_for_function(
            "() => performance.getEntriesByName('first-contentful-paint')[0]?.startTime"
        ).json_value()
    finally:
        page.close()
    return float(milliseconds) / 1000


def _update(browser: Browser, address: str, folder: Path, names: list[str]) -> float:
    """Seconds from the first event's writing to the frame that shows what the last one did."""
    page = _page(browser, address)
    try:
        page.wait_for_function("() => !document.querySelector('#rows.first')")
        kind, words = next(UPDATES)
        page.evaluate(SEEN, [names[-1], words])
        started = time.time()
        for name in names:
            append(folder, event(name, kind))
        seen = page.evaluate("() => window.seen")
    finally:
        page.close()
    return float(seen) / 1000 - started


def main() -> int:
    """Measure and print a Markdown table; 1 if a figure misses its limit."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.board", description=__doc__)
    parser.add_argument("--seats", type=int, default=200, help="of the class (default 200)")
    parser.add_argument(
        "--repeat", type=int, default=5, help="samples per figure; the median counts (default 5)"
    )
    arguments = parser.parse_args()
    figures = measure(PROJECT, arguments.repeat, note, arguments.seats)
    about = machine()
    print(f"Measured {about['date']} on {about['cores']} cores, load average {about['load']}.\n")
    print("| figure | median | at most | reached |\n|---|---|---|---|")
    for one in figures:
        print(f"| {one.name} | {one.value:.2f} s | {one.limit:g} s | {'yes' if one.reached else 'NO'} |")
    return 0 if all(one.reached for one in figures) else 1


if __name__ == "__main__":
    sys.exit(main())
