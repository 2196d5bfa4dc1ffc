"""The two consoles: results to stdout, everything else to stderr."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

if TYPE_CHECKING:
    from kmslab.model.errors import LabError

LOG_COLUMNS = 160
"""Width where there is no terminal to ask: what is read in a log is better cut late than early."""

out = Console(width=None if sys.stdout.isatty() or "COLUMNS" in os.environ else LOG_COLUMNS)
"""For what a command was asked for: tables, lists."""
err = Console(stderr=True)
"""For progress, errors and hints, so that stdout can be piped."""


def say(console: Console, text: str, style: str = "") -> None:
    """Print text as it is: names and ARNs hold brackets and colons, which Rich would read as its own."""
    console.print(Text(text, style), soft_wrap=True)


def print_json(value: object) -> None:
    """Print what a program reads, on standard output."""
    import json

    say(out, json.dumps(value, indent=2))


def show_error(error: LabError) -> None:
    """Print what is wrong in one red line, what the CDK CLI said about it, and a dim hint."""
    say(err, f"error: {error.message}", "red")
    for line in getattr(error, "excerpt", ()):
        say(err, f"  | {line}", "dim")
    if error.hint:
        say(err, f"  {error.hint}", "dim")
