from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from kmslab.model.naming import PREFIX_TAG, TEMPORARY_TAG
from kmslab.model.outputs import LabOutputs
from kmslab.model.persona import Persona
from kmslab.model.verdict import Outcome
from tests.checks.fake_ebs import AWS_KEY, FakeEbs
from tests.checks.fakes import ACCOUNT, OUTPUTS, PREFIX, Refusal, Request, World, judge, key_arn
from tests.checks.table import Broken, checks_of

if TYPE_CHECKING:
    from collections.abc import Callable

OPERATOR, OWNER = Persona.OPERATOR, Persona.DATA_OWNER
OWN = key_arn("own")
SHARE = "ec2:ModifySnapshotAttribute"


class GoodWorld(World):
    """A world in which every check on volumes passes; `ebs` is its store."""

    def __init__(self) -> None:
        super().__init__()
        self.ebs = FakeEbs(self)
        self.answers("kms:CreateKey", {"KeyMetadata": {"Arn": OWN, "KeyId": OWN}})
        self.answers("kms:ScheduleKeyDeletion", self.ebs.DisableKey)
        self.answers("ec2:GetEbsEncryptionByDefault", {"EbsEncryptionByDefault": False})
        self.answers("ec2:GetEbsDefaultKmsKeyId", {"KmsKeyId": AWS_KEY})


def store(world: World) -> FakeEbs:
    assert isinstance(world, GoodWorld)
    return world.ebs


def another_volume(*, tagged: bool = True, attached: str = "", **changes: Any) -> Callable[[World], object]:
    """A second volume, of the lab by its tag or by its instance."""

    def how(world: World) -> None:
        tags = [{"Key": PREFIX_TAG, "Value": PREFIX}] if tagged else []
        volumes = store(world).volumes
        one = {**volumes[OUTPUTS.data_volume], "VolumeId": "vol-2", "Tags": tags, "attached": attached}
        volumes["vol-2"] = {**one, **changes}

    return how


def another_snapshot(*, tagged: bool = True, **changes: Any) -> Callable[[World], object]:
    """A snapshot of the lab's volume, or with the lab's tag."""

    def how(world: World) -> None:
        one: dict[str, Any] = {
            "SnapshotId": "snap-2",
            "Encrypted": True,
            "KmsKeyId": OUTPUTS.key_ebs,
            "State": "completed",
            "VolumeId": "vol-ffffffff" if tagged else OUTPUTS.data_volume,
            "Tags": [{"Key": PREFIX_TAG, "Value": PREFIX}] if tagged else [],
        }
        store(world).snapshots["snap-2"] = {**one, **changes}

    return how


def shared_with(whom: str) -> Callable[[World], object]:
    def how(world: World) -> None:
        another_snapshot()(world)
        store(world).shared["snap-2"] = {whom}

    return how


def takes_any_sharing(world: World) -> None:
    world.answers(SHARE, {})


def copies_plain(world: World) -> None:
    def copy(request: Request) -> dict[str, Any]:
        made: dict[str, Any] = dict(store(world).CopySnapshot(request))
        store(world).snapshots[made["SnapshotId"]]["Encrypted"] = False
        return made

    world.answers("ec2:CopySnapshot", copy, OWNER)


def says_on(world: World) -> None:
    world.answers("ec2:GetEbsEncryptionByDefault", {"EbsEncryptionByDefault": True})


def encrypts_although_off(world: World) -> None:
    store(world).by_default = True


def may_not_be_plain(world: World) -> None:
    def refuse(_: Request) -> dict[str, Any]:
        raise Refusal("UnauthorizedOperation", "explicit deny in a service control policy", 403)

    world.answers("ec2:CreateVolume", refuse, OPERATOR)


def untagged(world: World) -> None:
    store(world).volumes[OUTPUTS.data_volume]["Tags"] = []


def still_usable(world: World) -> None:
    world.answers("kms:ScheduleKeyDeletion", {})


def hidden(world: World) -> None:
    world.answers(
        "ec2:DescribeSnapshots", {"Snapshots": []}, when=lambda r: r["Filters"][0]["Name"] != "snapshot-id"
    )


def managed_by_us(world: World) -> None:
    world.answers("kms:DescribeKey", {"KeyMetadata": {"KeyId": AWS_KEY, "KeyManager": "CUSTOMER"}})


def public_all_the_same(world: World) -> None:
    def describe(_: Request) -> dict[str, Any]:
        return {"CreateVolumePermissions": [{"Group": "all"}]}

    world.answers("ec2:DescribeSnapshotAttribute", describe)


ATTACHED = another_volume(tagged=False, attached=OUTPUTS.instance, Encrypted=False, KmsKeyId="")
BROKEN = [
    Broken(
        "volumes.every-volume-is-under-the-labs-key",
        another_volume(Encrypted=False),
        "vol-2 is not encrypted",
    ),
    Broken(
        "volumes.every-volume-is-under-the-labs-key", another_volume(KmsKeyId=AWS_KEY), f"under {AWS_KEY}"
    ),
    Broken("volumes.every-volume-is-under-the-labs-key", ATTACHED, "vol-2 is not encrypted"),
    Broken("volumes.every-volume-is-under-the-labs-key", untagged, "has no lab tag"),
    Broken(
        "volumes.every-snapshot-is-under-the-labs-key", another_snapshot(Encrypted=False), "snap-2 is not"
    ),
    Broken(
        "volumes.every-snapshot-is-under-the-labs-key",
        another_snapshot(tagged=False, KmsKeyId=AWS_KEY),
        f"snap-2 is under {AWS_KEY}",
    ),
    Broken("volumes.every-snapshot-is-under-the-labs-key", hidden, "does not show the snapshot"),
    Broken(
        "volumes.no-snapshot-is-shared", shared_with("444455556666"), "snap-2 is shared with 444455556666"
    ),
    Broken("volumes.no-snapshot-is-shared", shared_with("all"), "snap-2 is shared with all"),
    Broken("volumes.an-encrypted-snapshot-cannot-become-public", takes_any_sharing, "operator could call"),
    Broken("volumes.an-encrypted-snapshot-cannot-become-public", public_all_the_same, "is public though"),
    Broken(
        "volumes.a-snapshot-under-the-managed-key-cannot-be-shared", takes_any_sharing, "operator could call"
    ),
    Broken("volumes.a-snapshot-under-the-managed-key-cannot-be-shared", managed_by_us, "managed by CUSTOMER"),
    Broken("volumes.a-copy-cannot-be-unencrypted", copies_plain, "is not encrypted"),
    Broken(
        "volumes.the-regions-default-is-what-it-says", says_on, "is on, and a new volume is not encrypted"
    ),
    Broken(
        "volumes.the-regions-default-is-what-it-says",
        encrypts_although_off,
        "is off, and a new volume is enc",
    ),
    Broken("volumes.the-regions-default-is-what-it-says", may_not_be_plain, "could not call", Outcome.ERROR),
    Broken(
        "volumes.a-key-on-its-way-out-makes-no-volume", still_usable, "operator could call ec2:CreateVolume"
    ),
]


def test_where_encryption_is_on_a_volume_that_asks_for_nothing_is_under_the_default_key() -> None:
    world = GoodWorld()
    says_on(world)
    encrypts_although_off(world)
    verdict = judge("volumes.the-regions-default-is-what-it-says", world)
    assert verdict.outcome is Outcome.PASS
    assert f"is on in eu-central-1, under {AWS_KEY}" in verdict.summary
    (made,) = world.asked("ec2:CreateVolume")
    assert made.get("Encrypted") is None


@pytest.mark.parametrize("check", checks_of("volumes"))
def test_no_setting_of_the_account_is_changed(check: str) -> None:
    world = GoodWorld()
    judge(check, world)
    changing = ("ec2:Enable", "ec2:Disable", "ec2:ModifyEbs", "ec2:ResetEbs")
    assert not [one.action for one in world.requests if one.action.startswith(changing)]


@pytest.mark.parametrize(
    "check", ["every-volume-is-under-the-labs-key", "every-snapshot-is-under-the-labs-key"]
)
def test_what_other_checks_make_for_a_moment_is_theirs_to_judge(check: str) -> None:
    world = GoodWorld()
    tags = [{"Key": PREFIX_TAG, "Value": PREFIX}, {"Key": TEMPORARY_TAG, "Value": "run-0"}]
    another_volume(Encrypted=False, Tags=tags)(world)
    another_snapshot(Encrypted=False, Tags=tags)(world)
    assert judge(f"volumes.{check}", world).outcome is Outcome.PASS


def test_a_lab_without_an_instance_asks_for_none() -> None:
    world = GoodWorld()
    outputs = LabOutputs(
        {one.name: OUTPUTS.value_of(one) for one in LabOutputs.all() if one.name != "instance"}
    )
    verdict = judge("volumes.every-volume-is-under-the-labs-key", world, outputs=outputs)
    assert verdict.outcome is Outcome.PASS
    assert len(world.asked("ec2:DescribeVolumes")) == 1


@pytest.mark.parametrize(
    "check",
    ["an-encrypted-snapshot-cannot-become-public", "a-snapshot-under-the-managed-key-cannot-be-shared"],
)
def test_sharing_is_tried_with_the_own_account_only(check: str) -> None:
    world = GoodWorld()
    judge(f"volumes.{check}", world)
    assert {tuple(one["UserIds"]) for one in world.asked(SHARE) if one.get("UserIds")} == {(ACCOUNT,)}
