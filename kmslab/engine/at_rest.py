"""What the engine stores for a service is ciphertext under a data key that the KMS key wraps.

Whether a caller may use the key is decided before, by `kmslab.engine.authorization.on_behalf.use_key`;
this is the storage side, as a service holds a plaintext data key in memory while it works.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from kmslab.engine.kms import envelope, records

if TYPE_CHECKING:
    from collections.abc import Mapping

MARK = b"KLS3"
"""What a sealed file begins with; the length of the wrapped data key (2 bytes) and the key follow."""
_NONCE, _TAG = 12, 16
OVERHEAD = _NONCE + _TAG
"""Bytes that ciphertext is longer than its plaintext."""


@dataclass(frozen=True, slots=True)
class DataKey:
    """A 256-bit data key.

    Attributes:
        wrapped: the data key under the KMS key; what is stored beside the ciphertext.
    """

    wrapped: bytes
    _plaintext: bytes = field(repr=False)

    @classmethod
    def generate(cls, key_ref: str, context: Mapping[str, str]) -> Self:
        """Make a data key under a KMS key.

        Raises:
            KmsError: the KMS key does not exist or its material is gone.
        """
        plaintext = os.urandom(32)
        return cls(envelope.seal(records.require(key_ref), plaintext, context), plaintext)

    @classmethod
    def unwrap(cls, wrapped: bytes, context: Mapping[str, str]) -> Self:
        """Open a stored data key.

        Raises:
            KmsError: the KMS key or its material is gone, or the context is another.
        """
        key = records.require(envelope.key_arn_of(wrapped))
        plaintext, _ = envelope.open_sealed(key, wrapped, context)
        return cls(wrapped, plaintext)

    def encrypt(self, plaintext: bytes, bound_to: str) -> bytes:
        """AES-256-GCM, bound to the name of what is stored; the nonce leads."""
        target = bytearray(OVERHEAD + len(plaintext))
        self.encrypt_into(memoryview(target), plaintext, bound_to)
        return bytes(target)

    def encrypt_into(self, target: memoryview, plaintext: bytes, bound_to: str) -> None:
        """Encrypt into a buffer that is `OVERHEAD` bytes longer: 64 MiB are not copied once more."""
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        target[:_NONCE] = os.urandom(_NONCE)
        nonce, cipher = bytes(target[:_NONCE]), AESGCM(self._plaintext)
        cipher.encrypt_into(nonce, plaintext, bound_to.encode(), target[_NONCE:])

    def decrypt(self, stored: bytes | memoryview, bound_to: str) -> bytes:
        """Return the plaintext of nonce, ciphertext and tag.

        Raises:
            cryptography.exceptions.InvalidTag: the store was changed.
        """
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        return AESGCM(self._plaintext).decrypt(stored[:_NONCE], stored[_NONCE:], bound_to.encode())
