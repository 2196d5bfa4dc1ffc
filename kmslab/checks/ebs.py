"""EBS: volumes, snapshots and their blocks are worth nothing without the key."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

from kmslab.checks.blocks import BLOCK_BYTES, checksum, labs_volume, sample_blocks, shared_snapshot
from kmslab.checks.registry import check
from kmslab.checks.samples import soon
from kmslab.checks.temporary import stopped
from kmslab.model.capability import ON_BEHALF, Capability
from kmslab.model.persona import Persona

if TYPE_CHECKING:
    from kmslab.lab import Lab

GUIDE = "06-ebs"
ENCRYPTION = frozenset({Capability.EBS_ENCRYPTION})
USING_THE_KEY = ENCRYPTION | ON_BEHALF
DIRECT = USING_THE_KEY | {Capability.EBS_DIRECT_APIS}


@check(
    guide=GUIDE,
    needs=ENCRYPTION,
    # Not EC2.3 nor the Config rule encrypted-volumes: they look at attached volumes only.
    controls=("prowler:ec2_ebs_volume_encryption", "cdk-nag:AwsSolutions-EC26"),
)
def volume_is_under_the_labs_key(lab: Lab) -> str:
    """The lab's volume is a gp3 volume, encrypted under the lab's key.

    EBS encrypts on the host that the volume is attached to: what travels to the volume and what lies
    there is ciphertext, and the instance notices nothing.
    """
    volume = labs_volume(lab)
    _expect_key(lab, "the volume", volume, lab.outputs.key_ebs)
    lab.expect(volume["VolumeType"] == "gp3", f"the volume is of type {volume['VolumeType']}")
    return "a gp3 volume, encrypted under the lab's key"


@check(guide=GUIDE, needs=ENCRYPTION, controls=("prowler:ec2_ebs_snapshots_encrypted",))
def snapshot_inherits_the_key(lab: Lab) -> str:
    """A snapshot of an encrypted volume is encrypted under the same key. It cannot be otherwise."""
    _expect_key(lab, "the snapshot", shared_snapshot(lab), lab.outputs.key_ebs)
    return "the snapshot carries the volume's key"


@check(guide=GUIDE, needs=USING_THE_KEY)
def copy_changes_the_key(lab: Lab) -> str:
    """Copying a snapshot is how blocks move to another key.

    The copy is encrypted anew, under the key that the request names; the original keeps its own. A
    snapshot under the AWS managed key aws/ebs cannot be shared: copying it to a key of one's own is
    the way out.
    """
    sample = sample_blocks(lab)
    source = shared_snapshot(lab)
    _expect_key(lab, "the copy", sample.copy(source, lab.outputs.key_app), lab.outputs.key_app)
    _expect_key(lab, "the original", sample.completed(source["SnapshotId"]), lab.outputs.key_ebs)
    return "the copy is under the other key, the original under the lab's"


@check(guide=GUIDE, needs=USING_THE_KEY)
def volume_from_snapshot_needs_the_key(lab: Lab) -> str:
    """A snapshot becomes a volume only for who may use its key.

    The data owner makes a volume of the snapshot. The storage operator, with every EC2 and EBS
    permission there is and no key, does not get one.
    """
    sample = sample_blocks(lab)
    snapshot = shared_snapshot(lab)
    _expect_key(lab, "the new volume", sample.volume_of(snapshot), lab.outputs.key_ebs)
    sample.gets_no_volume(Persona.STORAGE_OPERATOR, snapshot)
    return "the data owner gets a volume under the same key, the storage operator none"


@check(guide=GUIDE, needs=USING_THE_KEY)
def copy_needs_the_key(lab: Lab) -> str:
    """Copying a snapshot is no way around its key: whoever copies must be able to decrypt it.

    Otherwise the storage operator could copy the snapshot to a key of their own and read that.
    """
    sample = sample_blocks(lab)
    source = shared_snapshot(lab)
    sample.copy(source, lab.outputs.key_app)
    sample.gets_no_copy(Persona.STORAGE_OPERATOR, source)
    return "the data owner copies the snapshot, the storage operator gets no copy"


@check(guide=GUIDE, needs=DIRECT)
def written_blocks_come_back(lab: Lab) -> str:
    """Blocks written to a snapshot under the lab's key are read back unchanged.

    The EBS direct APIs write and read snapshots without an instance: 512 KiB of random bytes go in,
    the same bytes come out, and the snapshot is encrypted under the lab's key.
    """
    sample = sample_blocks(lab)
    block = secrets.token_bytes(BLOCK_BYTES)
    snapshot = sample.write(block)
    _expect_key(lab, "the snapshot", sample.completed(snapshot), lab.outputs.key_ebs)
    answer = lab.allowed(Persona.DATA_OWNER, "ebs:GetSnapshotBlock", **sample.block_of(snapshot))
    lab.expect(answer["BlockData"].read() == block, "the block that came back is not the one written")
    lab.expect(answer["Checksum"] == checksum(block), "the checksum that came back is not the block's")
    return f"{BLOCK_BYTES} bytes written under the lab's key came back unchanged"


@check(guide=GUIDE, needs=DIRECT)
def blocks_need_the_key(lab: Lab) -> str:
    """Reading the blocks of a snapshot needs the key, not only EBS permissions.

    The data owner reads a block. The storage operator, with every permission of the EBS direct APIs,
    is refused the same block, and so are the data reader and the outsider.
    """
    sample = sample_blocks(lab)
    snapshot = sample.write(bytes(BLOCK_BYTES))
    sample.completed(snapshot)
    block = sample.block_of(snapshot)
    lab.allowed(Persona.DATA_OWNER, "ebs:GetSnapshotBlock", **block)["BlockData"].read()
    for persona in (Persona.STORAGE_OPERATOR, Persona.DATA_READER, Persona.OUTSIDER):
        lab.refused(persona, "ebs:GetSnapshotBlock", **block)
    return "the data owner reads the block; three others, the storage operator among them, do not"


@check(guide=GUIDE, needs=DIRECT)
def writing_blocks_needs_the_key(lab: Lab) -> str:
    """Starting a snapshot under the lab's key needs that key.

    The data owner starts one; the storage operator, with every permission of the EBS direct APIs, is
    refused.
    """
    sample = sample_blocks(lab)
    sample.start(Persona.DATA_OWNER)
    lab.refused(Persona.STORAGE_OPERATOR, "ebs:StartSnapshot", **sample.start_request())
    return "the data owner starts a snapshot under the lab's key, the storage operator cannot"


@check(guide=GUIDE, needs=USING_THE_KEY | {Capability.KEY_STATES}, serial=True, changes_keys=True)
def disabled_key_stops_new_volumes(lab: Lab) -> str:
    """While the key is disabled, its snapshots become no volumes; enabling it restores that.

    Volumes that are already attached go on working, since the host keeps their data key: the effect
    shows when a volume is made or attached.
    """
    key = lab.outputs.key_ebs
    sample = sample_blocks(lab)
    snapshot = shared_snapshot(lab)
    sample.volume_of(snapshot)
    with stopped(lab, key):
        soon(lab, lambda: sample.gets_no_volume(Persona.DATA_OWNER, snapshot))
    soon(lab, lambda: sample.volume_of(snapshot))
    return "no volume while the key was disabled, one again once it was enabled"


def _expect_key(lab: Lab, what: str, described: Any, key: str) -> None:
    lab.expect(described.get("Encrypted"), f"{what} is not encrypted")
    lab.expect(described.get("KmsKeyId") == key, f"{what} is under {described.get('KmsKeyId')}")
