"""The KMS service: our own, in place of MiniStack's handler, over MiniStack's record store.

Rooms follow the API reference: keys, policies, aliases, tags, grants, encryption, signing, macs,
agreement, rotation, imported material, replicas. Each operation is registered with `service.operation`.
"""

from __future__ import annotations


def install() -> None:
    """Apply the room's hooks to MiniStack."""
    from kmslab.engine.kms import seams

    seams.install()
