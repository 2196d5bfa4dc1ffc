"""Who may do what: key policies, grants, identity policies, role trust, and calls on a caller's behalf."""

from __future__ import annotations


def install() -> None:
    """Apply the room's hooks to MiniStack."""
    from kmslab.engine.authorization import (
        details,
        enforcement,
        evaluation,
        functions,
        simulation,
        trust,
        versions,
    )

    evaluation.install()
    enforcement.install()
    trust.install()
    functions.install()
    simulation.install()
    details.install()
    versions.install()
