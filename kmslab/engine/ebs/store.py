"""What the room keeps beside MiniStack's volumes and snapshots."""

from __future__ import annotations

from typing import Any, TypedDict

from ministack.core.responses import AccountRegionScopedDict

from kmslab.engine import state


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


def install() -> None:
    """Have both saved and restored."""
    state.keep("ebs-settings", SETTINGS)
    state.keep("ebs-blocks", BLOCKS)
