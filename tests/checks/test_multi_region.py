from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kmslab.checks import multi_region
from kmslab.checks.sweep import retire, sweep
from kmslab.model.verdict import Outcome
from tests.checks.fakes import OUTPUTS, RUN, FakeAccess, Refusal, Request, World, judge, open_lab
from tests.checks.lab_world import good_lab, kms_of
from tests.checks.table import Broken
from tests.checks.test_sweep import nothing_left_behind

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest


ONE = "multi-region.one-key-in-two-regions"
OWN = "multi-region.policy-and-tags-stay-in-their-region"
ROTATION = "multi-region.rotation-is-set-on-the-primary"
LAST = "multi-region.the-primary-leads-and-goes-last"


def be_impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a broken KMS never does is not waited for."""
    monkeypatch.setattr(multi_region, "REPLICATION_SECONDS", 0.1)


def own_material(world: World) -> None:
    """A KMS whose replicas have material of their own, as keys of two Regions would."""
    kms = kms_of(world)

    def replicate(request: Request) -> dict[str, Any]:
        made = kms.ReplicateKey(request)
        replica = kms.keys[made["ReplicaKeyMetadata"]["Arn"]]
        replica.material = {}
        replica.new_material()
        return made

    def decrypt(request: Request) -> dict[str, Any]:
        answer = kms.Decrypt(request)
        return (
            {**answer, "KeyMaterialId": kms.find(request["KeyId"]).current}
            if "KeyId" in request.parameters
            else answer
        )

    world.answers("kms:ReplicateKey", replicate).answers("kms:Decrypt", decrypt)


def opens_everywhere(world: World) -> None:
    """A KMS to which a key of one Region is a key of all."""
    world.answers("kms:Decrypt", {"Plaintext": b"kmslab", "KeyMaterialId": "same"})


def synchronised(operation: str) -> Callable[[World], object]:
    """A KMS that does to a replica what is done to its primary."""

    def how(world: World) -> None:
        kms = kms_of(world)
        real = getattr(kms, operation)

        def both(request: Request) -> Any:
            for replica in kms.replicas(kms.find(request["KeyId"])):
                real(Request(request.persona, request.action, {**request.parameters, "KeyId": replica.arn}))
            return real(request)

        world.answers(f"kms:{operation}", both)

    return how


def replicas_may_rotate(world: World) -> None:
    """A KMS that takes a replica for a key of its own."""
    vars(kms_of(world)).update(must_not_be_replica=lambda _: None)


def deletes_at_once(world: World) -> None:
    """A KMS that does not wait for replicas."""

    def schedule(request: Request) -> dict[str, Any]:
        kms_of(world).find(request["KeyId"]).state = "PendingDeletion"
        return {}

    world.answers("kms:ScheduleKeyDeletion", schedule)


def replicates_anything(world: World) -> None:
    """A KMS that says yes to every request for a replica."""
    real = kms_of(world).ReplicateKey

    def replicate(request: Request) -> dict[str, Any]:
        try:
            return real(request)
        except Refusal:
            return {}

    world.answers("kms:ReplicateKey", replicate)


BROKEN = [
    Broken(ONE, own_material, "the two keys used different material"),
    Broken(ONE, opens_everywhere, "operator could call kms:Decrypt"),
    Broken(OWN, synchronised("PutKeyPolicy"), "the replica's policy changed with the primary's"),
    Broken(OWN, synchronised("TagResource"), "the replica took the primary's tag"),
    Broken(OWN, lambda w: w.answers("kms:TagResource", {}), "the primary did not take its new tag"),
    Broken(ROTATION, replicas_may_rotate, "operator could call kms:EnableKeyRotation"),
    Broken(
        ROTATION,
        lambda w: w.answers("kms:GetKeyRotationStatus", {"KeyRotationEnabled": False}),
        "the replica does not rotate as its primary",
    ),
    Broken(
        ROTATION,
        lambda w: w.answers("kms:RotateKeyOnDemand", {}),
        "operator could call kms:RotateKeyOnDemand",
    ),
    Broken(LAST, replicates_anything, "operator could call kms:ReplicateKey"),
    Broken(LAST, deletes_at_once, "a primary with a replica became PendingDeletion"),
    Broken(
        LAST,
        lambda w: setattr(kms_of(w), "usable", kms_of(w).find),
        "operator could call kms:Decrypt",
    ),
]


def test_a_run_makes_one_pair_for_its_checks_and_retires_it() -> None:
    world = good_lab()
    lab = open_lab(world)
    with lab:
        multi_region._family(lab)
        multi_region._family(lab)
    assert len(world.asked("kms:ReplicateKey")) == 1
    made = [key for key in world.kms.keys.values() if "mrk-" in key.arn]
    assert len(made) == 2
    retire(lab.access, RUN)
    assert sorted(key.state for key in made) == ["PendingDeletion", "PendingReplicaDeletion"]


def test_a_replica_that_a_crash_left_is_found_through_its_primary() -> None:
    world = nothing_left_behind(good_lab())
    lab = open_lab(world)
    with lab:
        primary, replica, _ = multi_region._family(lab)
    world.kms.keys[primary].state = "PendingReplicaDeletion"
    swept = sweep(FakeAccess(world), OUTPUTS)
    assert (swept.removed, swept.problems) == ([f"key {replica}"], [])
    asked = world.asked("kms:ScheduleKeyDeletion")
    assert [(request["KeyId"], request.region) for request in asked] == [(replica, replica.split(":")[3])]
    assert sweep(FakeAccess(world), OUTPUTS).removed == []


def test_a_key_that_is_no_primary_is_noticed() -> None:
    world = good_lab()
    real = world.kms.DescribeKey

    def alone(request: Request) -> dict[str, Any]:
        about = real(request)["KeyMetadata"]
        configuration = {"MultiRegionKeyType": "PRIMARY"}
        return {"KeyMetadata": {**about, "MultiRegionConfiguration": configuration}}

    world.answers("kms:DescribeKey", alone)
    verdict = judge(ONE, world)
    assert (verdict.outcome, "is a PRIMARY, not the REPLICA" in verdict.summary) == (Outcome.FAIL, True), (
        verdict
    )
