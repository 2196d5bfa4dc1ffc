"""A random secret of the lab in a file of its own, which nobody else can read."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def kept(path: Path, size: int) -> bytes:
    """The secret in a file; it is made at first use, with mode 0600.

    Args:
        path: of the file; its folder exists.
        size: bytes of a new secret.

    Raises:
        OSError: it can be neither read nor made.
    """
    try:
        return path.read_bytes()
    except FileNotFoundError:
        secret = os.urandom(size)
    # Beside it first, then in one step: what lies under half a secret would be lost for good.
    aside = path.with_suffix(".new")
    with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(secret)
        file.flush()
        os.fsync(file.fileno())
    aside.replace(path)
    return secret
