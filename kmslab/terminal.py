"""The two consoles: results to stdout, everything else to stderr."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from rich.console import Console

if TYPE_CHECKING:
    from kmslab.model.errors import LabError

LOG_COLUMNS = 160
"""Width where there is no terminal to ask: what is read in a log is better cut late than early."""

out = Console(width=None if sys.stdout.isatty() or "COLUMNS" in os.environ else LOG_COLUMNS)
"""For what a command was asked for: tables, lists."""
err = Console(stderr=True)
"""For progress, errors and hints, so that stdout can be piped."""


def show_error(error: LabError) -> None:
    """Print what is wrong in one red line, what the CDK CLI said about it, and a dim hint."""
    err.print(f"error: {error.message}", style="red", markup=False, highlight=False, soft_wrap=True)
    for line in getattr(error, "excerpt", ()):
        err.print(f"  | {line}", style="dim", markup=False, highlight=False, soft_wrap=True)
    if error.hint:
        err.print(f"  {error.hint}", style="dim", markup=False, highlight=False, soft_wrap=True)
