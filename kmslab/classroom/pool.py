"""A bounded number of seats at a time, in threads or in processes; one that fails does not stop the others."""

from __future__ import annotations

import multiprocessing
import os
import queue
import signal
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import wait
from typing import TYPE_CHECKING, Any, cast

from kmslab.model.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from multiprocessing.connection import Connection
    from multiprocessing.process import BaseProcess

    from kmslab.classroom.seats import Seat

CLEAN_UP_SECONDS = 60.0
"""How long an interrupted worker may take to remove what it made."""
_MEMORY = {"MALLOC_ARENA_MAX": "2"}
"""For worker processes: each seat's checks run in new threads, and glibc would keep memory apart for many of them
(without, a worker held 250 MB after 18 seats and went on growing; with it, 180 MB from the tenth seat on)."""


@dataclass(frozen=True, slots=True)
class Done:
    """What became of one seat.

    Attributes:
        seat: its name.
        seconds: how long it took.
        outcome: in a few words.
        why: it failed; empty: it did not.
    """

    seat: str
    seconds: float
    outcome: str
    why: str = ""


class SeatFailedError(Exception):
    """A seat was worked on to the end, and what came out is not as it should be: says what, in one line."""


def in_one_line(error: BaseException) -> str:
    """Return why a seat failed."""
    known = isinstance(error, (LabError, SeatFailedError))
    said = str(error) if known else f"{type(error).__name__}: {error}"
    return " ".join(said.split()) or type(error).__name__


def attempt(work: Callable[[Seat], str], seat: Seat) -> Done:
    """Do the work on one seat; whatever goes wrong there stays there."""
    clock = time.monotonic()
    try:
        outcome, why = work(seat), ""
    except Exception as error:  # noqa: BLE001  # one seat's trouble, of whatever kind, is not the others'
        outcome, why = "failed", in_one_line(error)
    return Done(seat.name, time.monotonic() - clock, outcome, why)


def in_threads(
    seats: Sequence[Seat],
    jobs: int,
    worker: Callable[[], Callable[[Seat], str]],
    told: Callable[[Done], None],
) -> list[Done]:
    """Work on seats in threads.

    Args:
        seats: in the order in which they are begun.
        jobs: at a time.
        worker: called once in each thread; returns what does the work.
        told: of each seat when it is done, in this thread.

    Raises:
        KeyboardInterrupt: passed on, after the seats under way were let finish.
    """
    waiting: queue.SimpleQueue[Seat] = queue.SimpleQueue()
    for seat in seats:
        waiting.put(seat)
    done: queue.SimpleQueue[Done | BaseException] = queue.SimpleQueue()
    stop = threading.Event()

    def run() -> None:
        try:
            work = worker()
            while not stop.is_set():
                try:
                    seat = waiting.get_nowait()
                except queue.Empty:
                    return
                done.put(attempt(work, seat))
        except BaseException as error:  # noqa: BLE001  # said where somebody waits for it
            done.put(error)

    threads = [
        threading.Thread(target=run, name=f"seats-{number}", daemon=True)
        for number in range(max(1, min(jobs, len(seats))))
    ]
    for thread in threads:
        thread.start()
    found: list[Done] = []
    try:
        while len(found) < len(seats):
            one = done.get()
            if isinstance(one, BaseException):
                raise one
            found.append(one)
            told(one)
    finally:
        stop.set()
        for thread in threads:
            thread.join(CLEAN_UP_SECONDS)
    return found


def in_processes(
    seats: Sequence[Seat],
    jobs: int,
    worker: Callable[..., Callable[[Seat], str]],
    arguments: tuple[Any, ...],
    told: Callable[[Done], None],
) -> list[Done]:
    """Work on seats in processes of their own: Python runs one thread at a time in each.

    Args:
        seats: in the order in which they are begun.
        jobs: processes.
        worker: a function of a module, called once in each process; returns what does the work.
        arguments: of ``worker``; picklable, and nothing secret.
        told: of each seat when it is done.

    Raises:
        LabError: a worker could not begin.
        KeyboardInterrupt: passed on, after the workers have removed what they made.
    """
    workers = _Workers(seats, worker, arguments, told)
    try:
        for _ in range(max(1, min(jobs, len(seats)))):
            workers.start()
        while workers.busy:
            for ours in wait(list(workers.busy)):
                workers.answered(cast("Connection", ours))
    finally:
        workers.end()
    return workers.found


class _Workers:
    """The processes of one run, and who works on what."""

    def __init__(
        self,
        seats: Sequence[Seat],
        worker: Callable[..., Callable[[Seat], str]],
        arguments: tuple[Any, ...],
        told: Callable[[Done], None],
    ) -> None:
        self.found: list[Done] = []
        self.busy: dict[Connection, Seat | None] = {}
        self._waiting = list(reversed(seats))
        self._processes: list[BaseProcess] = []
        self._worker, self._arguments, self._told = worker, arguments, told

    def start(self) -> None:
        """Start a process; it says when it is ready."""
        os.environ.update(_MEMORY)  # glibc reads it as a process starts: this one is not changed any more
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=_serve, args=(theirs, self._worker, self._arguments), daemon=True)
        process.start()
        theirs.close()
        self._processes.append(process)
        self.busy[ours] = None

    def answered(self, ours: Connection) -> None:
        """Take what a worker says, and give it the next seat."""
        seat = self.busy[ours]
        try:
            answer = ours.recv()
        except EOFError:
            del self.busy[ours]
            if seat is None:
                raise LabError("A worker of the class died before it began.", hint="Try again.") from None
            self._done(Done(seat.name, 0.0, "failed", "its worker died"))
            if self._waiting:
                self.start()
            return
        if isinstance(answer, LabError):
            raise answer
        if answer is not None:
            self._done(answer)
        if self._waiting:
            self.busy[ours] = self._waiting.pop()
            ours.send(self.busy[ours])
        else:
            del self.busy[ours]
            ours.close()

    def end(self) -> None:
        """Have every process end; one that is at work removes first what it made."""
        for process in self._processes:
            if self.busy and process.is_alive() and process.pid:
                with suppress(ProcessLookupError):
                    os.kill(process.pid, signal.SIGINT)
        for process in self._processes:
            process.join(CLEAN_UP_SECONDS)
            if process.is_alive():
                process.kill()
                process.join()

    def _done(self, one: Done) -> None:
        self.found.append(one)
        self._told(one)


def _serve(
    theirs: Connection, worker: Callable[..., Callable[[Seat], str]], arguments: tuple[Any, ...]
) -> None:
    """Live as a worker: take seats until there are no more, or until whoever gave them is gone."""
    os.setpgrp()  # Ctrl-C is for whoever gave the seats; it tells us once
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        try:
            work = worker(*arguments)
        except LabError as error:
            theirs.send(LabError(error.message, hint=error.hint, exit_code=error.exit_code))
            return
        theirs.send(None)
        while True:
            theirs.send(attempt(work, theirs.recv()))
    except (EOFError, OSError, KeyboardInterrupt):
        return
