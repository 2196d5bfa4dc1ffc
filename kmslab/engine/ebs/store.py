"""The room's own state, saved, restored and reset with MiniStack's services."""

from __future__ import annotations

from typing import Any, TypedDict

from ministack.core.responses import AccountRegionScopedDict


class BlockSet(TypedDict):
    """The blocks of one snapshot.

    Attributes:
        wrapped_key: the data key under the snapshot's KMS key; empty for an unencrypted snapshot.
        origin: id of the snapshot that the data key was made for: its encryption context.
        blocks: by decimal block index, as stored.
    """

    wrapped_key: bytes
    origin: str
    blocks: dict[str, bytes]


SETTINGS: Any = AccountRegionScopedDict()
"""Of the account and Region: ``encrypted_by_default``, ``default_key`` (ARN), ``block_public_access``."""
BLOCKS: Any = AccountRegionScopedDict()
"""Snapshot id to `BlockSet`. A scoped dictionary is false outside its account: never write ``or {}``."""


def get_state() -> dict[str, Any]:
    """What MiniStack saves."""
    return {"settings": SETTINGS, "blocks": BLOCKS}


def load_persisted_state(data: dict[str, Any]) -> None:
    """Take back what was saved."""
    SETTINGS.update(data["settings"])
    BLOCKS.update(data["blocks"])


def reset() -> None:
    """Forget everything."""
    SETTINGS.clear()
    BLOCKS.clear()
