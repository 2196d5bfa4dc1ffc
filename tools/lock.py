"""Lock the dependencies again: ``requirements*.txt`` from ``requirements*.in``, and ``package-lock.json``.

The files hold the same packages on every machine, with hashes, and no address of a registry: where a
machine finds its packages is its own configuration.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
COMPILE = (
    *("pip", "compile", "--quiet", "--upgrade"),
    *("--generate-hashes", "--no-annotate", "--custom-compile-command", "make lock"),
)
EVERY_PYTHON = ("--universal", "--python-version", "3.11")
# requirements-dev.in holds requirements.txt as a constraint: lock the latter first.
NAMES = (
    *("requirements-uv", "requirements-node", "requirements-aws-cli", "requirements", "requirements-dev"),
    *("requirements-site", "requirements-tink"),
    *("benchmarks/requirements-prowler", "benchmarks/requirements-scanners"),
    *(
        "benchmarks/requirements-ministack",
        "benchmarks/requirements-moto",
        "benchmarks/requirements-localemu",
    ),
)
ONE_PYTHON = {"benchmarks/requirements-localemu": ("--python-version", "3.13")}
"""What does not resolve for every later Python: LocalEmu needs 3.13, and it and its moto disagree about 3.14."""


def main() -> None:
    """Write every lock file."""
    from kmslab.toolchain import require_node

    uv = str(Path(sys.executable).parent / "uv")
    for name in NAMES:
        print(f"  {name}.txt ...", flush=True)
        pythons = ONE_PYTHON.get(name, EVERY_PYTHON)
        _run([uv, *COMPILE, *pythons, "--output-file", f"{name}.txt", f"{name}.in"])
    print("  package-lock.json ...", flush=True)
    node = require_node()
    os.environ["PATH"] = os.pathsep.join((str(node.executable.parent), os.environ.get("PATH", "")))
    flags = (
        "--package-lock-only",
        "--ignore-scripts",
        "--omit-lockfile-registry-resolved",
        "--no-audit",
        "--no-fund",
    )
    _run([*node.npm, "install", *flags, "--loglevel=error"])


def _run(command: list[str]) -> None:
    subprocess.run(command, cwd=ROOT, check=True)  # noqa: S603  # commands of this file, no shell


if __name__ == "__main__":
    main()
