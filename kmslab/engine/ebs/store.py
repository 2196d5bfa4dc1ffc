"""What the room keeps beside MiniStack's volumes and snapshots."""

from __future__ import annotations

from typing import Any, TypedDict

from ministack.core.responses import AccountRegionScopedDict

from kmslab.engine import state


class BlockSet(TypedDict):
    """What the blocks of one snapshot have in common.

    Attributes:
        wrapped_key: the data key under the snapshot's KMS key; empty for an unencrypted snapshot.
        origin: id of the snapshot that the data key was made for: its encryption context.
        indexes: of the blocks that were written, in the order of writing.
    """

    wrapped_key: bytes
    origin: str
    indexes: list[int]


SETTINGS: Any = AccountRegionScopedDict()
"""Of the account and Region: ``encrypted_by_default``, ``default_key`` (ARN), ``block_public_access``."""
BLOCKS: Any = AccountRegionScopedDict()
"""Snapshot id to `BlockSet`. A scoped dictionary is false outside its account: never write ``or {}``."""
DATA: Any = AccountRegionScopedDict()
"""``<snapshot id>/<block index>`` to the block as stored: each an entry of its own, saved once."""


def install() -> None:
    """Have all saved and restored."""
    state.keep("ebs-settings", SETTINGS)
    state.keep("ebs-block-sets", BLOCKS)
    state.keep("ebs-block-data", DATA)
