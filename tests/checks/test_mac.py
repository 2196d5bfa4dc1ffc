from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import pytest

from kmslab.model.persona import Persona
from kmslab.model.verdict import Outcome
from tests.checks import fake_pairs
from tests.checks.fakes import World, judge
from tests.checks.table import Broken, break_and_judge, checks_of, never_red

if TYPE_CHECKING:
    from collections.abc import Callable

OTHERS = (Persona.AUDITOR, Persona.STORAGE_OPERATOR, Persona.KEY_ADMINISTRATOR, Persona.OUTSIDER)


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
]


@pytest.mark.parametrize("check", checks_of("mac"))
def test_passes_in_a_good_world(check: str) -> None:
    verdict = judge(check, good())
    assert verdict.outcome is Outcome.PASS, verdict.summary


@pytest.mark.parametrize("row", BROKEN, ids=str)
def test_notices_what_is_broken(row: Broken) -> None:
    verdict = break_and_judge(row, good())
    assert verdict.outcome is row.outcome, verdict.summary
    assert row.says in verdict.summary


def test_every_check_can_fail() -> None:
    assert not never_red("mac", BROKEN)


@pytest.mark.parametrize("check", checks_of("mac"))
def test_cannot_look(check: str) -> None:
    assert judge(check, good().unreachable()).outcome is Outcome.ERROR
