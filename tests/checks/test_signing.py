from __future__ import annotations

from typing import TYPE_CHECKING, Any
from unittest.mock import create_autospec

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, mldsa

from kmslab.checks import signing
from kmslab.model.persona import Persona
from kmslab.model.verdict import Outcome
from tests.checks import fake_pairs
from tests.checks.fake_pairs import signs_with_another_key
from tests.checks.fakes import OUTPUTS, Refusal, Request, World, judge
from tests.checks.table import Broken

if TYPE_CHECKING:
    from collections.abc import Callable

SIGNER = Persona.SIGNER


def good() -> World:
    world = fake_pairs.key_pairs(World())
    others = [persona for persona in Persona if persona not in {SIGNER, Persona.OPERATOR}]
    return world.refuses("kms:Sign", *others)


def pq_signs_with_another_key(world: World) -> None:
    stranger = mldsa.MLDSA65PrivateKey.generate()
    world.answers("kms:Sign", lambda r: {"Signature": stranger.sign(r["Message"])})


def digest_is_hashed_again(world: World) -> None:
    def sign(request: Request) -> Any:
        return fake_pairs.sign(
            Request(request.persona, request.action, {**request.parameters, "MessageType": "RAW"})
        )

    def verify(request: Request) -> Any:
        try:
            return fake_pairs.verify(request)
        except Refusal:
            return {"SignatureValid": False}

    world.answers("kms:Sign", sign).answers("kms:Verify", verify)


def lets_sign(persona: Persona) -> Callable[[World], object]:
    return lambda world: world.answers("kms:Sign", fake_pairs.sign, persona)


def signs_nothing(world: World) -> None:
    world.answers("kms:Sign", {"Signature": bytes(64)})


def signs_digests_too(world: World) -> None:
    """A KMS that takes a digest for the message."""

    def sign(request: Request) -> Any:
        return fake_pairs.sign(
            Request(request.persona, request.action, {**request.parameters, "MessageType": "RAW"})
        )

    world.answers("kms:Sign", sign)


BROKEN = [
    Broken("signing.signature-verifies-outside-kms", signs_with_another_key, "does not verify"),
    Broken(
        "signing.signature-verifies-outside-kms",
        fake_pairs.public_key_of(OUTPUTS.key_rsa),
        "not an elliptic curve key",
    ),
    Broken(
        "signing.signature-verifies-outside-kms",
        lambda w: w.refuses("kms:Sign"),
        "signer is refused kms:Sign",
    ),
    Broken(
        "signing.kms-verifies-its-signature",
        lambda w: w.answers("kms:Verify", {"SignatureValid": True}),
        "could call kms:Verify",
    ),
    Broken(
        "signing.kms-verifies-its-signature",
        lambda w: w.answers("kms:Verify", {"SignatureValid": False}),
        "does not accept its own signature",
    ),
    *(
        Broken(
            "signing.only-the-signer-signs",
            lets_sign(persona),
            f"{persona} could call kms:Sign",
        )
        for persona in (
            Persona.DATA_OWNER,
            Persona.STORAGE_OPERATOR,
            Persona.KEY_ADMINISTRATOR,
            Persona.AUDITOR,
            Persona.OUTSIDER,
        )
    ),
    Broken("signing.digest-equals-raw", digest_is_hashed_again, "a DIGEST signature does not verify as RAW"),
    Broken(
        "signing.long-messages-need-a-digest",
        lambda w: w.answers("kms:Sign", {"Signature": b"x"}, SIGNER),
        "could call kms:Sign",
    ),
    Broken(
        "signing.post-quantum-signature-verifies-outside-kms", pq_signs_with_another_key, "does not verify"
    ),
    Broken("signing.post-quantum-message-may-stay-outside", pq_signs_with_another_key, "does not verify"),
    Broken(
        "signing.post-quantum-signature-verifies-outside-kms",
        fake_pairs.public_key_of(OUTPUTS.key_rsa),
        "not an ML-DSA-65 key",
    ),
    Broken(
        "signing.signing-keys-cannot-encrypt",
        lambda w: w.answers("kms:Encrypt", {"CiphertextBlob": b"x"}),
        "could call kms:Encrypt",
    ),
    Broken(
        "signing.signing-keys-cannot-encrypt",
        lambda w: w.answers(
            "kms:DescribeKey", {"KeyMetadata": {"KeyId": "x", "KeyUsage": "ENCRYPT_DECRYPT"}}
        ),
        "usage is ENCRYPT_DECRYPT",
    ),
    Broken(
        "signing.signing-keys-cannot-encrypt",
        lambda w: w.answers(
            "kms:DescribeKey",
            {
                "KeyMetadata": {
                    "KeyId": "x",
                    "KeyUsage": "SIGN_VERIFY",
                    "EncryptionAlgorithms": ["RSAES_OAEP_SHA_256"],
                }
            },
        ),
        "lists encryption algorithms",
    ),
    *(
        Broken(f"signing.{check}", signs_nothing, says)
        for check, says in (
            ("rsa-signatures-verify-outside-kms", "of RSASSA_PSS_SHA_256 does not verify offline"),
            ("every-curve-verifies-outside-kms", "of ECC_NIST_P384 does not verify offline"),
            ("ed25519-signs-the-message-itself", "of ED25519 does not verify offline"),
        )
    ),
    Broken(
        "signing.every-post-quantum-strength-verifies-outside-kms",
        pq_signs_with_another_key,
        "the ML_DSA_44 signature has 3309 bytes, not 2420",
    ),
    Broken(
        "signing.every-post-quantum-strength-verifies-outside-kms",
        lambda w: w.answers("kms:Sign", {"Signature": bytes(2420)}),
        "of ML_DSA_44 RAW does not verify offline",
    ),
    Broken("signing.ed25519-signs-the-message-itself", signs_digests_too, "could call kms:Sign"),
    Broken(
        "signing.a-wrong-algorithm-is-refused",
        lambda w: w.answers("kms:Sign", {"Signature": b"x"}),
        "could call kms:Sign",
    ),
]


def test_no_signature_is_kept_as_evidence() -> None:
    verdict = judge("signing.signature-verifies-outside-kms", good())
    assert [call.action for call in verdict.evidence] == [
        "kms:Sign",
        "kms:GetPublicKey",
        "offline:ECDSA_SHA_256",
    ]
    assert verdict.evidence[2].detail == "verified with the public key; refused with one byte changed"


@pytest.mark.parametrize(
    "check",
    ["signing.post-quantum-signature-verifies-outside-kms", "signing.post-quantum-message-may-stay-outside"],
)
def test_what_was_shown_offline_is_evidence(check: str) -> None:
    assert judge(check, good()).evidence[-1].action == "offline:ML_DSA_65"


def test_kms_never_sees_the_message_of_a_representative() -> None:
    world = good()
    judge("signing.post-quantum-message-may-stay-outside", world)
    (request,) = world.asked("kms:Sign")
    assert (len(request["Message"]), request["MessageType"]) == (64, "EXTERNAL_MU")


@pytest.mark.parametrize(
    ("check", "kind", "accepts", "says"),
    [
        (
            "signing.signature-verifies-outside-kms",
            ec.EllipticCurvePublicKey,
            lambda _signature, _message, *_: True,
            "verifies for a changed message",
        ),
        (
            "signing.signature-verifies-outside-kms",
            ec.EllipticCurvePublicKey,
            lambda _signature, message, *_: message == signing.MESSAGE,
            "a changed signature verifies",
        ),
        (
            "signing.post-quantum-signature-verifies-outside-kms",
            mldsa.MLDSA65PublicKey,
            lambda _signature, _message, *_: True,
            "verifies for a changed message",
        ),
    ],
)
def test_a_verification_that_accepts_too_much_proves_nothing(
    check: str, kind: type, accepts: Callable[..., bool], says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def verify(*given: Any) -> None:
        if not accepts(*given):
            raise InvalidSignature

    public = create_autospec(kind, instance=True)
    public.verify = verify
    monkeypatch.setattr(signing, "public_key", lambda *_: public)
    verdict = judge(check, good())
    assert verdict.outcome is Outcome.FAIL
    assert says in verdict.summary
