from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from kmslab.model.verdict import Outcome
from tests.checks import fake_pairs
from tests.checks.fake_pairs import OTHERS
from tests.checks.fakes import OUTPUTS, Request, World, judge
from tests.checks.table import Broken

if TYPE_CHECKING:
    from collections.abc import Callable

    from kmslab.model.persona import Persona


def good() -> World:
    return fake_pairs.key_pairs(World()).refuses("kms:DeriveSharedSecret", *OTHERS)


def derives_for(persona: Persona) -> Callable[[World], object]:
    return lambda world: world.answers("kms:DeriveSharedSecret", fake_pairs.derive, persona)


def another_public_key(world: World) -> None:
    stranger = ec.generate_private_key(ec.SECP256R1()).public_key()
    der = stranger.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    world.answers("kms:GetPublicKey", {"PublicKey": der})


def everybodys_secret(world: World) -> None:
    """Whatever the other side, the same secret: equal to the local one for the first key pair alone."""
    secrets: list[dict[str, bytes]] = []

    def derive(request: Request) -> dict[str, bytes]:
        secrets.append(dict(fake_pairs.derive(request)))
        return secrets[0]

    world.answers("kms:DeriveSharedSecret", derive)


def created(request: Request) -> dict[str, Any]:
    """A KMS that makes whatever key it is asked for."""
    parameters = {**request.parameters, "KeyUsage": "SIGN_VERIFY"}
    return dict(fake_pairs.create_key(Request(request.persona, request.action, parameters)))


def other_pair_on_the_curve(world: World) -> None:
    """A KMS that hands out the public key of another pair than the one it derives with."""
    stranger = ec.generate_private_key(ec.SECP384R1()).public_key()
    der = stranger.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    world.answers("kms:GetPublicKey", {"PublicKey": der})


BROKEN = [
    Broken("agreement.secret-equals-the-local-one", another_public_key, "derived different secrets"),
    Broken("agreement.secret-equals-the-local-one", everybodys_secret, "led to the same secret"),
    Broken(
        "agreement.secret-equals-the-local-one",
        fake_pairs.public_key_of(OUTPUTS.key_pq),
        "not an elliptic curve key",
    ),
    Broken("agreement.agreed-key-opens-the-others-message", another_public_key, "does not open"),
    *(
        Broken("agreement.only-the-permitted-derive", derives_for(persona), f"{persona} could call")
        for persona in OTHERS
    ),
    Broken(
        "agreement.larger-curves-agree-too",
        lambda w: w.answers("kms:DeriveSharedSecret", {"SharedSecret": bytes(48)}),
        "derived different secrets (ECC_NIST_P384)",
    ),
    Broken(
        "agreement.larger-curves-agree-too",
        lambda w: w.answers("kms:CreateKey", created, when=lambda r: r["KeyUsage"] == "KEY_AGREEMENT"),
        "operator could call kms:CreateKey",
    ),
    Broken("agreement.larger-curves-agree-too", other_pair_on_the_curve, "derived different secrets"),
]


def test_the_secret_is_not_kept_as_evidence() -> None:
    world = good()
    secrets: list[bytes] = []

    def derive(request: Request) -> dict[str, bytes]:
        answer = dict(fake_pairs.derive(request))
        secrets.append(answer["SharedSecret"])
        return answer

    verdict = judge("agreement.secret-equals-the-local-one", world.answers("kms:DeriveSharedSecret", derive))
    assert verdict.outcome is Outcome.PASS
    assert len(secrets) == 2
    assert not any(secret.hex() in str(verdict) or str(secret) in str(verdict) for secret in secrets)


@pytest.mark.parametrize(
    ("check", "shown"),
    [
        ("agreement.secret-equals-the-local-one", "offline:ECDH"),
        ("agreement.agreed-key-opens-the-others-message", "offline:HKDF+AES-GCM"),
    ],
)
def test_what_was_shown_offline_is_evidence(check: str, shown: str) -> None:
    assert judge(check, good()).evidence[-1].action == shown
