"""One build of the site for every test and every pytest worker."""

from __future__ import annotations

from pathlib import Path

import pytest

from kmslab.guides import building

PAGES = Path(__file__).resolve().parent.parent.parent / "lab_guides"


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """The site of the project, built with MkDocs in its own environment (installed if it is not there yet)."""
    base = tmp_path_factory.getbasetemp()
    folder = (base if worker_id == "master" else base.parent) / "site-of-the-course"
    building.build(PAGES, folder / "site")  # the first worker builds, the others wait here
    return folder / "site"
