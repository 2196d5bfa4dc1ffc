"""`make lab` from a fresh clone with warm package caches, and again."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.timing import Figure, median_of, wall_seconds

if TYPE_CHECKING:
    from collections.abc import Callable

FIRST_SECONDS = 90.0
AGAIN_SECONDS = 25.0


def measure(project: Path, repeat: int, note: Callable[[str], None]) -> list[Figure]:
    """Clone what is committed, run `make lab` twice in each clone, take the lab down."""
    again: list[float] = []

    def first_and_again() -> float:
        with tempfile.TemporaryDirectory(prefix="kmslab-bench-") as folder:
            clone = Path(folder) / "lab"
            subprocess.run(["git", "clone", "--quiet", str(project), str(clone)], check=True)  # noqa: S603, S607  # our own checkout
            try:
                first = wall_seconds(["make", "lab"], cwd=clone)
                again.append(wall_seconds(["make", "lab"], cwd=clone))
            finally:
                subprocess.run([str(clone / ".venv/bin/kmslab"), "engine", "stop"], cwd=clone, check=False)  # noqa: S603  # our own command
        return first

    fresh = median_of("make lab, fresh clone, warm caches", "s", FIRST_SECONDS, repeat, first_and_again, note)
    samples = iter(again)
    second = median_of("make lab, second run", "s", AGAIN_SECONDS, repeat, lambda: next(samples), note)
    return [fresh, second]
