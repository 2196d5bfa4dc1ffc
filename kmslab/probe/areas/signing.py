"""Signatures of every algorithm, verified outside KMS, and what Sign and Verify refuse."""

from __future__ import annotations

import hashlib
from functools import partial
from typing import TYPE_CHECKING, Any

from kmslab.probe.codes import INVALID_USAGE, UNSUPPORTED, VALIDATION
from kmslab.probe.model import kebab, probe, register
from kmslab.probe.samples import load_public
from kmslab.probe.sources import api, guide

if TYPE_CHECKING:
    from kmslab.probe.bench import Bench

INVALID_SIGNATURE = "KMSInvalidSignatureException"
MESSAGE = b"kmslab probe signs this"

ALGORITHMS = (
    *(("RSA_2048", f"RSASSA_PKCS1_V1_5_SHA_{bits}") for bits in (256, 384, 512)),
    *(("RSA_2048", f"RSASSA_PSS_SHA_{bits}") for bits in (256, 384, 512)),
    ("ECC_NIST_P256", "ECDSA_SHA_256"),
    ("ECC_NIST_P384", "ECDSA_SHA_384"),
    ("ECC_NIST_P521", "ECDSA_SHA_512"),
    ("ECC_SECG_P256K1", "ECDSA_SHA_256"),
    ("ECC_NIST_EDWARDS25519", "ED25519_SHA_512"),
)


def _verifies(public: Any, algorithm: str, signature: bytes, message: bytes) -> bool:
    """Verify a signature with the ``cryptography`` library."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec, padding

    digest = getattr(hashes, f"SHA{algorithm[-3:]}")()
    try:
        if algorithm.startswith("ED25519"):
            public.verify(signature, message)
        elif algorithm.startswith("ECDSA"):
            public.verify(signature, message, ec.ECDSA(digest))
        elif "PSS" in algorithm:
            salt = padding.PSS(padding.MGF1(digest), digest.digest_size)
            public.verify(signature, message, salt, digest)
        else:
            public.verify(signature, message, padding.PKCS1v15(), digest)
    except (InvalidSignature, TypeError):  # TypeError: the key is of another kind
        return False
    return True


def _algorithm(spec: str, algorithm: str, bench: Bench) -> None:
    key = bench.shared_key(spec, "SIGN_VERIFY")
    request: dict[str, Any] = {"KeyId": key, "SigningAlgorithm": algorithm, "MessageType": "RAW"}
    answer = bench.works("Sign", Message=MESSAGE, **request)
    signature = answer["Signature"]
    bench.equal("SigningAlgorithm", answer["SigningAlgorithm"], algorithm)
    public = load_public(bench, key)
    bench.sees("it verifies outside KMS", _verifies(public, algorithm, signature, MESSAGE))
    valid = bench.works("Verify", Message=MESSAGE, Signature=signature, **request)
    bench.equal("SignatureValid", valid["SignatureValid"], expected=True)
    bench.refuses(INVALID_SIGNATURE, "Verify", Message=b"another message", Signature=signature, **request)


for _spec, _name in ALGORITHMS:
    register(
        "signing",
        f"{kebab(_name)}-with-{kebab(_spec)}",
        f"A key of {_spec} signs with {_name}.",
        "The signature verifies outside KMS and in KMS; for another message it is KMSInvalidSignatureException.",
        guide("asymmetric-key-specs"),
        partial(_algorithm, _spec, _name),
    )

ML_DSA = (("ML_DSA_44", 2420), ("ML_DSA_65", 3309), ("ML_DSA_87", 4627))
"""Lengths of signatures in bytes: FIPS 204, table 2."""


def _ml_dsa(spec: str, length: int, bench: Bench) -> None:
    key = bench.shared_key(spec, "SIGN_VERIFY")
    request: dict[str, Any] = {"KeyId": key, "SigningAlgorithm": "ML_DSA_SHAKE_256", "MessageType": "RAW"}
    signature = bench.works("Sign", Message=MESSAGE, **request)["Signature"]
    bench.equal("the length", len(signature), length)
    bench.works("Verify", Message=MESSAGE, Signature=signature, **request)
    bench.refuses(INVALID_SIGNATURE, "Verify", Message=b"another message", Signature=signature, **request)


for _spec, _length in ML_DSA:
    register(
        "signing",
        f"ml-dsa-shake-256-with-{kebab(_spec)}",
        f"A key of {_spec} makes ML-DSA signatures of {_length:,} bytes.",
        "The signature has this length and verifies; for another message it is KMSInvalidSignatureException.",
        guide("asymmetric-key-specs#key-spec-mldsa"),
        partial(_ml_dsa, _spec, _length),
    )


@probe(guide("mldsa"))
def ml_dsa_signs_a_message_representative(bench: Bench) -> None:
    """With EXTERNAL_MU an ML-DSA key signs the 64-byte representative of a message of any length.

    mu is SHAKE256 of the hashed public key, two zero bytes and the message: its signature is that of the RAW message;
    63 bytes are ValidationException.
    """
    key = bench.shared_key("ML_DSA_44", "SIGN_VERIFY")
    request: dict[str, Any] = {"KeyId": key, "SigningAlgorithm": "ML_DSA_SHAKE_256"}
    encoded = bench.make("GetPublicKey", KeyId=key)["PublicKey"]
    raw = encoded[-1312:]  # the public key of ML-DSA-44 within its SubjectPublicKeyInfo (FIPS 204, table 2)
    mu = hashlib.shake_256(hashlib.shake_256(raw).digest(64) + b"\0\0" + MESSAGE).digest(64)
    signature = bench.works("Sign", Message=mu, MessageType="EXTERNAL_MU", **request)["Signature"]
    bench.works("Verify", Message=MESSAGE, MessageType="RAW", Signature=signature, **request)
    bench.refuses(VALIDATION, "Sign", Message=mu[:63], MessageType="EXTERNAL_MU", **request)


@probe(api("Sign"))
def ed25519ph_signs_a_digest(bench: Bench) -> None:
    """ED25519_PH_SHA_512 signs a digest, ED25519_SHA_512 a message.

    A SHA-512 digest is signed with the first as DIGEST and verifies; as RAW the first is refused.
    """
    key = bench.shared_key("ECC_NIST_EDWARDS25519", "SIGN_VERIFY")
    digest = hashlib.sha512(MESSAGE).digest()
    request: dict[str, Any] = {"KeyId": key, "Message": digest, "SigningAlgorithm": "ED25519_PH_SHA_512"}
    signature = bench.works("Sign", MessageType="DIGEST", **request)["Signature"]
    bench.works("Verify", MessageType="DIGEST", Signature=signature, **request)
    bench.refuses(VALIDATION, "Sign", MessageType="RAW", **request)


@probe(api("Sign"))
def a_digest_is_signed_as_its_message(bench: Bench) -> None:
    """With MessageType DIGEST Sign takes the digest instead of the message.

    The signature of the digest verifies for the message, and not for the digest as a message.
    """
    key = bench.shared_key("ECC_NIST_P256", "SIGN_VERIFY")
    digest = hashlib.sha256(MESSAGE).digest()
    request: dict[str, Any] = {"KeyId": key, "SigningAlgorithm": "ECDSA_SHA_256"}
    signature = bench.works("Sign", Message=digest, MessageType="DIGEST", **request)["Signature"]
    bench.works("Verify", Message=MESSAGE, MessageType="RAW", Signature=signature, **request)
    bench.refuses(
        INVALID_SIGNATURE, "Verify", Message=digest, MessageType="RAW", Signature=signature, **request
    )


@probe(api("Sign"))
def a_digest_has_the_length_of_its_algorithm(bench: Bench) -> None:
    """A DIGEST must be as long as the algorithm's hash.

    32 bytes work with ECDSA_SHA_256; 64 bytes are ValidationException.
    """
    request: dict[str, Any] = {
        "KeyId": bench.shared_key("ECC_NIST_P256", "SIGN_VERIFY"),
        "SigningAlgorithm": "ECDSA_SHA_256",
        "MessageType": "DIGEST",
    }
    bench.works("Sign", Message=hashlib.sha256(MESSAGE).digest(), **request)
    bench.refuses(VALIDATION, "Sign", Message=hashlib.sha512(MESSAGE).digest(), **request)


@probe(api("Sign"))
def a_message_has_4096_bytes_at_most(bench: Bench) -> None:
    """Sign takes messages of up to 4,096 bytes.

    4,096 bytes are signed; 4,097 are ValidationException.
    """
    request: dict[str, Any] = {
        "KeyId": bench.shared_key("ECC_NIST_P256", "SIGN_VERIFY"),
        "SigningAlgorithm": "ECDSA_SHA_256",
    }
    bench.works("Sign", Message=b"m" * 4096, **request)
    bench.refuses(VALIDATION, "Sign", Message=b"m" * 4097, **request)


WRONG_ALGORITHMS = (
    ("ECC_NIST_P256", "ECDSA_SHA_256", "ECDSA_SHA_384"),
    ("RSA_2048", "RSASSA_PSS_SHA_256", "ECDSA_SHA_256"),
    ("ML_DSA_44", "ML_DSA_SHAKE_256", "RSASSA_PSS_SHA_256"),
)


def _wrong_algorithm(spec: str, right: str, wrong: str, bench: Bench) -> None:
    request: dict[str, Any] = {"KeyId": bench.shared_key(spec, "SIGN_VERIFY"), "Message": MESSAGE}
    bench.works("Sign", SigningAlgorithm=right, **request)
    bench.refuses(INVALID_USAGE, "Sign", SigningAlgorithm=wrong, **request)


for _spec, _right, _wrong in WRONG_ALGORITHMS:
    register(
        "signing",
        f"{kebab(_spec)}-does-not-sign-with-{kebab(_wrong)}",
        f"A key of {_spec} does not sign with {_wrong}.",
        f"With {_right} it works; with {_wrong} it is InvalidKeyUsageException.",
        api("Sign"),
        partial(_wrong_algorithm, _spec, _right, _wrong),
    )


@probe(api("Sign"))
def signing_needs_a_signing_key(bench: Bench) -> None:
    """Sign takes keys for SIGN_VERIFY only.

    With such an RSA key it works; with one for ENCRYPT_DECRYPT it is InvalidKeyUsageException.
    """
    request: dict[str, Any] = {"Message": MESSAGE, "SigningAlgorithm": "RSASSA_PSS_SHA_256"}
    bench.works("Sign", KeyId=bench.shared_key("RSA_2048", "SIGN_VERIFY"), **request)
    bench.refuses(INVALID_USAGE, "Sign", KeyId=bench.shared_key("RSA_2048"), **request)


@probe(api("Verify"))
def another_keys_signature_is_invalid(bench: Bench) -> None:
    """A signature verifies under the key that made it only.

    Under its own key Verify works; under another of the same kind it is KMSInvalidSignatureException.
    """
    own, other = bench.shared_key("ECC_NIST_P256", "SIGN_VERIFY"), ""
    other = bench.key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")
    request: dict[str, Any] = {"Message": MESSAGE, "SigningAlgorithm": "ECDSA_SHA_256"}
    signature = bench.make("Sign", KeyId=own, **request)["Signature"]
    bench.works("Verify", KeyId=own, Signature=signature, **request)
    bench.refuses(INVALID_SIGNATURE, "Verify", KeyId=other, Signature=signature, **request)


@probe(api("GetPublicKey"))
def a_public_key_comes_with_what_it_is_for(bench: Bench) -> None:
    """GetPublicKey returns the key with its spec, usage and algorithms.

    They are those of the key; a symmetric key has no public key, and is refused.
    """
    answer = bench.works("GetPublicKey", KeyId=bench.shared_key("ECC_NIST_P256", "SIGN_VERIFY"))
    bench.equal("KeySpec", answer["KeySpec"], "ECC_NIST_P256")
    bench.equal("KeyUsage", answer["KeyUsage"], "SIGN_VERIFY")
    bench.equal("SigningAlgorithms", answer["SigningAlgorithms"], ["ECDSA_SHA_256"])
    bench.contrasts("no algorithms of other usages", "EncryptionAlgorithms" not in answer)
    codes = (UNSUPPORTED, INVALID_USAGE, VALIDATION)
    bench.refuses(codes, "GetPublicKey", KeyId=bench.shared_key())
