from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from kmslab.model.naming import TEMPORARY_TAG
from kmslab.model.persona import Persona
from kmslab.model.verdict import Outcome
from tests.checks.fake_ebs import FakeEbs
from tests.checks.fakes import OUTPUTS, RUN, Request, World, judge
from tests.checks.table import Broken

if TYPE_CHECKING:
    from collections.abc import Callable

OWNER, STORAGE = Persona.DATA_OWNER, Persona.STORAGE_OPERATOR
NEEDS_THE_KEY = ("ec2:CreateVolume", "ec2:CopySnapshot", "ebs:StartSnapshot", "ebs:GetSnapshotBlock")


class GoodWorld(World):
    """A world in which every EBS check passes; `ebs` is its store."""

    def __init__(self) -> None:
        super().__init__()
        self.ebs = FakeEbs(self)
        for action in NEEDS_THE_KEY:
            code = "UnauthorizedOperation" if action.startswith("ec2:") else "AccessDeniedException"
            self.refuses(action, STORAGE, code=code, message="not authorized to perform: kms:Decrypt")
            self.refuses(action, Persona.DATA_READER, Persona.OUTSIDER, code=code)


def store(world: World) -> FakeEbs:
    assert isinstance(world, GoodWorld)
    return world.ebs


def volume_is(**changes: Any) -> Callable[[World], object]:
    return lambda world: store(world).volumes[OUTPUTS.data_volume].update(changes)


def made_under(action: str, key: str) -> Callable[[World], object]:
    """What the action makes is under another key than it should be."""

    def how(world: World) -> None:
        ebs = store(world)
        operation = getattr(ebs, action.partition(":")[2])

        def reply(request: Request) -> dict[str, Any]:
            made: dict[str, Any] = operation(request)
            made["KmsKeyId"] = key
            return made

        world.answers(action, reply, OWNER)

    return how


def lets(action: str, persona: Persona) -> Callable[[World], object]:
    return lambda world: world.answers(action, getattr(store(world), action.partition(":")[2]), persona)


def garbled(world: World) -> None:
    def put(request: Request) -> dict[str, Any]:
        store(world).blocks[request["SnapshotId"]] = b"\0" * 524_288
        return {}

    world.answers("ebs:PutSnapshotBlock", put)


def wrong_checksum(world: World) -> None:
    world.answers(
        "ebs:GetSnapshotBlock", lambda r: {**store(world).GetSnapshotBlock(r), "Checksum": "bm8="}, OWNER
    )


def two_blocks(world: World) -> None:
    world.answers("ebs:ListSnapshotBlocks", {"Blocks": [{"BlockIndex": 0}, {"BlockIndex": 1}]})


def gives_up_later(kind: str, action: str) -> Callable[[World], object]:
    """EC2 takes the storage operator's request, and what it began ends in the state error."""

    def how(world: World) -> None:
        def reply(request: Request) -> dict[str, Any]:
            made: dict[str, Any] = getattr(store(world), action.partition(":")[2])(request)
            made["State"] = "error"
            return made

        assert kind in {"volume", "snapshot"}
        world.answers(action, reply, STORAGE)

    return how


def vanishes(world: World) -> None:
    """EC2 takes the storage operator's request and makes nothing."""
    world.answers("ec2:CreateVolume", {"VolumeId": "vol-0"}, STORAGE)


def ends_in_error(world: World) -> None:
    """The data owner's volumes end in the state error."""

    def reply(request: Request) -> dict[str, Any]:
        made = dict(store(world).CreateVolume(request))
        store(world).volumes[made["VolumeId"]]["State"] = "error"
        return made

    world.answers("ec2:CreateVolume", reply, OWNER)


def stays_locked(world: World) -> None:
    """Enabling the key brings nothing back."""
    world.refuses(
        "ec2:CreateVolume",
        OWNER,
        code="UnauthorizedOperation",
        when=lambda _: bool(world.asked("kms:EnableKey")),
    )


BROKEN = [
    Broken("ebs.volume-is-under-the-labs-key", volume_is(Encrypted=False), "the volume is not encrypted"),
    Broken("ebs.volume-is-under-the-labs-key", volume_is(KmsKeyId=OUTPUTS.key_app), OUTPUTS.key_app),
    Broken("ebs.volume-is-under-the-labs-key", volume_is(VolumeType="gp2"), "of type gp2"),
    Broken(
        "ebs.snapshot-inherits-the-key", made_under("ec2:CreateSnapshot", OUTPUTS.key_app), OUTPUTS.key_app
    ),
    Broken("ebs.copy-changes-the-key", made_under("ec2:CopySnapshot", OUTPUTS.key_ebs), "the copy is under"),
    Broken(
        "ebs.copy-changes-the-key", made_under("ec2:CreateSnapshot", OUTPUTS.key_s3), "the original is under"
    ),
    Broken(
        "ebs.volume-from-snapshot-needs-the-key",
        lets("ec2:CreateVolume", STORAGE),
        "storage-operator could call",
    ),
    Broken(
        "ebs.volume-from-snapshot-needs-the-key",
        made_under("ec2:CreateVolume", OUTPUTS.key_app),
        "new volume is",
    ),
    Broken("ebs.volume-from-snapshot-needs-the-key", ends_in_error, "ended in the state error"),
    Broken("ebs.copy-needs-the-key", lets("ec2:CopySnapshot", STORAGE), "storage-operator could call"),
    Broken("ebs.written-blocks-come-back", garbled, "not the one written"),
    Broken("ebs.written-blocks-come-back", wrong_checksum, "checksum that came back"),
    Broken("ebs.written-blocks-come-back", two_blocks, "has 2 blocks"),
    Broken(
        "ebs.written-blocks-come-back",
        made_under("ebs:StartSnapshot", OUTPUTS.key_app),
        "the snapshot is under",
    ),
    *(
        Broken("ebs.blocks-need-the-key", lets("ebs:GetSnapshotBlock", persona), f"{persona} could call")
        for persona in (STORAGE, Persona.DATA_READER, Persona.OUTSIDER)
    ),
    Broken(
        "ebs.writing-blocks-needs-the-key", lets("ebs:StartSnapshot", STORAGE), "storage-operator could call"
    ),
    Broken(
        "ebs.disabled-key-stops-new-volumes",
        lambda w: w.answers("kms:DisableKey", {}),
        "could call ec2:Create",
    ),
    Broken("ebs.disabled-key-stops-new-volumes", stays_locked, "data-owner is refused ec2:CreateVolume"),
    Broken("ebs.disabled-key-stops-new-volumes", ends_in_error, "ended in the state error"),
]


@pytest.mark.parametrize(
    ("check", "how"),
    [
        ("ebs.volume-from-snapshot-needs-the-key", gives_up_later("volume", "ec2:CreateVolume")),
        ("ebs.volume-from-snapshot-needs-the-key", vanishes),
        ("ebs.copy-needs-the-key", gives_up_later("snapshot", "ec2:CopySnapshot")),
    ],
)
def test_giving_up_in_the_background_is_a_refusal(check: str, how: Callable[[World], object]) -> None:
    world = GoodWorld()
    how(world)
    verdict = judge(check, world)
    assert verdict.outcome is Outcome.PASS, verdict.summary
    assert "then gave the" in verdict.evidence[-1].detail
    assert not world.ebs.left


def test_what_is_made_carries_the_run() -> None:
    world = GoodWorld()
    judge("ebs.volume-from-snapshot-needs-the-key", world)
    judge("ebs.written-blocks-come-back", world)
    specifications = [
        request["TagSpecifications"][0]
        for request in world.requests
        if request.action in {"ec2:CreateSnapshot", "ec2:CreateVolume"}
    ]
    assert [one["ResourceType"] for one in specifications] == ["snapshot", "volume", "volume"]
    tags = [*(one["Tags"] for one in specifications), world.asked("ebs:StartSnapshot")[0]["Tags"]]
    assert all({"Key": TEMPORARY_TAG, "Value": RUN} in some for some in tags)


def test_evidence_names_the_snapshot_that_is_copied() -> None:
    verdict = judge("ebs.copy-needs-the-key", GoodWorld())
    copies = [call for call in verdict.evidence if call.action == "ec2:CopySnapshot"]
    assert [call.result for call in copies] == ["ok", "UnauthorizedOperation"]
    assert copies[0].resource == copies[1].resource
    assert copies[0].resource.startswith("snap-")
