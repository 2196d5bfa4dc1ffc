"""What a pattern of EventBridge may match, seen at a glance."""

from __future__ import annotations

import json
from functools import lru_cache


@lru_cache
def may_match(pattern: str, event_name: str) -> bool:
    """Whether an event of this name can match at all; MiniStack's own look costs much more, for every change.

    Args:
        pattern: of a rule or an archive, as JSON (EventBridge User Guide, "Creating Amazon EventBridge event
            patterns"); empty for an archive that keeps everything.
        event_name: ``eventName`` of CloudTrail's event.
    """
    try:
        names = json.loads(pattern)["detail"]["eventName"]
    except (ValueError, KeyError, TypeError):
        return True
    return event_name in names or not all(isinstance(name, str) for name in names)
