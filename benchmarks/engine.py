"""The local engine: how soon it answers and how much memory it holds when idle."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.timing import Figure, median_of

if TYPE_CHECKING:
    from collections.abc import Callable

READY_SECONDS = 1.2
IDLE_MIB = 100.0


def resident_mib(pid: int) -> float:
    """Resident memory of a process in MiB, from /proc (Linux)."""
    for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError(f"process {pid} has no VmRSS line")


def measure(project: Path, repeat: int, note: Callable[[str], None]) -> list[Figure]:  # noqa: ARG001  # same shape for every module
    """Start a fresh engine, wait for its first answer, look at its memory, stop it."""
    from kmslab.engine import control

    memory: list[float] = []

    def ready() -> float:
        with tempfile.TemporaryDirectory(prefix="kmslab-bench-") as folder:
            home = Path(folder)
            started = time.perf_counter()
            info = control.start(home)
            elapsed = time.perf_counter() - started
            memory.append(resident_mib(info.pid))
            control.stop(home)
        return elapsed

    figure = median_of("engine ready", "s", READY_SECONDS, repeat, ready, note)
    samples = iter(memory)
    return [figure, median_of("engine resident, idle", "MiB", IDLE_MIB, repeat, lambda: next(samples), note)]
