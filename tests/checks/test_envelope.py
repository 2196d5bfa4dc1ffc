from __future__ import annotations

from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from kmslab.model.persona import Persona
from kmslab.model.verdict import Outcome
from tests.checks.fakes import World, key_arn
from tests.checks.lab_world import kms_of
from tests.checks.table import Broken

if TYPE_CHECKING:
    from collections.abc import Callable


def context_is_ignored(world: World) -> None:
    kms = kms_of(world)
    seal, unseal = kms.seal, kms.open
    vars(kms).update(
        seal=lambda key, plaintext, _: seal(key, plaintext, {}), open=lambda blob, _: unseal(blob, {})
    )


def with_data_key(**change: bytes) -> Callable[[World], object]:
    return lambda world: world.answers(
        "kms:GenerateDataKey", lambda r: {**kms_of(world).GenerateDataKey(r), **change}
    )


def with_key_pair(operation: str, **change: bytes) -> Callable[[World], object]:
    return lambda world: world.answers(
        f"kms:{operation}", lambda r: {**getattr(kms_of(world), operation)(r), **change}
    )


STRANGER = (
    ec.generate_private_key(ec.SECP256R1())
    .public_key()
    .public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
)
BROKEN = [
    Broken(
        "envelope.a-data-key-encrypts-outside-kms", with_data_key(Plaintext=b"k" * 16), "has 16 bytes, not 32"
    ),
    Broken(
        "envelope.a-data-key-encrypts-outside-kms",
        with_data_key(Plaintext=b"k" * 32),
        "does not open what the data key encrypted",
    ),
    Broken(
        "envelope.a-data-key-can-come-without-its-plaintext",
        lambda w: w.answers("kms:GenerateDataKeyWithoutPlaintext", lambda r: kms_of(w).GenerateDataKey(r)),
        "holds the plaintext data key",
    ),
    Broken("envelope.every-data-key-is-new", with_data_key(Plaintext=b"k" * 32), "the same data key twice"),
    Broken("envelope.the-context-guards-the-data-key", context_is_ignored, "could call kms:Decrypt"),
    *(
        Broken(
            "envelope.the-envelope-alone-is-worthless",
            lambda w, who=who: w.answers("kms:Decrypt", kms_of(w).Decrypt, who),  # type: ignore[misc]  # mypy sees no default of a lambda
            f"{who} could call kms:Decrypt",
        )
        for who in (Persona.STORAGE_OPERATOR, Persona.OUTSIDER)
    ),
    Broken(
        "envelope.an-sdk-envelope-opens-with-its-context-only",
        lambda w: w.answers("kms:Decrypt", {"Plaintext": b"k" * 32, "KeyId": key_arn("app")}),
        "does not open with its own context",
    ),
    Broken(
        "envelope.an-sdk-envelope-opens-with-its-context-only",
        lambda w: w.refuses("kms:Decrypt", code="ThrottlingException"),
        "could not decrypt: An error occurred (ThrottlingException)",
        Outcome.ERROR,
    ),
    Broken(
        "envelope.a-data-key-has-the-length-asked-for",
        with_data_key(Plaintext=b"k" * 32),
        "of 16 bytes was asked for",
    ),
    Broken(
        "envelope.a-data-key-has-the-length-asked-for",
        lambda w: w.answers(
            "kms:GenerateDataKey",
            lambda r: {"Plaintext": bytes(r.get("NumberOfBytes", 16))},
        ),
        "could call kms:GenerateDataKey",
    ),
    Broken(
        "envelope.a-data-key-pair-signs-outside-kms",
        with_key_pair("GenerateDataKeyPair", PrivateKeyPlaintext=b"another"),
        "another private key was encrypted (ECC_NIST_P256)",
    ),
    Broken(
        "envelope.a-data-key-pair-signs-outside-kms",
        with_key_pair("GenerateDataKeyPair", PublicKey=STRANGER),
        "is not the public key's (ECC_NIST_P256)",
    ),
    Broken(
        "envelope.a-private-key-can-stay-encrypted",
        lambda w: w.answers(
            "kms:GenerateDataKeyPairWithoutPlaintext", lambda r: kms_of(w).GenerateDataKeyPair(r)
        ),
        "holds the private key in plaintext",
    ),
    Broken(
        "envelope.a-private-key-can-stay-encrypted",
        with_key_pair("GenerateDataKeyPairWithoutPlaintext", PublicKey=STRANGER),
        "is not the public key's",
    ),
]
