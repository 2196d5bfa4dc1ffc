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
from kmslab.engine.server import STATE
from kmslab.project import HOME_VARIABLE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

PROJECT = Path(__file__).resolve().parent.parent
KMSLAB = str(Path(sys.executable).with_name("kmslab"))
LOOK_SECONDS = 0.02
"""Between two looks at a command that runs."""
CLOSE_LOOK_SECONDS = 0.002
"""The same while its changes are counted: some follow each other within milliseconds."""
RUN, WORK, CHANGES = "s into its run", "s into its work", "changes into its work"
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
        number: after how many seconds or changes.
        of: of what: `RUN` from its start, `WORK` from when it took the lab's lock, `CHANGES` that the engine has
            put on record since then, which reaches the moments between two of them as often as the long waits.
        victims: who is killed: of `VICTIMS`.
    """

    number: float
    of: str
    victims: str

    def __str__(self) -> str:
        return f"killed {self.victims} {self.number:.{0 if self.of == CHANGES else 2}f} {self.of}"


@dataclass(frozen=True)
class Ended:
    """How a command ended.

    Attributes:
        code: its exit code; None: it was killed.
        seconds: how long it ran.
        until_work: seconds until it took the lab's lock.
        changes: how many times the engine put changes on record since then.
        said: the end of what it said.
    """

    code: int | None
    seconds: float
    until_work: float
    changes: int
    said: str


@dataclass
class _Course:
    """How a command is doing: as `Ended`, but None before it has taken the lock."""

    seconds: float = 0.0
    until_work: float | None = None
    changes: int = 0

    def reached(self, moment: Moment) -> bool:
        if moment.of == RUN:
            return self.seconds >= moment.number
        if self.until_work is None:
            return False
        return (self.changes if moment.of == CHANGES else self.seconds - self.until_work) >= moment.number

    def ended(self, code: int | None, said: str = "") -> Ended:
        until_work = self.seconds if self.until_work is None else self.until_work
        return Ended(code, self.seconds, until_work, self.changes, said)


class Killer:
    """Runs commands on the lab of one home."""

    def __init__(self, home: Path) -> None:
        """Take the lab's home, whose parent is there."""
        self._home = home
        self._lock = home / "lock"
        self._state = home / "engine" / STATE
        self._environment = {**os.environ, HOME_VARIABLE: str(home)}

    def run(self, arguments: Sequence[str], moment: Moment | None = None) -> Ended:
        """Run ``kmslab`` to its end, or until its moment comes."""
        taken_before = _changed(self._lock)
        course, journal = _Course(), self._journal()
        with tempfile.TemporaryFile("w+", dir=self._home.parent) as said:
            began = time.monotonic()
            process = subprocess.Popen(  # noqa: S603  # our own program
                [KMSLAB, *arguments], cwd=PROJECT, env=self._environment, stdout=said, stderr=said
            )
            while True:
                with suppress(subprocess.TimeoutExpired):
                    process.wait(LOOK_SECONDS if course.until_work is None else CLOSE_LOOK_SECONDS)
                course.seconds = time.monotonic() - began
                if course.until_work is None and _changed(self._lock) != taken_before:
                    course.until_work = course.seconds
                now = self._journal()
                course.changes += course.until_work is not None and now != journal
                journal = now
                if process.returncode is None and course.seconds > GIVE_UP_SECONDS:
                    self._kill(process, CHILDREN)
                if process.returncode is not None:
                    said.seek(0)
                    return course.ended(process.returncode, " / ".join(said.read().splitlines()[-4:]))
                if moment and course.reached(moment):
                    self._kill(process, moment.victims)
                    return course.ended(None)

    def _journal(self) -> list[tuple[str, int]]:
        """The engine's journals and their sizes: with each change that it puts on record one is another."""
        with suppress(FileNotFoundError):
            return sorted((one.name, one.stat().st_size) for one in self._state.glob("journal-*"))
        return []

    def _kill(self, process: subprocess.Popen[bytes], victims: str) -> None:
        # This is its moment; to find out who its children are takes longer than a change.
        process.send_signal(signal.SIGSTOP)
        family = dict(descendants(process.pid)) if victims != ALONE else {}
        engines = {pid for pid, line in family.items() if "kmslab.engine" in line}
        if engine := control.process_of(self._home):
            engines |= {engine, *dict(descendants(engine))}
        process.kill()
        process.wait()
        for pid in family.keys() | engines if victims == ENGINE else family.keys() - engines:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


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
