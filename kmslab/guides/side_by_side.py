"""Several pages at once, each on a lab that nobody else uses: what a page breaks, another page would see.

Running the course is starting processes, four of five of them the AWS CLI, one after the other. On one lab that
keeps one core busy; a second lab gives the second core as much to do.
"""

from __future__ import annotations

import queue
import subprocess
import sys
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from kmslab.guides.page import read
from kmslab.model.errors import ExitCode, LabError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_SAID = 15
"""Lines of a failed command that are told."""


def run_on_labs(
    pages: Sequence[Path], labs: int, environment: Mapping[str, str], say: Callable[[str], None]
) -> bool:
    """Deploy so many labs on engines of their own, run each page on one of them, and remove the labs.

    Args:
        pages: what to run; longer pages are begun first, so that no lab works alone at the end for long.
        labs: at least 1; no more are made than there are pages.
        environment: with ``kmslab`` and ``aws`` on its PATH. What it says of AWS is left out.
        say: told what was seen of each page when it is done.

    Returns: whether every page is right.

    Raises:
        PageError: a page breaks the markup.
        OSError: a page cannot be read.
        LabError: a lab cannot be deployed.
    """
    waiting: queue.SimpleQueue[Path] = queue.SimpleQueue()
    for page in sorted(map(read, pages), key=lambda page: len(page.steps), reverse=True):
        waiting.put(page.path)
    stopped = threading.Event()
    clean = {name: value for name, value in environment.items() if not name.startswith("AWS_")}
    with (
        tempfile.TemporaryDirectory(prefix="kmslab-labs-") as folder,
        ThreadPoolExecutor(min(labs, len(pages))) as pool,
    ):
        homes = [Path(folder, str(number)) for number in range(min(labs, len(pages)))]
        try:
            work = [
                pool.submit(_work, {**clean, "KMSLAB_HOME": str(home)}, waiting, stopped, say)
                for home in homes
            ]
            right = [done.result() for done in work]
        finally:
            stopped.set()  # after Ctrl-C, or where one lab failed: the others begin no further page
    return all(right)


def _work(
    environment: Mapping[str, str],
    waiting: queue.SimpleQueue[Path],
    stopped: threading.Event,
    say: Callable[[str], None],
) -> bool:
    """Deploy a lab, run pages on it while there are any, and stop its engine."""
    right = True
    try:
        up = _run(["kmslab", "up"], environment)
        if up.returncode:
            stopped.set()
            said = "\n".join(up.stdout.splitlines()[-_SAID:])
            raise LabError(
                f"A lab for the pages could not be deployed:\n{said}", exit_code=ExitCode.DEPLOYMENT
            )
        while not stopped.is_set():
            try:
                page = waiting.get_nowait()
            except queue.Empty:
                break
            done = _run([sys.executable, "-m", "kmslab.guides", str(page)], environment)
            right = right and done.returncode == ExitCode.OK
            if done.returncode == ExitCode.INTERRUPTED:
                break
            say(done.stdout)
    finally:
        _run(["kmslab", "engine", "stop"], environment)
    return right


def _run(command: Sequence[str], environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a command of ours among the processes of this terminal, so that Ctrl-C reaches it too."""
    return subprocess.run(  # noqa: S603  # our own commands
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
