from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from kmslab.checks import public_key
from kmslab.model.persona import Persona
from tests.checks import fake_pairs
from tests.checks.fake_pairs import OTHERS
from tests.checks.fakes import OUTPUTS, Refusal, Request, World, judge
from tests.checks.table import Broken

if TYPE_CHECKING:
    from collections.abc import Callable


def good() -> World:
    world = fake_pairs.key_pairs(World()).refuses("kms:Decrypt", *OTHERS)
    return world.refuses("kms:Decrypt", when=with_sha_1_and_the_labs_key)


def with_sha_1_and_the_labs_key(request: Request) -> bool:
    """What the key policy refuses; keys that the operator made take either hash."""
    asked = (request["KeyId"], request["EncryptionAlgorithm"])
    return asked == (OUTPUTS.key_rsa, "RSAES_OAEP_SHA_1")


def opens_for(persona: Persona) -> Callable[[World], object]:
    return lambda world: world.answers("kms:Decrypt", fake_pairs.decrypt, persona)


def opens_anything(world: World) -> None:
    world.answers("kms:Decrypt", {"Plaintext": public_key.SECRET})


def opens_as_either(world: World) -> None:
    """A KMS that tries both hashes, whichever was named."""

    def decrypt(request: Request) -> object:
        for algorithm in ("RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256"):
            parameters = {**request.parameters, "EncryptionAlgorithm": algorithm}
            with suppress(Refusal):
                return fake_pairs.decrypt(Request(request.persona, request.action, parameters))
        raise Refusal("InvalidCiphertextException")

    world.answers("kms:Decrypt", decrypt)  # type: ignore[arg-type]  # what it returns is the fake's own


BROKEN = [
    Broken("public-key.sealed-outside-opens-only-in-kms", opens_anything, "could call kms:Decrypt"),
    Broken(
        "public-key.sealed-outside-opens-only-in-kms",
        lambda w: w.answers("kms:Decrypt", {"Plaintext": b"something else"}),
        "opened something else",
    ),
    Broken(
        "public-key.sealed-outside-opens-only-in-kms",
        fake_pairs.public_key_of(OUTPUTS.key_signing),
        "not an RSA key",
    ),
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
    Broken(
        "public-key.the-hash-is-part-of-the-padding", opens_anything, "opened something else than was sealed"
    ),
    Broken("public-key.the-hash-is-part-of-the-padding", opens_as_either, "could call kms:Decrypt"),
    Broken(
        "public-key.the-policy-demands-the-hash",
        lambda w: w.answers("kms:Decrypt", fake_pairs.decrypt),
        "data-owner could call kms:Decrypt",
    ),
    Broken(
        "public-key.the-policy-demands-the-hash",
        lambda w: w.refuses("kms:Decrypt", Persona.DATA_OWNER),
        "data-owner is refused kms:Decrypt, which it should have",
    ),
    Broken(
        "public-key.a-public-key-binds-no-context",
        lambda w: w.answers("kms:Encrypt", {"CiphertextBlob": b"x"}),
        "could call kms:Encrypt",
    ),
]


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
