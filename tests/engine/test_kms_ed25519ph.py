"""Ed25519ph against RFC 8032, and as KMS offers it: ED25519_PH_SHA_512."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

from kmslab.engine.kms import ed25519ph
from tests.engine.conftest import refused

if TYPE_CHECKING:
    from collections.abc import Callable

# RFC 8032, section 7.3, "TEST abc".
SEED = bytes.fromhex("833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42")
PUBLIC = bytes.fromhex("ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf")
SIGNATURE = bytes.fromhex(
    "98a70222f0b8121aa9d30f813d683f809e462b469c7ff87639499bb94e6dae41"
    "31f85042463c2a355a2003d062adf5aaa10b8c61e636062aaad11c2a26083406"
)
ORDER = 2**252 + 27742317777372353535851937790883648493
ALGORITHM = "ED25519_PH_SHA_512"


def test_the_vector_of_the_rfc() -> None:
    assert ed25519.Ed25519PrivateKey.from_private_bytes(SEED).public_key().public_bytes_raw() == PUBLIC
    assert ed25519ph.sign(SEED, b"abc") == SIGNATURE
    ed25519ph.verify(PUBLIC, SIGNATURE, b"abc")


def changed(at: int) -> bytes:
    """The signature with one bit changed."""
    return SIGNATURE[:at] + bytes([SIGNATURE[at] ^ 1]) + SIGNATURE[at + 1 :]


@pytest.mark.parametrize(
    "signature",
    [
        *(changed(at) for at in (0, 31, 32, 63)),
        SIGNATURE[:-1],
        SIGNATURE + b"\x00",
        b"",
        b"\xff" * 32 + SIGNATURE[32:],
        SIGNATURE[:32] + (int.from_bytes(SIGNATURE[32:], "little") + ORDER).to_bytes(32, "little"),
        ed25519.Ed25519PrivateKey.from_private_bytes(SEED).sign(b"abc"),
        ed25519.Ed25519PrivateKey.from_private_bytes(SEED).sign(hashlib.sha512(b"abc").digest()),
    ],
)
def test_another_signature_is_none(signature: bytes) -> None:
    with pytest.raises(InvalidSignature):
        ed25519ph.verify(PUBLIC, signature, b"abc")


def test_another_message_or_key_is_noticed() -> None:
    other = ed25519.Ed25519PrivateKey.generate().public_key().public_bytes_raw()
    for public, message in ((PUBLIC, b"abd"), (other, b"abc"), (b"\xff" * 32, b"abc")):
        with pytest.raises(InvalidSignature):
            ed25519ph.verify(public, SIGNATURE, message)


def test_a_key_signs_a_digest_and_hashes_it_once_more(kms: Any, make_key: Callable[..., str]) -> None:
    """The API reference of Sign says that the input is hashed twice, once by the caller and once by KMS."""
    key = make_key(KeySpec="ECC_NIST_EDWARDS25519", KeyUsage="SIGN_VERIFY")
    digest = hashlib.sha512(b"a message").digest()
    request = {"KeyId": key, "SigningAlgorithm": ALGORITHM, "MessageType": "DIGEST"}
    signature = kms.sign(Message=digest, **request)["Signature"]
    public: Any = serialization.load_der_public_key(kms.get_public_key(KeyId=key)["PublicKey"])
    ed25519ph.verify(public.public_bytes_raw(), signature, digest)
    assert kms.verify(Message=digest, Signature=signature, **request)["SignatureValid"] is True
    with refused("KMSInvalidSignatureException"):
        kms.verify(Message=hashlib.sha512(b"another").digest(), Signature=signature, **request)
    with refused("ValidationException", f"Digest is invalid length for algorithm {ALGORITHM}."):
        kms.sign(Message=digest[:-1], **request)
    with refused("ValidationException", f"MessageType RAW is not valid for {ALGORITHM}."):
        kms.sign(Message=digest, **{**request, "MessageType": "RAW"})
