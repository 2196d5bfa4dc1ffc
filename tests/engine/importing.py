"""Key material, wrapped and imported as a customer does it."""

from __future__ import annotations

import os
from typing import Any

from cryptography.hazmat.primitives import hashes, keywrap, serialization
from cryptography.hazmat.primitives.asymmetric import padding

FOR_GOOD = {"ExpirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE"}


def wrapped(public_der: bytes, secret: bytes, algorithm: str) -> bytes:
    """Wrap material as a customer does."""
    public: Any = serialization.load_der_public_key(public_der)
    digest: Any = hashes.SHA1() if algorithm.endswith("SHA_1") else hashes.SHA256()  # noqa: S303  # part of the API
    oaep = padding.OAEP(mgf=padding.MGF1(digest), algorithm=digest, label=None)
    if algorithm.startswith("RSAES"):
        return bytes(public.encrypt(secret, oaep))
    ephemeral = os.urandom(32)
    return bytes(public.encrypt(ephemeral, oaep)) + keywrap.aes_key_wrap_with_padding(ephemeral, secret)


def import_material(
    kms: Any, key: str, secret: bytes, algorithm: str = "RSAES_OAEP_SHA_256", **more: Any
) -> Any:
    """GetParametersForImport and ImportKeyMaterial; for good unless told otherwise."""
    given = kms.get_parameters_for_import(KeyId=key, WrappingAlgorithm=algorithm, WrappingKeySpec="RSA_2048")
    blob = wrapped(given["PublicKey"], secret, algorithm)
    more = more if "ExpirationModel" in more or "ValidTo" in more else {**FOR_GOOD, **more}
    return kms.import_key_material(
        KeyId=key, ImportToken=given["ImportToken"], EncryptedKeyMaterial=blob, **more
    )


def parameters(kms: Any, key: str, algorithm: str, spec: str = "RSA_2048") -> Any:
    return kms.get_parameters_for_import(KeyId=key, WrappingAlgorithm=algorithm, WrappingKeySpec=spec)


def state(kms: Any, key: str) -> str:
    return str(kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"])
