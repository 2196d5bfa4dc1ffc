"""Imported key material for the fake KMS: tokens, both ways to wrap, expiry, deletion, rotation."""

from __future__ import annotations

import hmac
import secrets
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives import keywrap
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_private_key

from tests.checks.fakes import Refusal, Request

if TYPE_CHECKING:
    from tests.checks.fake_kms import FakeKey

WRAPPING_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
OAEP = padding.OAEP(mgf=padding.MGF1(SHA256()), algorithm=SHA256(), label=None)
WRAPPED_BYTES = 256


class FakeImports:
    """The operations of keys with origin EXTERNAL."""

    def find(self, key_id: str) -> FakeKey:
        """Return a key, with material that has expired taken away."""
        raise NotImplementedError

    def GetParametersForImport(self, request: Request) -> dict[str, Any]:
        public = WRAPPING_KEY.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        token = f"{request['KeyId']}|{request['WrappingAlgorithm']}|{secrets.token_hex(4)}"
        return {"KeyId": request["KeyId"], "ImportToken": token.encode(), "PublicKey": public}

    def ImportKeyMaterial(self, request: Request) -> dict[str, Any]:
        key = self.find(request["KeyId"])
        owner, algorithm, _ = request["ImportToken"].decode().split("|")
        if owner != key.arn:
            raise Refusal("InvalidImportTokenException")
        material = _unwrapped(request["EncryptedKeyMaterial"], algorithm)
        known = list(key.material.values())
        if material not in known and known and request.get("ImportType") != "NEW_KEY_MATERIAL":
            raise Refusal("IncorrectKeyMaterialException")
        if material not in known and known:
            key.waiting = material
        elif not known:
            key.new_material(material)
        key.valid_to = request.get("ValidTo")
        key.state = "Enabled"
        return {"KeyId": key.arn}

    def DeleteImportedKeyMaterial(self, request: Request) -> dict[str, Any]:
        self.find(request["KeyId"]).state = "PendingImport"
        return {}

    def GenerateMac(self, request: Request) -> dict[str, Any]:
        key = self.find(request["KeyId"])
        return {"Mac": hmac.digest(key.material[key.current], request["Message"], "sha256")}

    def Sign(self, request: Request) -> dict[str, Any]:
        key = self.find(request["KeyId"])
        private: Any = load_der_private_key(key.material[key.current], password=None)
        return {"Signature": private.sign(request["Message"], ec.ECDSA(SHA256()))}


def expire(key: FakeKey) -> None:
    """Take away material whose time has come."""
    if key.valid_to and key.valid_to <= datetime.now(UTC):
        key.state, key.valid_to = "PendingImport", None


def _unwrapped(wrapped: bytes, algorithm: str) -> bytes:
    try:
        if algorithm.startswith("RSAES"):
            return WRAPPING_KEY.decrypt(wrapped, OAEP)
        wrapping = WRAPPING_KEY.decrypt(wrapped[:WRAPPED_BYTES], OAEP)
        return keywrap.aes_key_unwrap_with_padding(wrapping, wrapped[WRAPPED_BYTES:])
    except (ValueError, keywrap.InvalidUnwrap):
        raise Refusal("InvalidCiphertextException") from None
