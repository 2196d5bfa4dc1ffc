"""Shared secrets (ECDH)."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from kmslab.probe.codes import INVALID_USAGE, VALIDATION
from kmslab.probe.model import kebab, probe, register
from kmslab.probe.samples import encoded, load_public, private_key, public_key
from kmslab.probe.sources import api

if TYPE_CHECKING:
    from kmslab.probe.bench import Bench

USAGE = "KEY_AGREEMENT"
CURVES = ("ECC_NIST_P256", "ECC_NIST_P384", "ECC_NIST_P521")


def _curve(spec: str, bench: Bench) -> None:
    from cryptography.hazmat.primitives.asymmetric.ec import ECDH

    key, theirs = bench.shared_key(spec, USAGE), private_key(spec)
    request: dict[str, Any] = {"KeyId": key, "KeyAgreementAlgorithm": "ECDH"}
    answer = bench.works("DeriveSharedSecret", PublicKey=encoded(theirs.public_key()), **request)
    outside = theirs.exchange(ECDH(), load_public(bench, key))
    bench.sees("both sides derive one secret", answer["SharedSecret"] == outside)
    other = bench.make("DeriveSharedSecret", PublicKey=public_key(spec), **request)["SharedSecret"]
    bench.contrasts("with somebody else the secret is another", other != outside)


for _spec in CURVES:
    register(
        "agreement",
        f"ecdh-on-{kebab(_spec)}",
        f"DeriveSharedSecret with a key of {_spec} derives what the other side derives outside KMS.",
        "The two secrets are one; with another public key it is another.",
        api("DeriveSharedSecret"),
        partial(_curve, _spec),
    )


@probe(api("DeriveSharedSecret"))
def both_keys_are_on_one_curve(bench: Bench) -> None:
    """The other side's public key must be on the curve of the KMS key.

    A key of the same curve works; one of P-384 for a key of P-256 is refused.
    """
    request: dict[str, Any] = {
        "KeyId": bench.shared_key("ECC_NIST_P256", USAGE),
        "KeyAgreementAlgorithm": "ECDH",
    }
    bench.works("DeriveSharedSecret", PublicKey=public_key("ECC_NIST_P256"), **request)
    codes = (VALIDATION, INVALID_USAGE)
    bench.refuses(codes, "DeriveSharedSecret", PublicKey=public_key("ECC_NIST_P384"), **request)


@probe(api("DeriveSharedSecret"))
def a_public_key_must_be_one(bench: Bench) -> None:
    """PublicKey is a key in DER.

    A key works; other bytes are ValidationException.
    """
    request: dict[str, Any] = {
        "KeyId": bench.shared_key("ECC_NIST_P256", USAGE),
        "KeyAgreementAlgorithm": "ECDH",
    }
    bench.works("DeriveSharedSecret", PublicKey=public_key("ECC_NIST_P256"), **request)
    bench.refuses(VALIDATION, "DeriveSharedSecret", PublicKey=b"no key at all", **request)


@probe(api("DeriveSharedSecret"))
def agreement_needs_a_key_for_it(bench: Bench) -> None:
    """DeriveSharedSecret takes keys for KEY_AGREEMENT only.

    With such a key it works; with one for SIGN_VERIFY on the same curve it is InvalidKeyUsageException.
    """
    request: dict[str, Any] = {"KeyAgreementAlgorithm": "ECDH", "PublicKey": public_key("ECC_NIST_P256")}
    bench.works("DeriveSharedSecret", KeyId=bench.shared_key("ECC_NIST_P256", USAGE), **request)
    signing = bench.shared_key("ECC_NIST_P256", "SIGN_VERIFY")
    bench.refuses(INVALID_USAGE, "DeriveSharedSecret", KeyId=signing, **request)


@probe(api("DeriveSharedSecret"))
def a_key_for_agreement_does_not_sign(bench: Bench) -> None:
    """A key for KEY_AGREEMENT derives secrets, and does not sign.

    DeriveSharedSecret works; Sign is InvalidKeyUsageException.
    """
    key = bench.shared_key("ECC_NIST_P256", USAGE)
    request: dict[str, Any] = {"KeyAgreementAlgorithm": "ECDH", "PublicKey": public_key("ECC_NIST_P256")}
    bench.works("DeriveSharedSecret", KeyId=key, **request)
    bench.refuses(INVALID_USAGE, "Sign", KeyId=key, Message=b"m", SigningAlgorithm="ECDSA_SHA_256")
