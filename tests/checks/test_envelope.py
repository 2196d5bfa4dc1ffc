from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kmslab.model.persona import Persona
from kmslab.model.verdict import Outcome
from tests.checks import verdicts
from tests.checks.fakes import World, key_arn
from tests.checks.lab_world import LabWorld
from tests.checks.table import Broken, checks_of, never_red

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.checks.fake_kms import FakeKms


def kms_of(world: World) -> FakeKms:
    assert isinstance(world, LabWorld)
    return world.kms


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
]


@pytest.mark.parametrize("check", checks_of("envelope"))
def test_passes_in_a_good_lab(check: str) -> None:
    verdicts.passes(check)


@pytest.mark.parametrize("row", BROKEN, ids=str)
def test_notices(row: Broken) -> None:
    verdicts.fails(row)


@pytest.mark.parametrize("check", checks_of("envelope"))
def test_is_unable_to_look(check: str) -> None:
    verdicts.is_unable_to_look(check)


def test_every_check_is_shown_red() -> None:
    assert never_red("envelope", BROKEN) == set()
