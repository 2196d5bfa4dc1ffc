"""What EC2 does and an engine at hand does not: it limits snapshots, describes late and loses what it took."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from kmslab.checks import REGISTRY, run
from kmslab.checks.blocks import BETWEEN_SNAPSHOTS, KEY_NOT_USABLE, sample_blocks, shared_snapshot
from kmslab.checks.sweep import retire
from kmslab.lab import SETTLE_SECONDS, Failed, Inconclusive, Lab
from kmslab.model.capability import ALL
from kmslab.model.naming import PREFIX_TAG, TEMPORARY_TAG
from kmslab.model.persona import Persona
from kmslab.model.target import TargetKind
from kmslab.model.verdict import Outcome
from tests.checks.fakes import OUTPUTS, PREFIX, RUN, FakeAccess, Request, judge, open_lab
from tests.checks.table import checks_of
from tests.checks.test_ebs import GoodWorld

if TYPE_CHECKING:
    from collections.abc import Mapping

STORAGE = Persona.STORAGE_OPERATOR
VOLUME_CHECK = "ebs.volume-from-snapshot-needs-the-key"


def test_a_run_takes_one_snapshot_of_the_volume() -> None:
    world = GoodWorld()
    access = FakeAccess(world)

    def outcome(check: str) -> Outcome:
        return run(REGISTRY[check], Lab(access, OUTPUTS, ALL, RUN)).outcome

    alone = "ebs.disabled-key-stops-new-volumes"
    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(outcome, [one for one in checks_of("ebs") if one != alone]))
    assert {*outcomes, outcome(alone)} == {Outcome.PASS}
    assert len(world.asked("ec2:CreateSnapshot")) == 1
    assert not world.ebs.left


def test_the_snapshot_carries_what_the_sweep_looks_for() -> None:
    world = GoodWorld()
    judge("ebs.snapshot-inherits-the-key", world)
    (snapshot,) = world.ebs.snapshots.values()
    assert snapshot["Tags"] == [{"Key": TEMPORARY_TAG, "Value": RUN}, {"Key": PREFIX_TAG, "Value": PREFIX}]


def test_the_end_of_the_run_removes_the_snapshot() -> None:
    world = GoodWorld()
    access = FakeAccess(world)
    snapshot = shared_snapshot(Lab(access, OUTPUTS, ALL, RUN))["SnapshotId"]
    assert retire(access, "run-0000").removed == []
    assert retire(access, RUN).removed == [f"snapshot {snapshot}"]
    assert not world.ebs.snapshots


def test_what_ec2_does_not_describe_yet_is_removed_as_well() -> None:
    world = GoodWorld()
    world.answers("ec2:DescribeSnapshots", {"Snapshots": []})
    judge("ebs.writing-blocks-needs-the-key", world)
    assert len(world.asked("ebs:StartSnapshot")) == 2
    assert not world.ebs.left


def test_each_check_shows_the_snapshot_as_evidence() -> None:
    access = FakeAccess(GoodWorld())
    first, second = (Lab(access, OUTPUTS, ALL, RUN) for _ in range(2))
    snapshot = shared_snapshot(first)["SnapshotId"]
    assert shared_snapshot(second)["SnapshotId"] == snapshot
    (made,), (known,) = (
        [c for c in lab.calls if c.action == "ec2:CreateSnapshot"] for lab in (first, second)
    )
    assert (made.resource, made.detail) == (OUTPUTS.data_volume, "")
    assert (known.resource, known.detail) == (snapshot, "made once for several checks")


def test_the_shared_snapshot_is_waited_for_once() -> None:
    world = GoodWorld()
    access = FakeAccess(world)
    seen = [shared_snapshot(Lab(access, OUTPUTS, ALL, RUN))["State"] for _ in range(3)]
    assert seen == ["completed"] * 3
    assert len(world.asked("ec2:DescribeSnapshots")) == 1


def test_only_kinds_that_a_check_asked_for_are_looked_for_when_it_ends() -> None:
    world = GoodWorld()
    assert judge("ebs.copy-changes-the-key", world).outcome is Outcome.PASS
    assert world.asked("ec2:DeleteSnapshot")
    assert not world.asked("ec2:DescribeVolumes")
    assert not world.ebs.left


def test_another_run_has_a_snapshot_of_its_own() -> None:
    world = GoodWorld()
    access = FakeAccess(world)
    first = shared_snapshot(Lab(access, OUTPUTS, ALL, "run-0001"))
    world.ebs.snapshotted.clear()
    second = shared_snapshot(Lab(access, OUTPUTS, ALL, "run-0002"))
    assert first["SnapshotId"] != second["SnapshotId"]


@pytest.mark.parametrize("code", ["SnapshotCreationPerVolumeRateExceeded", "ConcurrentSnapshotLimitExceeded"])
def test_a_snapshot_waits_until_ec2_takes_one_again(code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(BETWEEN_SNAPSHOTS, TargetKind.LOCAL, 0.2)
    world = GoodWorld()
    world.refuses("ec2:CreateSnapshot", code=code, when=lambda _: len(world.asked("ec2:CreateSnapshot")) == 1)
    started = time.monotonic()
    assert shared_snapshot(open_lab(world))["State"] == "completed"
    assert time.monotonic() - started >= 0.19
    assert len(world.asked("ec2:CreateSnapshot")) == 2


def test_a_snapshot_that_fails_otherwise_is_not_asked_for_again() -> None:
    world = GoodWorld()
    world.refuses("ec2:CreateSnapshot", code="SnapshotLimitExceeded")
    with pytest.raises(Inconclusive, match="could not call ec2:CreateSnapshot"):
        shared_snapshot(open_lab(world))
    assert len(world.asked("ec2:CreateSnapshot")) == 1


def described_from(look: int, world: GoodWorld) -> None:
    """EC2 takes the storage operator's request and describes the volume only at a later look."""
    world.answers("ec2:CreateVolume", world.ebs.CreateVolume, STORAGE)
    looks = []

    def describe(request: Request) -> Mapping[str, Any]:
        found = world.ebs.DescribeVolumes(request)
        if any(one["Name"].endswith("-attempt") for one in request.get("Filters", [])):
            looks.append(1)
            if len(looks) < look:
                return {"Volumes": []}
        return found

    world.answers("ec2:DescribeVolumes", describe)


def test_a_volume_that_ec2_describes_late_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SETTLE_SECONDS, TargetKind.LOCAL, 60.0)
    world = GoodWorld()
    described_from(3, world)
    verdict = judge(VOLUME_CHECK, world)
    assert verdict.outcome is Outcome.FAIL, verdict.summary
    assert "storage-operator could call ec2:CreateVolume" in verdict.summary
    assert not world.ebs.left


def test_what_never_appears_is_gone_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SETTLE_SECONDS, TargetKind.LOCAL, 0.5)
    world = GoodWorld()
    world.answers("ec2:CreateVolume", {"VolumeId": "vol-0"}, STORAGE)
    started = time.monotonic()
    assert judge(VOLUME_CHECK, world).outcome is Outcome.PASS
    assert time.monotonic() - started >= 0.5


def test_what_appeared_and_vanished_is_gone_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SETTLE_SECONDS, TargetKind.LOCAL, 60.0)
    world = GoodWorld()
    looks = []

    def create(request: Request) -> Mapping[str, Any]:
        made = dict(world.ebs.CreateVolume(request))
        world.ebs.volumes[made["VolumeId"]]["State"] = "creating"
        return made

    def describe(request: Request) -> Mapping[str, Any]:
        found = world.ebs.DescribeVolumes(request)
        if any(one["Name"].endswith("-attempt") for one in request.get("Filters", [])):
            looks.append(1)
            for one in found["Volumes"] if len(looks) == 2 else ():
                del world.ebs.volumes[one["VolumeId"]]
                found = {"Volumes": []}
        return found

    world.answers("ec2:CreateVolume", create, STORAGE).answers("ec2:DescribeVolumes", describe)
    started = time.monotonic()
    assert judge(VOLUME_CHECK, world).outcome is Outcome.PASS
    assert len(looks) == 2
    assert time.monotonic() - started < 30


@pytest.mark.parametrize(
    "code",
    [
        "InvalidKMSKey.InvalidState",
        "InvalidKmsKey.InvalidState",
        "KMS.DisabledException",
        "KmsKeyNotAccessible",
        "UnauthorizedOperation",
    ],
)
def test_every_spelling_of_a_key_that_cannot_be_used_is_a_refusal(code: str) -> None:
    world = GoodWorld().refuses("ec2:CreateVolume", STORAGE, code=code)
    assert judge(VOLUME_CHECK, world).outcome is Outcome.PASS


@pytest.mark.parametrize("code", ["VolumeLimitExceeded", "KMS.ThrottlingException", "KMS.InternalException"])
def test_what_says_nothing_about_the_key_is_no_refusal(code: str) -> None:
    world = GoodWorld().refuses("ec2:CreateVolume", STORAGE, code=code)
    verdict = judge(VOLUME_CHECK, world)
    assert verdict.outcome is Outcome.ERROR
    assert "but not as a refusal" in verdict.summary
    assert not KEY_NOT_USABLE.match(code)


@pytest.mark.parametrize(
    ("action", "code"),
    [
        ("ec2:DeleteVolume", "InvalidVolume.NotFound"),
        ("ec2:DeleteSnapshot", "InvalidSnapshot.NotFound"),
    ],
)
def test_what_vanished_need_not_be_removed(action: str, code: str) -> None:
    world = GoodWorld().refuses(action, code=code)
    check = VOLUME_CHECK if action == "ec2:DeleteVolume" else "ebs.copy-changes-the-key"
    assert judge(check, world).outcome is Outcome.PASS
    assert world.asked(action)


def test_what_cannot_be_removed_is_said() -> None:
    verdict = judge(VOLUME_CHECK, GoodWorld().refuses("ec2:DeleteVolume", code="VolumeInUse"))
    assert verdict.outcome is Outcome.ERROR
    assert "could not clean up" in verdict.summary


def test_a_sample_that_is_gone_does_not_keep_the_rest_from_being_removed() -> None:
    world = GoodWorld()
    world.refuses(
        "ec2:DeleteVolume",
        code="InvalidVolume.NotFound",
        when=lambda _: len(world.asked("ec2:DeleteVolume")) == 1,
    )
    with open_lab(world) as lab:
        sample = sample_blocks(lab)
        for _ in range(2):
            sample.new_volume()
    assert len(world.asked("ec2:DeleteVolume")) == 2


def test_a_volume_in_error_fails_the_check_that_waits_for_it() -> None:
    world = GoodWorld()
    snapshot = shared_snapshot(open_lab(world))

    def broken(request: Request) -> Mapping[str, Any]:
        made = dict(world.ebs.CreateVolume(request))
        world.ebs.volumes[made["VolumeId"]]["State"] = "error"
        return made

    world.answers("ec2:CreateVolume", broken)
    with open_lab(world) as lab, pytest.raises(Failed, match="ended in the state error"):
        sample_blocks(lab).volume_of(snapshot)
    assert not world.ebs.left
