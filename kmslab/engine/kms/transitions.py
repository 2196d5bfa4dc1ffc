"""Key states that pass by themselves: a replica is Creating, a moved primary Updating, for a moment.

On AWS that takes up to a minute. Here it is `SECONDS`: long enough to be seen by whoever looks, short enough for
whoever waits as AWS says they must (KMS Developer Guide, "Key states of AWS KMS keys").
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from kmslab.engine.kms import records

if TYPE_CHECKING:
    from kmslab.engine.kms.records import KeyRecord

SECONDS = 0.5


def begin(key: KeyRecord, state: str) -> None:
    """Put a key into a passing state; it returns to the one that it has."""
    key["settles_to"] = key["KeyState"]
    key["settles_at"] = time.time() + SECONDS
    records.set_state(key, state)


def settle(key: KeyRecord, now: float) -> None:
    """End a passing state whose time is over.

    Args:
        key: any key.
        now: seconds since 1970.
    """
    if now >= key.get("settles_at", now + 1):
        finish(key)


def finish(key: KeyRecord) -> None:
    """End a passing state at once: CloudFormation goes on only when a replica is there."""
    if "settles_at" in key:
        records.set_state(key, key.pop("settles_to"))
        key.pop("settles_at")
