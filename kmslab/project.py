"""Where the lab lives on disk: the project folder and the lab's own home in it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from kmslab.model.errors import LabError

HOME_VARIABLE = "KMSLAB_HOME"
"""Environment variable that puts the lab's home elsewhere: a second lab beside the first, or a test's."""


@dataclass(frozen=True, slots=True)
class Project:
    """One checkout and the lab that runs from it.

    Attributes:
        root: the folder of ``app.py``, ``cdk.json`` and ``node_modules``.
        home: the lab's own folder (mode 0700): engine state, cloud assembly, logs. Not versioned.
    """

    root: Path
    home: Path

    @property
    def assembly(self) -> Path:
        """The cloud assembly that the last synthesis wrote."""
        return self.home / "cdk.out"

    def ensure_home(self) -> Path:
        """Create the lab's home if need be and return it.

        Raises:
            LabError: the folder cannot be written.
        """
        try:
            self.home.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise unwritable(self.home, error) from error
        if not os.access(self.home, os.W_OK):
            raise unwritable(self.home, PermissionError("permission denied"))
        return self.home


def find_project(start: Path | None = None) -> Project:
    """Find the checkout: the nearest folder at or above ``start``, else the one this package runs from.

    Raises:
        LabError: neither holds an ``app.py`` beside a ``cdk.json``.
    """
    here = (start or Path.cwd()).resolve()
    package = Path(__file__).resolve().parent.parent
    for folder in (here, *here.parents, package):
        if (folder / "app.py").is_file() and (folder / "cdk.json").is_file():
            given = os.environ.get(HOME_VARIABLE)
            return Project(folder, Path(given).resolve() if given else folder / ".kmslab")
    raise LabError(
        f"No KMS Lab checkout at or above {here}: app.py and cdk.json are missing.",
        hint="Change to the folder that you cloned.",
    )


def private(path: str, flags: int) -> int:
    """Open a file that nobody else may read: an ``opener`` for `open`."""
    descriptor = os.open(path, flags, 0o600)
    os.fchmod(descriptor, 0o600)  # also one that an older release made
    return descriptor


def write_private(file: Path, text: str) -> None:
    """Write a text file that nobody else may read, as a whole or not at all: who writes it may be killed."""
    aside = file.with_name(f"{file.name}.new")
    with open(aside, "w", encoding="utf-8", opener=private) as opened:
        opened.write(text)
    aside.replace(file)


def unwritable(path: Path, error: OSError, hint: str = "") -> LabError:
    """Say that a file or folder cannot be written, and what to do; about the lab's home unless told otherwise."""
    return LabError(
        f"Cannot write {path}: {(error.strerror or str(error)).lower()}.",
        hint=hint or f"Use a folder that you may write to, or name one in {HOME_VARIABLE}.",
    )
