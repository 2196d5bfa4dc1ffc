from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from kmslab.checks.expectations import KEYS
from kmslab.lab import SETTLE_SECONDS
from kmslab.model.target import TargetKind
from kmslab.model.verdict import Outcome
from tests.checks.fakes import judge
from tests.checks.lab_world import LabWorld, changed, good_lab, key
from tests.checks.table import Broken

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import pytest

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


def every_period(world: World, days: int) -> None:
    for expected in KEYS:
        if expected.rotates:
            key(world, expected.name).rotation_days = days


def rarely_everywhere(world: World) -> None:
    """Stack and keys agree on the longest period there is."""
    every_period(world, 2560)
    stack_says(world, 2560)


def stack_says(world: World, days: int) -> None:
    """The template of the stack asks for another period; 0: for none."""
    properties = {"RotationPeriodInDays": days} if days else {}
    resources = {expected.name: {"Properties": properties} for expected in KEYS}
    world.answers("cloudformation:GetTemplate", {"TemplateBody": {"Resources": resources}})


def next_rotation(**when: int) -> Callable[[World], object]:
    """Break the date of the next rotation; without days there is none."""
    due = {"NextRotationDate": datetime.now(UTC) + timedelta(**when)} if when else {}
    status = {"KeyRotationEnabled": True, "RotationPeriodInDays": 365, **due}
    return lambda world: world.answers("kms:GetKeyRotationStatus", status)


def used_up_on_the_second_page(world: World) -> None:
    one = {"RotationType": "ON_DEMAND"}
    pages: dict[str, dict[str, Any]] = {
        "": {"Rotations": [one] * 20, "Truncated": True, "NextMarker": "more"},
        "more": {"Rotations": [one] * 5},
    }
    world.answers("kms:ListKeyRotations", lambda request: pages[request.get("Marker", "")])


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
        "asked for no period, KMS rotates every None",
    ),
    Broken(
        "rotation.rotation-period-has-limits",
        lambda w: w.answers(
            "kms:EnableKeyRotation", {}, when=lambda r: r.get("RotationPeriodInDays", 0) > 2560
        ),
        "could call kms:EnableKeyRotation",
    ),
    Broken("rotation.the-period-is-the-stacks", changed("ebs", rotation_days=200), "the stack says 365"),
    Broken(
        "rotation.the-period-is-the-stacks",
        rarely_everywhere,
        "has the longest period there is: 2560 days",
    ),
    Broken(
        "rotation.the-period-is-the-stacks", lambda w: stack_says(w, 0), "asks for no rotation of the key s3"
    ),
    Broken(
        "rotation.the-period-is-the-stacks",
        lambda w: w.answers("cloudformation:GetTemplate", {"TemplateBody": "Resources: {}"}),
        "is not JSON",
        Outcome.ERROR,
    ),
    *(
        Broken("rotation.the-next-rotation-is-due-in-time", next_rotation(**when), says)
        for when, says in (
            ({"days": 400}, "the next rotation of the key s3 is on"),
            ({"days": -30}, "the next rotation of the key s3 is on"),
            ({}, "no date is set"),
        )
    ),
    Broken(
        "rotation.on-demand-rotations-are-left",
        changed("app", rotations=25),
        "the key app has used all its 25 on-demand rotations",
    ),
    Broken(
        "rotation.on-demand-rotations-are-left",
        used_up_on_the_second_page,
        "the key s3 has used all its 25 on-demand rotations",
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
