"""S3: objects under KMS keys, with the caller's own permissions on the key."""

from __future__ import annotations


def install() -> None:
    """Apply the room's hooks to MiniStack."""
    from kmslab.engine.s3 import calls, conditions, configuration, encryption, etag, storage, update

    # The call is bound around all that works on it: each dispatch wraps those before it.
    for module in (configuration, update, calls, encryption, etag, storage, conditions):
        module.install()
