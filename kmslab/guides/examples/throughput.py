"""Page 7: how fast direct, envelope and asymmetric encryption are, as a table: bytes in a message, then MB/s.

``python -m kmslab.guides.examples.throughput APP_KEY_ARN RSA_KEY_ARN rsa.der`` seals and opens messages of growing
size. An empty cell: the method does not take a message of this size.
"""

from __future__ import annotations

import secrets
import statistics
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

CONTEXT = {"kmslab": "training"}
SIZES = (16, 64, 256, 1024, 4096, 65_536, 1_048_576, 16_777_216)
LONGEST_DIRECT = 4096
"""Bytes that Encrypt takes (botocore's model, PlaintextType)."""
LONGEST_RSA = 446
"""Bytes under RSA-4096 with OAEP and SHA-256: 512 less twice the digest and 2 (RFC 8017, section 7.1.1)."""
NONCE = 12
"""Bytes of a nonce of AES-GCM; a data key is used once here, so any nonce is new."""
AT_LEAST = 0.1
"""Seconds for which each size is repeated."""


def direct(kms: Any, key: str) -> Callable[[bytes], bytes]:
    """KMS itself encrypts and decrypts: two requests a message."""

    def seal_and_open(message: bytes) -> bytes:
        sealed = kms.encrypt(KeyId=key, Plaintext=message, EncryptionContext=CONTEXT)["CiphertextBlob"]
        opened: bytes = kms.decrypt(KeyId=key, CiphertextBlob=sealed, EncryptionContext=CONTEXT)["Plaintext"]
        return opened

    return seal_and_open


def envelope(kms: Any, key: str) -> Callable[[bytes], bytes]:
    """AES-256-GCM here, under a data key for each message: two requests a message, of any size."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    def seal_and_open(message: bytes) -> bytes:
        made = kms.generate_data_key(KeyId=key, KeySpec="AES_256", EncryptionContext=CONTEXT)
        nonce = secrets.token_bytes(NONCE)
        sealed = AESGCM(made["Plaintext"]).encrypt(nonce, message, None)
        again = kms.decrypt(KeyId=key, CiphertextBlob=made["CiphertextBlob"], EncryptionContext=CONTEXT)
        return AESGCM(again["Plaintext"]).decrypt(nonce, sealed, None)

    return seal_and_open


def encryption_sdk(key: str) -> Callable[[bytes], bytes]:
    """The AWS Encryption SDK as it comes: an envelope, signed, in frames, with the encrypted data key inside."""
    import aws_encryption_sdk as sdk

    client = sdk.EncryptionSDKClient(commitment_policy=sdk.CommitmentPolicy.REQUIRE_ENCRYPT_REQUIRE_DECRYPT)
    provider = sdk.StrictAwsKmsMasterKeyProvider(key_ids=[key])

    def seal_and_open(message: bytes) -> bytes:
        sealed, _ = client.encrypt(source=message, key_provider=provider, encryption_context=CONTEXT)
        opened: bytes = client.decrypt(source=sealed, key_provider=provider)[0]
        return opened

    return seal_and_open


def asymmetric(kms: Any, key: str, public_key: bytes) -> Callable[[bytes], bytes]:
    """RSA: encrypted here with the public key, decrypted by KMS: one request a message."""
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding, rsa
    from cryptography.hazmat.primitives.serialization import load_der_public_key

    public = load_der_public_key(public_key)
    if not isinstance(public, rsa.RSAPublicKey):
        raise TypeError("the public key is not an RSA key")
    oaep = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)

    def seal_and_open(message: bytes) -> bytes:
        sealed = public.encrypt(message, oaep)
        opened: bytes = kms.decrypt(
            KeyId=key, CiphertextBlob=sealed, EncryptionAlgorithm="RSAES_OAEP_SHA_256"
        )["Plaintext"]
        return opened

    return seal_and_open


def rate(seal_and_open: Callable[[bytes], bytes], size: int) -> float:
    """Return how many MB a second a method seals and opens again, in messages of a size.

    By the median of the messages: on a machine that does other things too, some take far longer than others.

    Raises:
        ValueError: what was opened is not what was sealed.
    """
    message = secrets.token_bytes(size)
    seal_and_open(message)  # the first one connects
    taken: list[float] = []
    until = time.perf_counter() + AT_LEAST
    while not taken or time.perf_counter() < until:
        started = time.perf_counter()
        opened = seal_and_open(message)
        taken.append(time.perf_counter() - started)
        if opened != message:
            raise ValueError("what was opened is not what was sealed")
    return size / statistics.median(taken) / 1_000_000


def table(
    methods: dict[str, tuple[int | None, Callable[[bytes], bytes]]], sizes: Sequence[int] = SIZES
) -> list[list[str]]:
    """Measure each method, by its name and the longest message it takes, at each size."""
    rows = [["bytes", *methods]]
    for size in sizes:
        cells = [
            "" if longest is not None and size > longest else f"{rate(act, size):.6f}"
            for longest, act in methods.values()
        ]
        rows.append([str(size), *cells])
    return rows


def main(arguments: list[str]) -> int:
    """Measure as the persona of the shell, and print the table as CSV."""
    import boto3

    app_key, rsa_key, public_key = arguments
    kms = boto3.client("kms")
    rows = table(
        {
            "direct": (LONGEST_DIRECT, direct(kms, app_key)),
            "envelope": (None, envelope(kms, app_key)),
            "Encryption SDK": (None, encryption_sdk(app_key)),
            "asymmetric": (LONGEST_RSA, asymmetric(kms, rsa_key, Path(public_key).read_bytes())),
        }
    )
    sys.stdout.write("".join(f"{','.join(row)}\n" for row in rows))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
