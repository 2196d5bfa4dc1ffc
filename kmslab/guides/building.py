"""Builds the pages into a site: MkDocs Material, strict and offline, from an environment of its own."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

from kmslab.guides import environments
from kmslab.model.errors import LabError

PROJECT = Path(__file__).resolve().parent.parent.parent
LOCK = PROJECT / "requirements-site.txt"
PARTS = Path(__file__).resolve().parent / "site"
"""The site's settings, style and script."""
ENVIRONMENT = PROJECT / ".kmslab" / "site-tools"
DRAWINGS = ENVIRONMENT / "drawings"
"""Kept from build to build, until the tools that made them are others."""

_STAMP = ".made-of"


def build(pages: Path, site: Path) -> bool:
    """Build the site, unless it is already what the pages are now.

    Args:
        pages: the folder of the pages.
        site: where the site goes; what is there is replaced when the new one is complete.

    Returns: whether it had to be built.

    Raises:
        LabError: MkDocs cannot be installed, or refuses a page: a broken link, a drawing that cannot be read.
    """
    with environments.in_turn(site):
        return _build(pages, site)


def _build(pages: Path, site: Path) -> bool:
    made_of = _digest(pages)
    stamp = site / _STAMP
    if stamp.is_file() and stamp.read_text(encoding="utf-8") == made_of:
        return False
    python = install(ENVIRONMENT)
    made = site.with_name(f"{site.name}.new")
    settings = made.with_suffix(".yml")
    settings.write_text(
        f"INHERIT: {PARTS / 'mkdocs.yml'}\nhooks: [{PARTS / 'hooks.py'}]\ndocs_dir: {pages}\nsite_dir: {made}\n"
        f"extra: {{drawings: {DRAWINGS}}}\n",
        encoding="utf-8",
    )
    done = subprocess.run(  # noqa: S603  # the environment's own MkDocs and our settings
        [python, "-m", "mkdocs", "build", "--strict", "--clean", "-f", str(settings)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "true", "DISABLE_MKDOCS_2_WARNING": "true"},
        check=False,
    )
    settings.unlink()
    if done.returncode:
        shutil.rmtree(made, ignore_errors=True)
        said = (line for line in done.stderr.splitlines() if not line.startswith("INFO"))
        raise LabError("The site cannot be built:\n" + "\n".join(said).strip())
    (made / _STAMP).write_text(made_of, encoding="utf-8")
    shutil.rmtree(site, ignore_errors=True)
    made.rename(site)
    return True


def install(home: Path) -> Path:
    """Return the Python of MkDocs's environment; it is made if it is missing or made from another list.

    Raises:
        LabError: it cannot be installed.
    """
    without = "Without it, read the pages in lab_guides: they are plain Markdown."
    return environments.install(home, LOCK, "MkDocs", without=without)


def _digest(pages: Path) -> str:
    digest = hashlib.sha256()
    for file in sorted([*pages.rglob("*"), *PARTS.glob("*.*"), LOCK]):
        if file.is_file():
            digest.update(f"{file}\n".encode())
            digest.update(file.read_bytes())
    return digest.hexdigest()
