"""CloudTrail: who used which key through which service, in the event history and to EventBridge."""

from __future__ import annotations


def install() -> None:
    """Apply the room's hooks to MiniStack."""
    from kmslab.engine.cloudtrail import alarms, delivery, digests, history, names, recorder, topics, trails

    for module in (recorder, names, history, alarms, topics, trails, digests, delivery):
        module.install()
