"""How a figure is taken: repeated, the median kept, machine and date beside it."""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured figure.

    Attributes:
        name: what was measured.
        value: the median.
        unit: ``s``, ``MiB`` or ``x`` (a ratio).
        limit: at most this much is what the project promises.
        samples: every single measurement, in order.
        least: the promise is at least this much.
    """

    name: str
    value: float
    unit: str
    limit: float
    samples: tuple[float, ...]
    least: bool = False

    @property
    def reached(self) -> bool:
        """Whether the promise holds."""
        return self.value >= self.limit if self.least else self.value <= self.limit


def median_of(
    name: str,
    unit: str,
    limit: float,
    repeat: int,
    measure: Callable[[], float],
    note: Callable[[str], None],
) -> Figure:
    """Measure ``repeat`` times and keep the median; ``note`` hears of each sample."""
    samples = []
    for round_number in range(1, repeat + 1):
        samples.append(measure())
        note(f"{name}: {samples[-1]:.2f} {unit} ({round_number} of {repeat})")
    return Figure(name, statistics.median(samples), unit, limit, tuple(samples))


def wall_seconds(command: Sequence[str], *, cwd: Path, env: Mapping[str, str] | None = None) -> float:
    """Run a command and return its wall time in seconds.

    Raises:
        RuntimeError: it failed; the message holds the end of its output. A failed run has no time.
    """
    started = time.perf_counter()
    done = subprocess.run(  # noqa: S603  # argument lists written in this folder
        command, cwd=cwd, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    elapsed = time.perf_counter() - started
    if done.returncode:
        tail = "\n".join(done.stdout.splitlines()[-15:])
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}:\n{tail}")
    return elapsed


def machine() -> dict[str, str]:
    """Describe the machine and the day, without names."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "date": datetime.now(tz=UTC).date().isoformat(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "cores": str(os.cpu_count()),
        "memory": f"{memory:.0f} GiB",
        "load": f"{os.getloadavg()[0]:.1f}",
    }
