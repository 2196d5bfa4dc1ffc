"""The ciphertext blob of a symmetric key: AES-256-GCM with the encryption context as authenticated data.

Layout: magic, length of the key ARN (2 bytes), key ARN, key material id (32), nonce (12), ciphertext and tag.
AWS's own layout is not public; like ours it names the key and the material, so that Decrypt needs neither.
"""

from __future__ import annotations

import json
import os
import struct
from typing import TYPE_CHECKING

from kmslab.engine.kms.errors import invalid_ciphertext

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kmslab.engine.kms.records import KeyRecord, Material

_MAGIC = b"KL1"
_HEAD = 5
_MATERIAL, _NONCE = 32, 12


def current_material(key: KeyRecord) -> Material:
    """The material that encrypts now; the key's state is Enabled, so it exists."""
    return next(material for material in reversed(key["materials"]) if material["state"] == "CURRENT")


def seal(key: KeyRecord, plaintext: bytes, context: Mapping[str, str] | None) -> bytes:
    """Encrypt under the key's current material and bind the encryption context to it."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    material = current_material(key)
    secret = material["key"]
    if secret is None:
        raise invalid_ciphertext()
    arn, nonce = key["Arn"].encode(), os.urandom(_NONCE)
    body = AESGCM(secret).encrypt(nonce, plaintext, _authenticated(arn, context))
    return _MAGIC + struct.pack(">H", len(arn)) + arn + bytes.fromhex(material["id"]) + nonce + body


def is_ours(blob: bytes) -> bool:
    """Whether the bytes begin like a ciphertext blob of a symmetric key."""
    return blob.startswith(_MAGIC)


def key_arn_of(blob: bytes) -> str:
    """The ARN of the key that made a ciphertext.

    Raises:
        KmsError: InvalidCiphertextException when it is none of ours.
    """
    if not is_ours(blob) or len(blob) < _HEAD:
        raise invalid_ciphertext()
    end = _HEAD + int(struct.unpack(">H", blob[3:_HEAD])[0])
    try:
        arn = blob[_HEAD:end].decode("ascii")
    except UnicodeDecodeError as error:
        raise invalid_ciphertext() from error
    if len(blob) < end + _MATERIAL + _NONCE:
        raise invalid_ciphertext()
    return arn


def open_sealed(key: KeyRecord, blob: bytes, context: Mapping[str, str] | None) -> tuple[bytes, str]:
    """Return the plaintext and the id of the material that encrypted it.

    Raises:
        KmsError: InvalidCiphertextException when a byte, the context or the material is not the one
            sealed; KMSInvalidStateException when the material was deleted or has expired.
    """
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    at = _HEAD + len(key_arn_of(blob))
    material_id = blob[at : at + _MATERIAL].hex()
    nonce, body = blob[at + _MATERIAL : at + _MATERIAL + _NONCE], blob[at + _MATERIAL + _NONCE :]
    secret = next((item["key"] for item in key["materials"] if item["id"] == material_id), None)
    if secret is None:
        raise invalid_ciphertext()
    try:
        return AESGCM(secret).decrypt(nonce, body, _authenticated(blob[_HEAD:at], context)), material_id
    except InvalidTag as error:
        raise invalid_ciphertext() from error


def _authenticated(arn: bytes, context: Mapping[str, str] | None) -> bytes:
    return json.dumps([arn.decode("ascii"), sorted((context or {}).items())], separators=(",", ":")).encode()
