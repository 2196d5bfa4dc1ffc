"""CloudTrail: who used which key through which service, in the event history and to EventBridge."""

from __future__ import annotations


def install() -> None:
    """Apply the room's hooks to MiniStack."""
    from kmslab.engine.cloudtrail import (
        alarms,
        delivery,
        digests,
        history,
        names,
        recorder,
        selectors,
        tags,
        topics,
        trail_names,
        trails,
    )

    # Trails' names before the recorder: what is refused for them is recorded.
    modules = (
        trail_names,
        recorder,
        names,
        history,
        alarms,
        topics,
        trails,
        tags,
        selectors,
        digests,
        delivery,
    )
    for module in modules:
        module.install()
