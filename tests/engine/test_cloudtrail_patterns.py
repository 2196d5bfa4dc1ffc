"""Which changes are shown to EventBridge at all."""

from __future__ import annotations

import json

import pytest

from kmslab.engine.cloudtrail.patterns import may_match

NAMED = json.dumps({"source": ["aws.kms"], "detail": {"eventName": ["DisableKey", "ScheduleKeyDeletion"]}})
BY_PREFIX = json.dumps({"detail": {"eventName": [{"prefix": "Disable"}]}})
BY_SOURCE = json.dumps({"source": ["aws.kms"]})


@pytest.mark.parametrize(
    ("pattern", "event_name", "shown"),
    [
        (NAMED, "DisableKey", True),
        (NAMED, "Encrypt", False),
        (BY_PREFIX, "Encrypt", True),  # only EventBridge's own matching can tell
        (BY_SOURCE, "Encrypt", True),
        ("", "Encrypt", True),  # an archive without a pattern keeps everything
    ],
)
def test_a_change_is_shown_if_a_pattern_may_want_it(pattern: str, event_name: str, *, shown: bool) -> None:
    assert may_match(pattern, event_name) is shown
