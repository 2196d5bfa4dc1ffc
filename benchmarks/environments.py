"""Environments for tools that only measurements need: installed on first use, from hash-locked lists."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.timing import wall_seconds

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def install(
    project: Path, name: str, what: str, note: Callable[[str], None], *, interpreter: str = ""
) -> Path:
    """Return the ``bin`` folder of an environment, installing it on first use.

    Args:
        project: the checkout.
        name: of the environment, ``.kmslab/<name>``, and of its list, ``benchmarks/requirements-<name>.txt``.
        what: told before it takes minutes.
        note: who is told.
        interpreter: another Python than the checkout's.
    """
    home = project / ".kmslab" / name
    done = home / "installed"
    if not done.exists():
        note(f"installing {what}, once")
        python = interpreter or str(project / ".venv" / "bin" / "python")
        wall_seconds([python, "-m", "venv", "--clear", str(home)], cwd=project)
        lock = str(project / "benchmarks" / f"requirements-{name}.txt")
        pip = [str(home / "bin" / "pip"), "install", "--quiet", "--require-hashes", "-r", lock]
        wall_seconds(pip, cwd=project)
        done.touch()
    return home / "bin"
