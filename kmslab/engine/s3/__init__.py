"""S3: objects under KMS keys, with the caller's own permissions on the key."""

from __future__ import annotations


def install() -> None:
    """Apply the room's hooks to MiniStack."""
    from kmslab.engine.s3 import calls, conditions, configuration, encryption, storage

    for module in (configuration, calls, encryption, storage, conditions):
        module.install()
