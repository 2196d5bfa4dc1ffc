"""`kmslab down`: one lab destroyed and its residue proven, on the engine."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.timing import Figure, median_of, wall_seconds
from kmslab.project import HOME_VARIABLE

if TYPE_CHECKING:
    from collections.abc import Callable

SECONDS = 20.0


def measure(project: Path, repeat: int, note: Callable[[str], None]) -> list[Figure]:
    """Deploy a lab, time its destruction with the proof, and again; it fails where anything is left."""
    kmslab = str(project / ".venv" / "bin" / "kmslab")
    with tempfile.TemporaryDirectory(prefix="kmslab-bench-") as folder:
        environment = {**os.environ, HOME_VARIABLE: str(Path(folder) / "home")}

        def once() -> float:
            subprocess.run([kmslab, "up"], cwd=project, env=environment, check=True, capture_output=True)  # noqa: S603  # our own command
            return wall_seconds([kmslab, "down", "--keep-engine"], cwd=project, env=environment)

        try:
            return [median_of("kmslab down with its proof", "s", SECONDS, repeat, once, note)]
        finally:
            subprocess.run([kmslab, "engine", "stop"], cwd=project, env=environment, check=False)  # noqa: S603  # our own command
