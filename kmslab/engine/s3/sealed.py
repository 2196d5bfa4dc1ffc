"""The file of an object: a mark, the data key beside it, and AES-256-GCM; read without an engine too.

The data key is wrapped by the object's KMS key, or by the lab's own S3 key for SSE-S3 ("it encrypts the key
itself with a root key", S3 User Guide). For SSE-C there is none: the customer's key encrypts, and nobody keeps it.
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from kmslab.engine.at_rest import MARK, OVERHEAD, DataKey
from kmslab.engine.kms.errors import KmsError
from kmslab.engine.secret_file import kept

if TYPE_CHECKING:
    from pathlib import Path

ROOT_KEY = "s3.key"
"""File of the lab's S3 key, in the engine's folder."""
_ROOT_MARK = b"S3R"
_KEY_BYTES, _NONCE = 32, 12
HEAD = len(MARK) + 2


@dataclass(frozen=True, slots=True)
class SealedFile:
    """An object's file, taken apart.

    Attributes:
        wrapped: the encrypted data key; empty for SSE-C.
        ciphertext: nonce, ciphertext and tag; what was read of it.
    """

    wrapped: bytes
    ciphertext: memoryview

    @classmethod
    def parse(cls, stored: bytes) -> Self | None:
        """Take a file's beginning apart; None when it is not one of ours."""
        if not stored.startswith(MARK) or len(stored) < HEAD:
            return None
        end = HEAD + int(struct.unpack(">H", stored[len(MARK) : HEAD])[0])
        return cls(stored[HEAD:end], memoryview(stored)[end:])

    @property
    def under_root_key(self) -> bool:
        """Whether the lab's S3 key wraps the data key."""
        return self.wrapped.startswith(_ROOT_MARK)

    @property
    def kms_key_arn(self) -> str:
        """ARN of the KMS key that wraps the data key; empty when none does."""
        from kmslab.engine.kms.envelope import key_arn_of

        try:
            return key_arn_of(self.wrapped)
        except KmsError:
            return ""


def build(data_key: DataKey, content: bytes, name: str) -> bytearray:
    """The bytes of a file: content under a data key, bound to the name of the object."""
    begin = b"".join((MARK, struct.pack(">H", len(data_key.wrapped)), data_key.wrapped))
    file = bytearray(len(begin) + OVERHEAD + len(content))
    file[: len(begin)] = begin
    data_key.encrypt_into(memoryview(file)[len(begin) :], content, name)
    return file


class RootKey:
    """The lab's S3 key, which SSE-S3 wraps data keys with. The state of the lab does not hold it."""

    def __init__(self, secret: bytes) -> None:
        """Use a secret of 32 bytes."""
        self._secret = secret

    @classmethod
    def of(cls, folder: Path) -> Self:
        """The key of an engine's folder; made at first use, with mode 0600."""
        return cls(kept(folder / ROOT_KEY, _KEY_BYTES))

    def generate(self, bound_to: str) -> DataKey:
        """Make a data key for what has this name."""
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        plaintext, nonce = os.urandom(_KEY_BYTES), os.urandom(_NONCE)
        wrapped = AESGCM(self._secret).encrypt(nonce, plaintext, bound_to.encode())
        return DataKey(_ROOT_MARK + nonce + wrapped, plaintext)

    def unwrap(self, wrapped: bytes, bound_to: str) -> DataKey:
        """Open a stored data key.

        Raises:
            cryptography.exceptions.InvalidTag: it was made for something else, under another key, or changed.
        """
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        nonce, sealed = wrapped[len(_ROOT_MARK) :][:_NONCE], wrapped[len(_ROOT_MARK) + _NONCE :]
        return DataKey(wrapped, AESGCM(self._secret).decrypt(nonce, sealed, bound_to.encode()))
