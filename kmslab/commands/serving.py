"""What the commands have in common that serve pages on this machine until Ctrl-C."""

from __future__ import annotations

import gc

from kmslab.model.errors import ExitCode, LabError
from kmslab.terminal import out, say


def announce(address: str) -> None:
    """Print where the pages are."""
    say(out, f"{address}  (Ctrl-C ends it)")


def collect_garbage() -> None:
    """Collect garbage from now on, as a command that stays does (decision 0027); what is there now stays."""
    gc.freeze()
    gc.enable()


def cannot_listen(port: int, error: OSError) -> LabError:
    """Return what to tell somebody whose port is taken, or not theirs to use."""
    return LabError(
        f"Port {port} cannot be used: {(error.strerror or str(error)).lower()}.",
        hint="Leave --port out: a free one is found.",
        exit_code=ExitCode.BAD_INPUT,
    )
