"""Volumes and snapshots: all of them are under the lab's key, none is shared, and none can lose its encryption."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kmslab.checks.blocks import GIBIBYTE, sample_blocks, shared_snapshot
from kmslab.checks.registry import check
from kmslab.checks.samples import soon
from kmslab.checks.shared import described as key_described
from kmslab.checks.shared import read_once
from kmslab.checks.temporary import discard, temporary_key
from kmslab.lab import DENIED
from kmslab.model.capability import ON_BEHALF, Capability
from kmslab.model.naming import PREFIX_TAG, TEMPORARY_TAG
from kmslab.model.persona import Persona

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kmslab.lab import Lab

GUIDE = "06-ebs"
ENCRYPTION = frozenset({Capability.EBS_ENCRYPTION})
USING_THE_KEY = ENCRYPTION | ON_BEHALF
SHARING_REFUSED = DENIED | {"InvalidParameter", "OperationNotPermitted", "UnsupportedOperation"}
"""How EC2 refuses to share what must not be: it has used each of these codes."""
MANAGED_KEY = "alias/aws/ebs"


@check(
    guide=GUIDE,
    needs=ENCRYPTION,
    controls=("EC2.3", "config:encrypted-volumes", "prowler:ec2_ebs_volume_encryption"),
)
def every_volume_is_under_the_labs_key(lab: Lab) -> str:
    """Every volume with the lab's tag, and every volume of its instance, is encrypted under the lab's key.

    Not only the one that the stack names: extra volumes, the root volume of the instance, and any that
    somebody made by hand and tagged as the lab's.
    """
    filters = [{"Name": f"tag:{PREFIX_TAG}", "Values": [lab.prefix]}]
    found = _others(lab.read("ec2:DescribeVolumes", Filters=filters)["Volumes"])
    if lab.outputs.instance:
        attached = [{"Name": "attachment.instance-id", "Values": [lab.outputs.instance]}]
        found += lab.read("ec2:DescribeVolumes", Filters=attached)["Volumes"]
    ids = {one["VolumeId"] for one in found}
    lab.expect(lab.outputs.data_volume in ids, f"the lab's volume {lab.outputs.data_volume} has no lab tag")
    _expect_all_under(lab, "VolumeId", found, lab.outputs.key_ebs)
    return f"volumes looked at: {len(ids)}, each encrypted under the lab's key"


@check(guide=GUIDE, needs=ENCRYPTION, controls=("prowler:ec2_ebs_snapshots_encrypted",))
def every_snapshot_is_under_the_labs_key(lab: Lab) -> str:
    """Every snapshot with the lab's tag, or of one of its volumes, is encrypted under the lab's key.

    A snapshot is where data leaves a volume: an unencrypted copy would be the volume without its lock.
    """
    found = _labs_snapshots(lab)
    _expect_all_under(lab, "SnapshotId", found, lab.outputs.key_ebs)
    return f"snapshots looked at: {len(found)}, each encrypted under the lab's key"


@check(
    guide=GUIDE,
    needs=ENCRYPTION,
    controls=("EC2.1", "prowler:ec2_ebs_public_snapshot", "config:ebs-snapshot-public-restorable-check"),
)
def no_snapshot_is_shared(lab: Lab) -> str:
    """No snapshot of the lab may be used by another account, or by everybody.

    Without the key a shared snapshot is worthless to whom it is shared with. Nothing is shared all the
    same: the day somebody widens the key's policy must not be the day that old snapshots open.
    """
    found = _labs_snapshots(lab)
    for snapshot in (one["SnapshotId"] for one in found):
        with_whom = _shared_with(lab, snapshot)
        lab.expect(not with_whom, f"{snapshot} is shared with {', '.join(sorted(with_whom))}")
    return f"snapshots looked at: {len(found)}, none is shared"


@check(guide=GUIDE, needs=USING_THE_KEY)
def an_encrypted_snapshot_cannot_become_public(lab: Lab) -> str:
    """EC2 refuses to make an encrypted snapshot public, to the account's administrator too.

    The operator may share the snapshot: with the own account, which changes nothing, it is taken. With
    everybody it is refused. The snapshot is of the lab's volume and under the lab's key.
    """
    snapshot = str(sample_blocks(lab).copy(shared_snapshot(lab), lab.outputs.key_ebs)["SnapshotId"])
    _share(lab, snapshot, UserIds=[lab.account])
    lab.refused(
        Persona.OPERATOR,
        "ec2:ModifySnapshotAttribute",
        codes=SHARING_REFUSED,
        **_sharing(snapshot, GroupNames=["all"]),
    )
    lab.expect("all" not in _shared_with(lab, snapshot), "the snapshot is public though EC2 refused it")
    return "shared with the own account, and refused to everybody"


@check(guide=GUIDE, needs=USING_THE_KEY)
def a_snapshot_under_the_managed_key_cannot_be_shared(lab: Lab) -> str:
    """What is under aws/ebs stays in the account: such a snapshot cannot be shared at all.

    Nobody can change the policy of an AWS managed key, so nobody elsewhere could ever open it. Under
    the lab's key the same call is taken. To share data, copy the snapshot to a key of one's own first.
    """
    sample, source = sample_blocks(lab), shared_snapshot(lab)
    own, managed = (sample.copy(source, key) for key in (lab.outputs.key_ebs, MANAGED_KEY))
    key = managed["KmsKeyId"]
    manager = key_described(lab, key)["KeyManager"]
    lab.expect(manager == "AWS", f"the key of the copy under aws/ebs is managed by {manager}")
    _share(lab, own["SnapshotId"], UserIds=[lab.account])
    lab.refused(
        Persona.OPERATOR,
        "ec2:ModifySnapshotAttribute",
        codes=SHARING_REFUSED,
        **_sharing(managed["SnapshotId"], UserIds=[lab.account]),
    )
    return "sharing is taken under the lab's key and refused under aws/ebs"


@check(guide=GUIDE, needs=USING_THE_KEY)
def a_copy_cannot_be_unencrypted(lab: Lab) -> str:
    """A copy of an encrypted snapshot is encrypted, also where the request does not ask for it.

    There is no way back from encrypted to plain but to read the blocks with the key and write them
    anew.
    """
    sample = sample_blocks(lab)
    request = sample.copy_of(shared_snapshot(lab))
    del request["Encrypted"]
    made = lab.allowed(Persona.DATA_OWNER, "ec2:CopySnapshot", **request)["SnapshotId"]
    sample.made.append(("snapshot", made))
    copy = sample.completed(made)
    lab.expect(copy.get("Encrypted"), "the copy of an encrypted snapshot is not encrypted")
    return f"a copy that asked for nothing is encrypted, under {copy.get('KmsKeyId', 'a key')}"


@check(guide=GUIDE, needs=ENCRYPTION)
def the_regions_default_is_what_it_says(lab: Lab) -> str:
    """Whether EBS encrypts what does not ask for it is a setting of the account in this Region.

    The lab reports it and does not change it: it belongs to the account, and to whoever else works in
    it. The lab's volumes do not rely on it, since each names its key. A volume that asks for nothing
    shows that the setting is in effect: encrypted where it is on, and plain where it is off, which is
    what Security Hub's EC2.7 is about.
    """
    on = bool(lab.read("ec2:GetEbsEncryptionByDefault")["EbsEncryptionByDefault"])
    key = str(lab.read("ec2:GetEbsDefaultKmsKeyId")["KmsKeyId"])
    sample = sample_blocks(lab)
    volume = lab.read(
        "ec2:CreateVolume",
        persona=Persona.OPERATOR,
        AvailabilityZone=sample.zone(),
        Size=GIBIBYTE,
        VolumeType="gp3",
        TagSpecifications=sample.tagged("volume"),
    )
    sample.made.append(("volume", volume["VolumeId"]))
    found = bool(volume.get("Encrypted"))
    lab.expect(found == on, f"encryption by default is {_state(on)}, and a new volume is {_seen(found)}")
    under = f", under {key}" if on else ": whoever makes a volume here must ask for its encryption"
    return f"encryption by default is {_state(on)} in {lab.region}{under}"


@check(guide=GUIDE, needs=USING_THE_KEY | {Capability.KEY_STATES}, changes_keys=True)
def a_key_on_its_way_out_makes_no_volume(lab: Lab) -> str:
    """Under a key that is pending deletion no volume can be made, as it will be once the key is gone.

    The operator makes a volume under a key of their own, schedules the key's deletion, and gets no
    second one. What is already there is lost with the key, unless the deletion is called off in time.
    """
    key = temporary_key(lab, "deleted under a volume")
    sample = sample_blocks(lab)
    sample.new_volume(Persona.OPERATOR, key)
    discard(lab.access, key)
    soon(lab, lambda: sample.gets_no_new_volume(Persona.OPERATOR, key))
    return "a volume while the key was in service, none once its deletion was scheduled"


def _state(on: bool) -> str:
    return "on" if on else "off"


def _seen(encrypted: bool) -> str:
    return "encrypted" if encrypted else "not encrypted"


def _labs_snapshots(lab: Lab) -> list[dict[str, Any]]:
    """The snapshot that checks share, and every other one of the lab's or of its volumes."""
    shared_snapshot(lab)
    found: dict[str, dict[str, Any]] = {}
    for name, value in ((f"tag:{PREFIX_TAG}", lab.prefix), ("volume-id", lab.outputs.data_volume)):
        filters = [{"Name": name, "Values": [value]}]
        page = read_once(lab, "ec2:DescribeSnapshots", OwnerIds=["self"], Filters=filters)["Snapshots"]
        # What other checks copy for a moment may be under another key, and is theirs to judge.
        kept = _others(page) if name != "volume-id" else page
        found |= {one["SnapshotId"]: one for one in kept}
    lab.expect(found, "EC2 does not show the snapshot that was just made of the lab's volume")
    return list(found.values())


def _others(described: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Those that no check made for itself."""
    return [one for one in described if TEMPORARY_TAG not in {tag["Key"] for tag in one.get("Tags", [])}]


def _expect_all_under(lab: Lab, name: str, described: Iterable[dict[str, Any]], key: str) -> None:
    for one in described:
        lab.expect(one.get("Encrypted"), f"{one[name]} is not encrypted")
        lab.expect(one.get("KmsKeyId") == key, f"{one[name]} is under {one.get('KmsKeyId', 'no key')}")


def _shared_with(lab: Lab, snapshot: str) -> set[str]:
    attribute: dict[str, Any] = {"Attribute": "createVolumePermission", "SnapshotId": snapshot}
    found = lab.read("ec2:DescribeSnapshotAttribute", **attribute).get("CreateVolumePermissions", [])
    return {one.get("UserId") or one.get("Group", "somebody") for one in found}


def _sharing(snapshot: str, **whom: list[str]) -> dict[str, Any]:
    attribute = {"Attribute": "createVolumePermission", "OperationType": "add", "SnapshotId": snapshot}
    return {**attribute, **whom}


def _share(lab: Lab, snapshot: str, **whom: list[str]) -> None:
    lab.allowed(Persona.OPERATOR, "ec2:ModifySnapshotAttribute", **_sharing(snapshot, **whom))
