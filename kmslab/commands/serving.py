"""What the commands have in common that serve pages on this machine until Ctrl-C."""

from __future__ import annotations

from kmslab.model.errors import ExitCode, LabError
from kmslab.terminal import out, say


def announce(address: str) -> None:
    """Print where the pages are."""
    say(out, f"{address}  (Ctrl-C ends it)")


def cannot_listen(port: int, error: OSError) -> LabError:
    """Return what to tell somebody whose port is taken, or not theirs to use."""
    return LabError(
        f"Port {port} cannot be used: {(error.strerror or str(error)).lower()}.",
        hint="Leave --port out: a free one is found.",
        exit_code=ExitCode.BAD_INPUT,
    )
