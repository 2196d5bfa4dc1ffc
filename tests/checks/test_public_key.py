from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kmslab.checks import public_key
from kmslab.model.persona import Persona
from kmslab.model.verdict import Outcome
from tests.checks import fake_pairs
from tests.checks.fakes import OUTPUTS, Request, World, judge
from tests.checks.table import Broken, break_and_judge, checks_of, never_red

if TYPE_CHECKING:
    from collections.abc import Callable

OTHERS = (Persona.AUDITOR, Persona.STORAGE_OPERATOR, Persona.KEY_ADMINISTRATOR, Persona.OUTSIDER)


def good() -> World:
    return fake_pairs.key_pairs(World()).refuses("kms:Decrypt", *OTHERS)


def opens_for(persona: Persona) -> Callable[[World], object]:
    return lambda world: world.answers("kms:Decrypt", fake_pairs.decrypt, persona)


def opens_anything(world: World) -> None:
    world.answers("kms:Decrypt", {"Plaintext": public_key.SECRET})


def small_key(world: World) -> None:
    world.answers(
        "kms:GetPublicKey",
        lambda r: fake_pairs.get_public_key(Request(r.persona, r.action, {"KeyId": OUTPUTS.key_signing})),
    )


BROKEN = [
    Broken("public-key.sealed-outside-opens-only-in-kms", opens_anything, "could call kms:Decrypt"),
    Broken(
        "public-key.sealed-outside-opens-only-in-kms",
        lambda w: w.answers("kms:Decrypt", {"Plaintext": b"something else"}),
        "opened something else",
    ),
    Broken("public-key.sealed-outside-opens-only-in-kms", small_key, "not an RSA key"),
    *(
        Broken(
            "public-key.holders-of-the-public-key-cannot-open", opens_for(persona), f"{persona} could call"
        )
        for persona in OTHERS
    ),
    Broken(
        "public-key.size-limit-is-the-keys",
        lambda w: w.answers("kms:Encrypt", {"CiphertextBlob": b"x"}),
        "could call kms:Encrypt",
    ),
    Broken(
        "public-key.size-limit-is-the-keys",
        lambda w: w.answers("kms:Decrypt", {"Plaintext": b"cut"}),
        "did not come back whole",
    ),
]


@pytest.mark.parametrize("check", checks_of("public-key"))
def test_passes_in_a_good_world(check: str) -> None:
    verdict = judge(check, good())
    assert verdict.outcome is Outcome.PASS, verdict.summary


@pytest.mark.parametrize("row", BROKEN, ids=str)
def test_notices_what_is_broken(row: Broken) -> None:
    verdict = break_and_judge(row, good())
    assert verdict.outcome is row.outcome, verdict.summary
    assert row.says in verdict.summary


def test_every_check_can_fail() -> None:
    assert not never_red("public-key", BROKEN)


@pytest.mark.parametrize("check", checks_of("public-key"))
def test_cannot_look(check: str) -> None:
    assert judge(check, good().unreachable()).outcome is Outcome.ERROR


def test_opening_names_the_algorithm_and_the_key() -> None:
    world = good()
    judge("public-key.sealed-outside-opens-only-in-kms", world)
    opened = world.asked("kms:Decrypt")
    assert {request["KeyId"] for request in opened} == {OUTPUTS.key_rsa}
    assert {request["EncryptionAlgorithm"] for request in opened} == {"RSAES_OAEP_SHA_256"}
    assert not world.asked("kms:Encrypt"), "sealing must happen outside KMS"


def test_what_was_shown_offline_is_evidence() -> None:
    verdict = judge("public-key.size-limit-is-the-keys", good())
    (shown,) = [call for call in verdict.evidence if call.action.startswith("offline:")]
    assert shown.detail == "446 bytes fit, 447 do not"
