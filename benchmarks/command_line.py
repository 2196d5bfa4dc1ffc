"""`kmslab --help`: what every call of the command line costs at least."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.timing import Figure, median_of, wall_seconds

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

HELP_SECONDS = 0.3


def measure(project: Path, repeat: int, note: Callable[[str], None]) -> list[Figure]:
    """Time the help text."""
    kmslab = str(project / ".venv" / "bin" / "kmslab")

    def once() -> float:
        return wall_seconds([kmslab, "--help"], cwd=project)

    once()  # the first call fills the page cache
    return [median_of("kmslab --help", "s", HELP_SECONDS, repeat, once, note)]
