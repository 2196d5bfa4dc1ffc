"""Bytes in the saved state are ciphertext under a secret of the lab: key material above all.

The secret lies beside the folder of the state, not in it: a copy of the state alone opens nothing. What is
sealed is every value of type ``bytes``, so that no list of secret members can be forgotten to be kept.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, Self

from kmslab.engine.secret_file import kept

if TYPE_CHECKING:
    from pathlib import Path

SECRET = "state.key"  # noqa: S105  # the name of a file
_BYTES = 64
_MARK = "__sealed__"


class Seal:
    """Writes and reads JSON whose bytes are sealed with AES-256-SIV (RFC 5297).

    The same bytes are sealed alike each time, so that an unchanged state is seen to be unchanged.
    """

    def __init__(self, secret: bytes) -> None:
        """Use a secret of 64 bytes."""
        from cryptography.hazmat.primitives.ciphers.aead import AESSIV

        self._cipher = AESSIV(secret)

    @classmethod
    def of(cls, folder: Path) -> Self:
        """The seal of the state in this folder; its secret is made at first use, with mode 0600."""
        return cls(kept(folder.parent / SECRET, _BYTES))

    def encoded(self, value: object) -> Any:
        """What JSON gets for a value that it does not know: `json.dumps`'s ``default``."""
        from ministack.core.persistence import _json_default

        if isinstance(value, (bytes, bytearray)):
            # An empty text has nothing to hide, and AES-SIV does not take it.
            return {
                _MARK: base64.b64encode(self._cipher.encrypt(bytes(value), None) if value else b"").decode()
            }
        return _json_default(value)

    def decoded(self, members: dict[str, Any]) -> Any:
        """The value of an object of JSON: `json.loads`'s ``object_hook``.

        Raises:
            cryptography.exceptions.InvalidTag: it was sealed under another secret, or changed.
        """
        from ministack.core.persistence import _json_object_hook

        if _MARK in members:
            sealed = base64.b64decode(members[_MARK])
            return self._cipher.decrypt(sealed, None) if sealed else b""
        return _json_object_hook(members)
