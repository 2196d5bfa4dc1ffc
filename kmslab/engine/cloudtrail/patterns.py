"""What a pattern of EventBridge may match, seen at a glance."""

from __future__ import annotations

import json
from functools import lru_cache


@lru_cache
def may_match(pattern: str, event_name: str) -> bool:
    """Whether an event of this name can match at all; MiniStack's own look costs much more, for every change."""
    try:
        names = json.loads(pattern)["detail"]["eventName"]
    except (ValueError, KeyError, TypeError):
        return True
    return event_name in names or not all(isinstance(name, str) for name in names)
