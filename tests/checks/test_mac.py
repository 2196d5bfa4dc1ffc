from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

from tests.checks import fake_pairs
from tests.checks.fake_pairs import OTHERS
from tests.checks.fakes import World
from tests.checks.table import Broken

if TYPE_CHECKING:
    from collections.abc import Callable

    from kmslab.model.persona import Persona


def good() -> World:
    return fake_pairs.key_pairs(World()).refuses("kms:GenerateMac", *OTHERS)


def makes_codes_for(persona: Persona) -> Callable[[World], object]:
    return lambda world: world.answers("kms:GenerateMac", fake_pairs.generate_mac, persona)


def codes(made: Any) -> Callable[[World], object]:
    """Break the world so that its codes are these, in turn."""

    def how(world: World) -> None:
        turn = itertools.cycle(made)
        world.answers("kms:GenerateMac", lambda _: {"Mac": next(turn)})

    return how


BROKEN = [
    Broken(
        "mac.tampering-is-noticed",
        lambda w: w.answers("kms:VerifyMac", {"MacValid": True}),
        "could call kms:VerifyMac",
    ),
    Broken(
        "mac.tampering-is-noticed",
        lambda w: w.answers("kms:VerifyMac", {"MacValid": False}),
        "does not accept its own code",
    ),
    Broken("mac.code-is-repeatable", codes([b"1" * 32, b"2" * 32]), "the same message gave two codes"),
    Broken("mac.code-is-repeatable", codes([b"1" * 32]), "two messages gave the same code"),
    Broken("mac.code-is-repeatable", codes([b"1", b"1", b"2"]), "the code has 1 bytes"),
    *(
        Broken("mac.only-the-permitted-make-codes", makes_codes_for(persona), f"{persona} could call")
        for persona in OTHERS
    ),
    Broken("mac.every-hash-has-its-length", codes([b"1"]), "the code of HMAC_224 has 1 bytes, not 28"),
    Broken(
        "mac.every-hash-has-its-length",
        lambda w: w.answers("kms:VerifyMac", {"MacValid": False}),
        "does not accept its own code of HMAC_224",
    ),
    Broken(
        "mac.every-hash-has-its-length",
        lambda w: w.answers("kms:GenerateMac", {"Mac": bytes(28)}).answers(
            "kms:VerifyMac", {"MacValid": True}
        ),
        "could call kms:GenerateMac",
    ),
]
