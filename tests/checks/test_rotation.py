from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from kmslab.lab import SETTLE_SECONDS
from kmslab.model.target import TargetKind
from kmslab.model.verdict import Outcome
from tests.checks import verdicts
from tests.checks.fakes import judge
from tests.checks.lab_world import LabWorld, good_lab
from tests.checks.table import Broken, checks_of, never_red

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.checks.fake_kms import FakeKey
    from tests.checks.fakes import Request, World


def same_material(world: World) -> None:
    """A KMS that says yes to a rotation and keeps the material (it still lists the rotation)."""
    assert isinstance(world, LabWorld)
    world.answers("kms:RotateKeyOnDemand", {})


def forgets_old_material(world: World) -> None:
    """A KMS that replaces the material, so that a ciphertext says another material than it was made with."""
    assert isinstance(world, LabWorld)
    kms = world.kms

    def decrypt(request: Request) -> dict[str, object]:
        return {**type(kms).Decrypt(kms, request), "KeyMaterialId": kms.key_of(request).current}

    world.answers("kms:Decrypt", decrypt)


ON_DEMAND = "rotation.on-demand-rotation-keeps-old-ciphertexts"
BROKEN = [
    Broken(ON_DEMAND, forgets_old_material, "not opened with the old material"),
    Broken(ON_DEMAND, same_material, "the rotation did not happen within", Outcome.ERROR),
    Broken(
        ON_DEMAND,
        lambda w: w.answers("kms:ListKeyRotations", {"Rotations": []}),
        "not one ON_DEMAND",
    ),
    Broken(
        "rotation.rotation-period-has-limits",
        lambda w: w.answers("kms:EnableKeyRotation", {}),
        "asked for 90 days",
    ),
    Broken(
        "rotation.rotation-period-has-limits",
        lambda w: w.answers("kms:EnableKeyRotation", {}, when=lambda r: r["RotationPeriodInDays"] > 2560),
        "could call kms:EnableKeyRotation",
    ),
]


def test_new_material_may_come_into_use_late(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SETTLE_SECONDS, TargetKind.LOCAL, 30.0)
    world = good_lab()
    real, late = world.kms.seal, [True]

    def seal(key: FakeKey, plaintext: bytes, context: Mapping[str, str]) -> bytes:
        if key.rotations and late and late.pop():
            key = replace(key, material=dict(list(key.material.items())[:1]))
        return real(key, plaintext, context)

    monkeypatch.setattr(world.kms, "seal", seal)
    verdict = judge(ON_DEMAND, world)
    assert (verdict.outcome, late) == (Outcome.PASS, []), verdict


@pytest.mark.parametrize("check", checks_of("rotation"))
def test_passes_in_a_good_lab(check: str) -> None:
    verdicts.passes(check)


@pytest.mark.parametrize("row", BROKEN, ids=str)
def test_notices(row: Broken) -> None:
    verdicts.fails(row)


@pytest.mark.parametrize("check", checks_of("rotation"))
def test_is_unable_to_look(check: str) -> None:
    verdicts.is_unable_to_look(check)


def test_every_check_is_shown_red() -> None:
    assert never_red("rotation", BROKEN) == set()
