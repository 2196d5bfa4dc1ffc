"""A bounded number of seats at a time: one that fails stops nobody, and Ctrl-C lets no worker live on."""

from __future__ import annotations

import os
import signal
import threading
from typing import TYPE_CHECKING

import pytest

from kmslab.classroom import pool
from kmslab.classroom.seats import Seat
from kmslab.model.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from kmslab.classroom.pool import Done

SEATS = tuple(Seat(f"s{number}", f"{number:012d}") for number in range(6))


def _work(seat: Seat) -> str:
    if seat.name == "s1":
        raise LabError("no\nroom")
    if seat.name == "s2":
        raise ZeroDivisionError("by nothing")
    if seat.name == "s3":
        raise pool.SeatFailedError("3 FAIL")
    return f"pid {os.getpid()}"


def _worker(word: str) -> Callable[[Seat], str]:
    if word == "no":
        raise LabError("cannot begin", hint="do not")
    return _work


def _dying(seat: Seat) -> str:
    if seat.name == "s0":
        os.kill(os.getpid(), signal.SIGKILL)
    return "lives"


def _dying_worker() -> Callable[[Seat], str]:
    return _dying


def _arenas() -> Callable[[Seat], str]:
    return lambda _: os.environ.get("MALLOC_ARENA_MAX", "as many as glibc likes")


def _slow_worker(folder: Path) -> Callable[[Seat], str]:
    def slow(seat: Seat) -> str:
        (folder / f"{seat.name}.pid").write_text(str(os.getpid()))
        try:
            threading.Event().wait(60)
        finally:
            (folder / f"{seat.name}.cleaned").touch()
        return ""

    return slow


def _outcomes(done: list[Done]) -> dict[str, str]:
    return {one.seat: one.why for one in done}


EXPECTED = {
    "s0": "",
    "s1": "no room",
    "s2": "ZeroDivisionError: by nothing",
    "s3": "3 FAIL",
    "s4": "",
    "s5": "",
}


def test_threads_do_every_seat_whoever_fails() -> None:
    told: list[Done] = []
    made = []

    def worker() -> Callable[[Seat], str]:
        made.append(threading.current_thread().name)
        return _work

    done = pool.in_threads(SEATS, 2, worker, told.append)
    assert _outcomes(done) == EXPECTED
    assert told == done
    assert len(made) == 2


def test_a_thread_that_cannot_begin_ends_the_run() -> None:
    with pytest.raises(LabError, match="cannot begin"):
        pool.in_threads(SEATS, 2, lambda: _worker("no"), lambda _: None)


def test_processes_do_every_seat_whoever_fails() -> None:
    told: list[Done] = []
    done = pool.in_processes(SEATS, 2, _worker, ("yes",), told.append)
    assert _outcomes(done) == EXPECTED
    assert told == done
    assert f"pid {os.getpid()}" not in {one.outcome for one in done}


def test_processes_share_little_memory_out_among_their_threads() -> None:
    (done,) = pool.in_processes(SEATS[:1], 1, _arenas, (), lambda _: None)
    assert done.outcome == "2"


def test_a_process_that_cannot_begin_ends_the_run() -> None:
    with pytest.raises(LabError, match="cannot begin") as refused:
        pool.in_processes(SEATS, 1, _worker, ("no",), lambda _: None)
    assert refused.value.hint == "do not"


def test_a_process_that_dies_costs_its_seat_only() -> None:
    done = pool.in_processes(SEATS[:3], 1, _dying_worker, (), lambda _: None)
    assert _outcomes(done) == {"s0": "its worker died", "s1": "", "s2": ""}


def test_ctrl_c_lets_workers_clean_up_and_end(tmp_path: Path) -> None:
    def interrupt() -> None:
        seen = tmp_path / f"{SEATS[0].name}.pid"
        while not seen.exists() or not seen.read_text():
            waited.wait(0.05)
        os.kill(os.getpid(), signal.SIGINT)

    waited = threading.Event()
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        threading.Thread(target=interrupt, daemon=True).start()
        with pytest.raises(KeyboardInterrupt):
            pool.in_processes(SEATS, 1, _slow_worker, (tmp_path,), lambda _: None)
    finally:
        signal.signal(signal.SIGINT, before)
    assert (tmp_path / "s0.cleaned").exists()
    assert not (tmp_path / "s1.pid").exists()
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "s0.pid").read_text()), 0)
