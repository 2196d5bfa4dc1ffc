"""Starts commands on a lab, and kills them when their moment comes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from kmslab.engine import control
from kmslab.project import HOME_VARIABLE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

PROJECT = Path(__file__).resolve().parent.parent
KMSLAB = str(Path(sys.executable).with_name("kmslab"))
LOOK_SECONDS = 0.02
"""Between two looks at a command that runs."""
GIVE_UP_SECONDS = 300.0
"""After which a command that does not end is killed with its children."""
ALONE, CHILDREN, ENGINE = "alone", "with its children", "with the engine"
VICTIMS = (ALONE, ALONE, CHILDREN, ENGINE)
"""Who is killed: the command, as ``kill -9`` does; the CDK CLI too, as a terminal that closes; everything, as a
container that is stopped."""


@dataclass(frozen=True)
class Moment:
    """When a command is killed.

    Attributes:
        seconds: after which.
        working: they count from when it took the lab's lock, not from its start.
        victims: who is killed: of `VICTIMS`.
    """

    seconds: float
    working: bool
    victims: str

    def __str__(self) -> str:
        return f"killed {self.victims} {self.seconds:.2f} s into its {'work' if self.working else 'run'}"


@dataclass(frozen=True)
class Ended:
    """How a command ended.

    Attributes:
        code: its exit code; None: it was killed.
        seconds: how long it ran.
        until_work: seconds until it took the lab's lock.
        said: the end of what it said.
    """

    code: int | None
    seconds: float
    until_work: float
    said: str


class Killer:
    """Runs commands on the lab of one home."""

    def __init__(self, home: Path) -> None:
        """Take the lab's home, whose parent is there."""
        self._home = home
        self._lock = home / "lock"
        self._environment = {**os.environ, HOME_VARIABLE: str(home)}

    def run(self, arguments: Sequence[str], moment: Moment | None = None) -> Ended:
        """Run ``kmslab`` to its end, or until its moment comes."""
        taken_before = _changed(self._lock)
        with tempfile.TemporaryFile("w+", dir=self._home.parent) as said:
            began, until_work = time.monotonic(), 0.0
            process = subprocess.Popen(  # noqa: S603  # our own program
                [KMSLAB, *arguments], cwd=PROJECT, env=self._environment, stdout=said, stderr=said
            )
            while True:
                with suppress(subprocess.TimeoutExpired):
                    process.wait(LOOK_SECONDS)
                seconds = time.monotonic() - began
                if not until_work and _changed(self._lock) != taken_before:
                    until_work = seconds
                if process.returncode is None and seconds > GIVE_UP_SECONDS:
                    self._kill(process, CHILDREN)
                if process.returncode is not None:
                    said.seek(0)
                    end = " / ".join(said.read().splitlines()[-4:])
                    return Ended(process.returncode, seconds, until_work or seconds, end)
                if moment and seconds - _since(moment, until_work) >= moment.seconds:
                    self._kill(process, moment.victims)
                    return Ended(None, seconds, until_work or seconds, "")

    def _kill(self, process: subprocess.Popen[bytes], victims: str) -> None:
        family = dict(descendants(process.pid)) if victims != ALONE else {}
        engines = {pid for pid, line in family.items() if "kmslab.engine" in line}
        if running := control.status(self._home):
            engines |= {running.pid, *dict(descendants(running.pid))}
        process.kill()
        process.wait()
        for pid in family.keys() | engines if victims == ENGINE else family.keys() - engines:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def _since(moment: Moment, until_work: float) -> float:
    """From when on a moment counts, in seconds after the start."""
    if not moment.working:
        return 0.0
    return until_work or float("inf")


def _changed(path: Path) -> int:
    """When a file was opened for writing last; 0: there is none."""
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return 0


def processes() -> Iterator[tuple[int, str]]:
    """Process id and command line of every process."""
    for line in _ps("pid=,args="):
        pid, _, rest = line.strip().partition(" ")
        yield int(pid), rest


def descendants(pid: int) -> Iterator[tuple[int, str]]:
    """Process id and command line of every process that one started, and of theirs."""
    children: dict[int, list[int]] = {}
    for line in _ps("pid=,ppid="):
        child, parent = map(int, line.split())
        children.setdefault(parent, []).append(child)
    lines, waiting = dict(processes()), [pid]
    while waiting:
        for child in children.get(waiting.pop(), ()):
            waiting.append(child)
            yield child, lines.get(child, "")


def _ps(columns: str) -> list[str]:
    command = ["ps", "-Aww", "-o", columns]  # -ww: however wide the terminal
    done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603  # ps of POSIX
    return done.stdout.splitlines()
