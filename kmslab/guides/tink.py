"""Page 17's Tink: ``python -m kmslab.guides.tink`` runs the example in an environment of its own.

The environment is installed on first use, from a list that is locked with hashes: Tink brings another boto3
than the lab's, and only one page needs it.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

from kmslab.guides import environments
from kmslab.model.errors import ExitCode, LabError

PROJECT = Path(__file__).resolve().parent.parent.parent
LOCK = PROJECT / "requirements-tink.txt"
EXAMPLE = Path(__file__).resolve().parent / "examples" / "tink_envelope.py"


def main(arguments: list[str] | None = None) -> int:
    """Install Tink if need be, and run the example in place of this process; ``--version`` says which Tink."""
    given = sys.argv[1:] if arguments is None else arguments
    try:
        python = install(PROJECT / ".kmslab" / "tink")
    except LabError as error:
        sys.stderr.write(f"{error.message}\n  {error.hint}\n")
        return error.exit_code
    if given != ["--version"]:
        os.execv(python, [str(python), str(EXAMPLE), *given])  # noqa: S606  # the example, as the page shows it
    sys.stdout.write(f"Tink {version()}\n")
    return ExitCode.OK


def install(home: Path) -> Path:
    """Return the Python of Tink's environment; it is made if it is missing or made from another list.

    Raises:
        LabError: it cannot be installed.
    """
    without = "Without it, read the page: what it shows is what was seen."
    return environments.install(home, LOCK, "Tink", without=without)


def version() -> str:
    """Return the version of Tink that the list names."""
    found = re.search(r"^tink==(\S+)", LOCK.read_text(encoding="utf-8"), re.MULTILINE)
    return found[1] if found else "unknown"


if __name__ == "__main__":
    sys.exit(main())
