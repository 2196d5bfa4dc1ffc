"""One request of every cryptographic operation, and what must be made before it: for the tables of probes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

from kmslab.model.evidence import code_of
from kmslab.probe.codes import NOT_FOUND

if TYPE_CHECKING:
    from kmslab.probe.bench import Bench

PLAINTEXT = b"kmslab probe"

ACTS: dict[str, tuple[str, str]] = {
    "Encrypt": ("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT"),
    "Decrypt": ("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT"),
    "ReEncrypt": ("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT"),
    "GenerateDataKey": ("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT"),
    "GenerateDataKeyWithoutPlaintext": ("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT"),
    "GenerateDataKeyPair": ("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT"),
    "GenerateDataKeyPairWithoutPlaintext": ("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT"),
    "Sign": ("ECC_NIST_P256", "SIGN_VERIFY"),
    "Verify": ("ECC_NIST_P256", "SIGN_VERIFY"),
    "GetPublicKey": ("ECC_NIST_P256", "SIGN_VERIFY"),
    "GenerateMac": ("HMAC_256", "GENERATE_VERIFY_MAC"),
    "VerifyMac": ("HMAC_256", "GENERATE_VERIFY_MAC"),
    "DeriveSharedSecret": ("ECC_NIST_P256", "KEY_AGREEMENT"),
}
"""Each cryptographic operation with the kind of key that the samples use for it."""


_SIGNED = {"Message": PLAINTEXT, "SigningAlgorithm": "ECDSA_SHA_256"}
_AUTHENTICATED = {"Message": PLAINTEXT, "MacAlgorithm": "HMAC_SHA_256"}
_PAIR = {"KeyPairSpec": "ECC_NIST_P256"}
REQUESTS: dict[str, dict[str, Any]] = {
    "Encrypt": {"Plaintext": PLAINTEXT},
    "Decrypt": {},
    "ReEncrypt": {},
    "GenerateDataKey": {"KeySpec": "AES_256"},
    "GenerateDataKeyWithoutPlaintext": {"KeySpec": "AES_256"},
    "GenerateDataKeyPair": _PAIR,
    "GenerateDataKeyPairWithoutPlaintext": _PAIR,
    "Sign": _SIGNED,
    "Verify": _SIGNED,
    "GetPublicKey": {},
    "GenerateMac": _AUTHENTICATED,
    "VerifyMac": _AUTHENTICATED,
    "DeriveSharedSecret": {"KeyAgreementAlgorithm": "ECDH"},
}
"""What each of them is asked for, beside the key and what must be made first."""


def key_for(bench: Bench, operation: str, *statements: dict[str, Any], **parameters: Any) -> str:
    """Make a key of the probe's own that an operation can be called with."""
    spec, usage = ACTS[operation]
    return bench.key(*statements, KeySpec=spec, KeyUsage=usage, **parameters)


def request_for(bench: Bench, operation: str, key: str) -> dict[str, Any]:
    """Return the parameters of an operation with a key, making what the call needs: a ciphertext, a signature, a MAC.

    The key that decides is ``KeyId``, of ReEncrypt ``DestinationKeyId``.
    """
    name = "DestinationKeyId" if operation == "ReEncrypt" else "KeyId"
    request: dict[str, Any] = {name: key, **REQUESTS[operation]}
    if operation == "Decrypt":
        request |= _made(bench, "Encrypt", "CiphertextBlob", {"KeyId": key, **REQUESTS["Encrypt"]})
    elif operation == "ReEncrypt":
        source = {"KeyId": bench.shared_key(), **REQUESTS["Encrypt"]}
        request |= _made(bench, "Encrypt", "CiphertextBlob", source)
    elif operation == "Verify":
        request |= _made(bench, "Sign", "Signature", request)
    elif operation == "VerifyMac":
        request |= _made(bench, "GenerateMac", "Mac", request)
    elif operation == "DeriveSharedSecret":
        request["PublicKey"] = public_key("ECC_NIST_P256")
    return request


def _made(bench: Bench, operation: str, member: str, request: dict[str, Any]) -> dict[str, Any]:
    return {member: bench.make(operation, **request)[member]}


def prepare(bench: Bench, operation: str) -> dict[str, Any]:
    """Return the parameters of an operation with a new key of the probe's own."""
    return request_for(bench, operation, key_for(bench, operation))


def alias_name(bench: Bench) -> str:
    """The name of an alias that is removed when the probe ends, unless there is none by then."""
    from botocore.exceptions import ClientError

    name = f"alias/kmslab-probe-{uuid4().hex}"

    def remove() -> None:
        try:
            bench.client("kms").delete_alias(AliasName=name)
        except ClientError as error:
            if code_of(error) != NOT_FOUND:
                raise

    bench.undo(remove)
    return name


def private_key(spec: str) -> Any:
    """Make a key pair outside KMS, on the curve of an ECC key spec."""
    from cryptography.hazmat.primitives.asymmetric import ec

    curves = {
        "ECC_NIST_P256": ec.SECP256R1,
        "ECC_NIST_P384": ec.SECP384R1,
        "ECC_NIST_P521": ec.SECP521R1,
        "ECC_SECG_P256K1": ec.SECP256K1,
    }
    curve: Any = curves[spec]
    return ec.generate_private_key(curve())


def encoded(public: Any) -> bytes:
    """A public key as KMS takes it: DER, SubjectPublicKeyInfo."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return bytes(public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))


def public_key(spec: str) -> bytes:
    """The public key of somebody else, as KMS takes it."""
    return encoded(private_key(spec).public_key())


def load_public(bench: Bench, key: str) -> Any:
    """The public key of a KMS key, as the ``cryptography`` library represents its kind."""
    from cryptography.hazmat.primitives.serialization import load_der_public_key

    from kmslab.probe.model import NotAsDocumented

    try:
        return load_der_public_key(bench.make("GetPublicKey", KeyId=key)["PublicKey"])
    except ValueError as error:
        raise NotAsDocumented("the public key is not in DER, SubjectPublicKeyInfo") from error
