"""Sign and Verify. Source: API reference, Sign; KMS Developer Guide, "Asymmetric key specs" and "ML-DSA"."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kmslab.engine.kms import ed25519ph, material, specs
from kmslab.engine.kms.encryption import note_use, require_algorithm, require_usage
from kmslab.engine.kms.errors import KmsError, invalid
from kmslab.engine.kms.service import Call, operation

if TYPE_CHECKING:
    from kmslab.engine.kms.records import KeyRecord

_DIGEST_BYTES = {"256": 32, "384": 48, "512": 64}
_MU_BYTES = 64
_ED25519, _ED25519_PH = "ED25519_SHA_512", "ED25519_PH_SHA_512"
_ONLY_TYPE = {_ED25519: "RAW", _ED25519_PH: "DIGEST"}
"""Signing algorithms that take one message type (botocore model, Sign, MessageType)."""


@operation("Sign")
def sign(call: Call) -> dict[str, Any]:
    """Sign a message, its digest, or ML-DSA's external mu."""
    key, algorithm = _prepared(call)
    private = material.load_private_key(key["private_key"])
    call.end_of_dry_run()
    note_use(key, call)
    message: bytes = call.get("Message")
    if algorithm.startswith("ML_DSA"):
        signature = (
            private.sign_mu(message) if call.get("MessageType") == "EXTERNAL_MU" else private.sign(message)
        )
    elif algorithm == _ED25519:
        signature = private.sign(message)
    elif algorithm == _ED25519_PH:
        # KMS hashes the digest once more, as Ed25519ph does with any message (botocore model, Sign).
        signature = ed25519ph.sign(private.private_bytes_raw(), message)
    else:
        signature = private.sign(
            message, *_parameters(algorithm, digested=call.get("MessageType") == "DIGEST")
        )
    return {"KeyId": key["Arn"], "Signature": signature, "SigningAlgorithm": algorithm}


@operation("Verify")
def verify(call: Call) -> dict[str, Any]:
    """Verify a signature; a wrong one is an error, not ``false``."""
    from cryptography.exceptions import InvalidSignature

    key, algorithm = _prepared(call)
    public = material.load_private_key(key["private_key"]).public_key()
    message, signature = call.get("Message"), call.get("Signature")
    try:
        if algorithm.startswith("ML_DSA"):
            check = public.verify_mu if call.get("MessageType") == "EXTERNAL_MU" else public.verify
            check(signature, message)
        elif algorithm == _ED25519:
            public.verify(signature, message)
        elif algorithm == _ED25519_PH:
            ed25519ph.verify(public.public_bytes_raw(), signature, message)
        else:
            public.verify(
                signature, message, *_parameters(algorithm, digested=call.get("MessageType") == "DIGEST")
            )
    except InvalidSignature as error:
        raise KmsError("KMSInvalidSignatureException") from error
    call.end_of_dry_run()
    note_use(key, call)
    return {"KeyId": key["Arn"], "SignatureValid": True, "SigningAlgorithm": algorithm}


def _prepared(call: Call) -> tuple[KeyRecord, str]:
    key = call.key()
    require_usage(key, call, specs.SIGN_VERIFY)
    algorithm: str = call.get("SigningAlgorithm")
    require_algorithm(key, algorithm)
    kind: str = call.get("MessageType", "RAW")
    message: bytes = call.get("Message")
    post_quantum = algorithm.startswith("ML_DSA")
    if (
        _ONLY_TYPE.get(algorithm, kind) != kind
        or (kind == "EXTERNAL_MU" and not post_quantum)
        or (kind == "DIGEST" and post_quantum)
    ):
        raise invalid(f"MessageType {kind} is not valid for {algorithm}.")
    if kind == "EXTERNAL_MU" and len(message) != _MU_BYTES:
        raise invalid(f"An external mu has {_MU_BYTES} bytes.")
    if kind == "DIGEST" and len(message) != _DIGEST_BYTES[algorithm[-3:]]:
        raise invalid(f"Digest is invalid length for algorithm {algorithm}.")
    return key, algorithm


def _parameters(algorithm: str, *, digested: bool) -> tuple[Any, ...]:
    """What pyca/cryptography needs beside key and message."""
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec, padding, utils

    digest: Any = {"256": hashes.SHA256(), "384": hashes.SHA384(), "512": hashes.SHA512()}[algorithm[-3:]]
    chosen = utils.Prehashed(digest) if digested else digest
    if algorithm.startswith("ECDSA"):
        return (ec.ECDSA(chosen),)
    if algorithm.startswith("RSASSA_PSS"):
        # KMS salts with as many bytes as the digest has.
        return padding.PSS(mgf=padding.MGF1(digest), salt_length=digest.digest_size), chosen
    return padding.PKCS1v15(), chosen
