"""Page 17's Tink: ``python -m kmslab.guides.tink`` runs the example in an environment of its own.

The environment is installed on first use, from a list that is locked with hashes: Tink brings another boto3
than the lab's, and only one page needs it.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import venv
from pathlib import Path

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
    python = home / "bin" / "python"
    made_from = home / "requirements.txt"
    wanted = LOCK.read_text(encoding="utf-8")
    if made_from.is_file() and made_from.read_text(encoding="utf-8") == wanted:
        return python
    venv.create(home, clear=True, with_pip=True)
    done = subprocess.run(  # noqa: S603  # the environment's own pip and our list
        [python, "-m", "pip", "install", "--quiet", "--no-input", "--require-hashes", "-r", str(LOCK)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        why = (done.stderr.strip().splitlines() or ["pip said nothing"])[-1]
        raise LabError(
            f"Tink could not be installed: {why}",
            hint="It comes from PyPI. Without it, read the page: what it shows is what was seen.",
            exit_code=ExitCode.TOOLCHAIN,
        )
    made_from.write_text(wanted, encoding="utf-8")
    return python


def version() -> str:
    """Return the version of Tink that the list names."""
    found = re.search(r"^tink==(\S+)", LOCK.read_text(encoding="utf-8"), re.MULTILINE)
    return found[1] if found else "unknown"


if __name__ == "__main__":
    sys.exit(main())
