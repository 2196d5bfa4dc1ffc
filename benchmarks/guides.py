"""The course: every page executed on both cores, and the site built from its pages."""

from __future__ import annotations

import shutil
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.timing import Figure, median_of, wall_seconds
from kmslab.guides import building
from kmslab.guides.course import HANDBOOK, PAGES

if TYPE_CHECKING:
    from collections.abc import Callable

COURSE_SECONDS = 360.0
SITE_SECONDS = 15.0
LABS = 2


def measure(project: Path, repeat: int, note: Callable[[str], None]) -> list[Figure]:
    """Time all pages on two labs, whose deployment counts; then the site with MkDocs installed and nothing drawn."""
    python = str(project / ".venv" / "bin" / "python")
    folder = project / "lab_guides"
    pages = [str(folder / f"{stem}.md") for stem in (*PAGES, HANDBOOK)]

    def course() -> float:
        return wall_seconds([python, "-m", "kmslab.guides", "--labs", str(LABS), *pages], cwd=project)

    def site() -> float:
        building.install(building.ENVIRONMENT)
        shutil.rmtree(building.DRAWINGS, ignore_errors=True)
        with tempfile.TemporaryDirectory(prefix="kmslab-bench-") as home:
            started = time.perf_counter()
            building.build(folder, Path(home, "site"))
            return time.perf_counter() - started

    return [
        median_of(f"every page of the course, on {LABS} labs", "s", COURSE_SECONDS, repeat, course, note),
        median_of("the course's site, built anew", "s", SITE_SECONDS, repeat, site, note),
    ]
