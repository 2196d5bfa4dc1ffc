"""What a measurement says while it goes on: standard output is for its results."""

from __future__ import annotations

import sys


def note(line: str) -> None:
    """Print a line on standard error, at once."""
    print(line, file=sys.stderr, flush=True)
