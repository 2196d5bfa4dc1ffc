"""Key material: made here, kept as bytes, parsed once."""

from __future__ import annotations

import hashlib
import os
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from kmslab.engine.kms import specs

if TYPE_CHECKING:
    from kmslab.engine.kms.records import KeyRecord, Material

_CURVES = {
    "ECC_NIST_P256": "SECP256R1",
    "ECC_NIST_P384": "SECP384R1",
    "ECC_NIST_P521": "SECP521R1",
    "ECC_SECG_P256K1": "SECP256K1",
}
"""Key spec to the name of pyca/cryptography's curve."""


def material_id(key_id: str, secret: bytes) -> str:
    """KeyMaterialId: 64 hexadecimal digits, the same whenever the same material comes to the same key."""
    return hashlib.sha256(b"kmslab key material" + key_id.encode() + secret).hexdigest()


def new_material(key_id: str, secret: bytes | None = None) -> Material:
    """A first or next generation of symmetric key material, already current."""
    secret = secret or os.urandom(specs.KEY_SPECS[specs.SYMMETRIC].bytes)
    return {"id": material_id(key_id, secret), "key": secret, "state": "CURRENT"}


def generate(key: KeyRecord) -> None:
    """Give a new key its material, of whatever kind its spec needs."""
    spec = specs.KEY_SPECS[key["KeySpec"]]
    if spec.name == specs.SYMMETRIC:
        key["materials"] = [new_material(key["KeyId"])]
    elif spec.bytes:
        key["hmac_key"] = os.urandom(spec.bytes)
    else:
        set_private_key(key, generate_private_key(spec.name))


def generate_private_key(spec: str) -> Any:
    """A new private key of pyca/cryptography for an asymmetric key spec or data key pair spec."""
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, mldsa

    if spec.startswith("RSA_"):
        from kmslab.engine.kms.rsa_pool import take

        return take(int(spec.removeprefix("RSA_")))
    if spec == "ECC_NIST_EDWARDS25519":
        return ed25519.Ed25519PrivateKey.generate()
    if spec.startswith("ML_DSA_"):
        return getattr(mldsa, f"MLDSA{spec.removeprefix('ML_DSA_')}PrivateKey").generate()
    return ec.generate_private_key(getattr(ec, _CURVES[spec])())


def spec_of_private_key(private: Any) -> str | None:
    """The key spec of a private key, or None when KMS has none for it."""
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, mldsa, rsa

    if isinstance(private, rsa.RSAPrivateKey):
        return f"RSA_{private.key_size}"
    if isinstance(private, ed25519.Ed25519PrivateKey):
        return "ECC_NIST_EDWARDS25519"
    for strength in (44, 65, 87):
        if isinstance(private, getattr(mldsa, f"MLDSA{strength}PrivateKey")):
            return f"ML_DSA_{strength}"
    if isinstance(private, ec.EllipticCurvePrivateKey):
        curve = private.curve.name.upper()
        return next((spec for spec, name in _CURVES.items() if name == curve), None)
    return None


def set_private_key(key: KeyRecord, private: Any) -> None:
    """Keep a private key and its public part in the record, DER-encoded."""
    key["private_key"] = private_der(private)
    key["public_key"] = public_der(private.public_key())


def private_der(private: Any) -> bytes:
    """PKCS #8, unencrypted."""
    from cryptography.hazmat.primitives import serialization

    der: bytes = private.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return der


def public_der(public: Any) -> bytes:
    """X.509 SubjectPublicKeyInfo."""
    from cryptography.hazmat.primitives import serialization

    der: bytes = public.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return der


@lru_cache(maxsize=256)
def load_private_key(der: bytes) -> Any:
    """The private key object; parsing an RSA key costs more than using it."""
    from cryptography.hazmat.primitives import serialization

    # The engine wrote these bytes itself: checking an RSA key again would cost tens of milliseconds.
    return serialization.load_der_private_key(der, password=None, unsafe_skip_rsa_key_validation=True)
