"""EBS: volumes, snapshots and their blocks are worth nothing without the key."""

from __future__ import annotations

import base64
import hashlib
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from kmslab.checks.registry import check
from kmslab.checks.samples import soon, temporary_tags
from kmslab.checks.temporary import stopped
from kmslab.lab import DENIED, Failed
from kmslab.model.capability import Capability
from kmslab.model.persona import Persona
from kmslab.model.target import TargetKind

if TYPE_CHECKING:
    from kmslab.lab import Lab

GUIDE = "05-ebs"
ENCRYPTION = frozenset({Capability.EBS_ENCRYPTION})
ON_BEHALF = ENCRYPTION | {Capability.IAM, Capability.KEY_POLICIES, Capability.KMS_ON_BEHALF_OF_CALLER}
DIRECT = ON_BEHALF | {Capability.EBS_DIRECT_APIS}
SAMPLE_TAG = "kmslab:sample"
BLOCK_BYTES = 524_288
"""The only block size of the EBS direct APIs."""
GIBIBYTE = 1
READY_SECONDS = {TargetKind.AWS: 600.0, TargetKind.LOCAL: 10.0, TargetKind.ENDPOINT: 60.0}
"""How long a volume or snapshot may take: AWS copies blocks in the background."""
KEY_NOT_USABLE = DENIED | {"InvalidKmsKey.InvalidState", "KMSKeyNotAccessibleFault"}


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
    volume = lab.read("ec2:DescribeVolumes", VolumeIds=[lab.outputs.data_volume])["Volumes"][0]
    _expect_key(lab, "the volume", volume, lab.outputs.key_ebs)
    lab.expect(volume["VolumeType"] == "gp3", f"the volume is of type {volume['VolumeType']}")
    return "a gp3 volume, encrypted under the lab's key"


@check(guide=GUIDE, needs=ENCRYPTION, controls=("prowler:ec2_ebs_snapshots_encrypted",))
def snapshot_inherits_the_key(lab: Lab) -> str:
    """A snapshot of an encrypted volume is encrypted under the same key. It cannot be otherwise."""
    sample = sample_blocks(lab)
    found = sample.snapshot_of_the_volume()
    _expect_key(lab, "the snapshot", found, lab.outputs.key_ebs)
    return "the snapshot carries the volume's key"


@check(guide=GUIDE, needs=ON_BEHALF)
def copy_changes_the_key(lab: Lab) -> str:
    """Copying a snapshot is how blocks move to another key.

    The copy is encrypted anew, under the key that the request names; the original keeps its own. A
    snapshot under the AWS managed key aws/ebs cannot be shared: copying it to a key of one's own is
    the way out.
    """
    sample = sample_blocks(lab)
    source = sample.snapshot_of_the_volume()
    made = lab.allowed(
        Persona.DATA_OWNER, "ec2:CopySnapshot", **sample.copy_of(source, KmsKeyId=lab.outputs.key_app)
    )
    copy = sample.completed(made["SnapshotId"])
    _expect_key(lab, "the copy", copy, lab.outputs.key_app)
    _expect_key(lab, "the original", sample.completed(source["SnapshotId"]), lab.outputs.key_ebs)
    return "the copy is under the other key, the original under the lab's"


@check(guide=GUIDE, needs=ON_BEHALF)
def volume_from_snapshot_needs_the_key(lab: Lab) -> str:
    """A snapshot becomes a volume only for who may use its key.

    The data owner makes a volume of the snapshot. The storage operator, with every EC2 and EBS
    permission there is and no key, does not get one.
    """
    sample = sample_blocks(lab)
    snapshot = sample.snapshot_of_the_volume()
    _expect_key(lab, "the new volume", sample.volume_of(snapshot), lab.outputs.key_ebs)
    sample.gets_no_volume(Persona.STORAGE_OPERATOR, snapshot)
    return "the data owner gets a volume under the same key, the storage operator none"


@check(guide=GUIDE, needs=ON_BEHALF)
def copy_needs_the_key(lab: Lab) -> str:
    """Copying a snapshot is no way around its key: whoever copies must be able to decrypt it.

    Otherwise the storage operator could copy the snapshot to a key of their own and read that.
    """
    sample = sample_blocks(lab)
    source = sample.snapshot_of_the_volume()
    made = lab.allowed(
        Persona.DATA_OWNER, "ec2:CopySnapshot", **sample.copy_of(source, KmsKeyId=lab.outputs.key_app)
    )
    sample.completed(made["SnapshotId"])
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
    lab.expect(answer["Checksum"] == _checksum(block), "the checksum that came back is not the block's")
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


@check(guide=GUIDE, needs=ON_BEHALF | {Capability.KEY_STATES}, serial=True)
def disabled_key_stops_new_volumes(lab: Lab) -> str:
    """While the key is disabled, its snapshots become no volumes; enabling it restores that.

    Volumes that are already attached go on working, since the host keeps their data key: the effect
    shows when a volume is made or attached.
    """
    key = lab.outputs.key_ebs
    sample = sample_blocks(lab)
    snapshot = sample.snapshot_of_the_volume()
    sample.volume_of(snapshot)
    with stopped(lab, key):
        soon(lab, lambda: sample.gets_no_volume(Persona.DATA_OWNER, snapshot))
    soon(lab, lambda: sample.volume_of(snapshot))
    return "no volume while the key was disabled, one again once it was enabled"


@dataclass(frozen=True, slots=True)
class SampleBlocks:
    """Snapshots and volumes of one check, found by their mark and removed when the check ends.

    Attributes:
        lab: the check's lab.
        mark: value of the sample tag; nothing else carries it.
    """

    lab: Lab
    mark: str

    def tagged(self, kind: str, mark: str = "") -> list[dict[str, Any]]:
        """The ``TagSpecifications`` of a request that makes a ``snapshot`` or a ``volume``."""
        return [{"ResourceType": kind, "Tags": self._tags(mark)}]

    def _tags(self, mark: str = "") -> list[dict[str, str]]:
        attempt = [{"Key": f"{SAMPLE_TAG}-attempt", "Value": mark}] if mark else []
        return [*temporary_tags(self.lab), {"Key": SAMPLE_TAG, "Value": self.mark}, *attempt]

    def snapshot_of_the_volume(self) -> Any:
        """Snapshot the lab's volume as the data owner; returns its description once completed."""
        made = self.lab.allowed(
            Persona.DATA_OWNER,
            "ec2:CreateSnapshot",
            VolumeId=self.lab.outputs.data_volume,
            TagSpecifications=self.tagged("snapshot"),
        )
        return self.completed(made["SnapshotId"])

    def copy_of(self, snapshot: Any, mark: str = "", **key: str) -> dict[str, Any]:
        """The request that copies a snapshot within the Region."""
        return {
            "SourceRegion": self.lab.region,
            "SourceSnapshotId": snapshot["SnapshotId"],
            "Encrypted": True,
            "TagSpecifications": self.tagged("snapshot", mark),
            **key,
        }

    def volume_from(self, snapshot: Any, mark: str = "") -> dict[str, Any]:
        """The request that makes a volume of a snapshot, in the zone of the lab's volume."""
        volume = self.lab.read("ec2:DescribeVolumes", VolumeIds=[self.lab.outputs.data_volume])["Volumes"][0]
        return {
            "AvailabilityZone": volume["AvailabilityZone"],
            "SnapshotId": snapshot["SnapshotId"],
            "VolumeType": "gp3",
            "TagSpecifications": self.tagged("volume", mark),
        }

    def completed(self, snapshot: str) -> Any:
        """Wait until the snapshot is complete and return its description."""
        return self._ready("snapshot", "completed", snapshot)

    def volume_of(self, snapshot: Any) -> Any:
        """Make a volume of a snapshot as the data owner; returns its description once available."""
        made = self.lab.allowed(Persona.DATA_OWNER, "ec2:CreateVolume", **self.volume_from(snapshot))
        return self._ready("volume", "available", made["VolumeId"])

    def _ready(self, kind: str, state: str, made: str) -> Any:
        ec2 = self.lab.client(Persona.AUDITOR, "ec2")
        # A filter finds nothing where an id would be an error: EC2 may not yet know what it has just made.
        mine = [{"Name": f"{kind}-id", "Values": [made]}]

        def found() -> Any:
            for one in _describe(ec2, kind, Filters=mine):
                self.lab.expect(one["State"] != "error", f"the {kind} ended in the state error")
                if one["State"] == state:
                    return one
            return None

        return self.lab.wait_until(
            found, f"a {state} {kind}", seconds=READY_SECONDS[self.lab.access.target.kind]
        )

    def gets_no_volume(self, persona: Persona, snapshot: Any) -> None:
        """FAIL if the persona gets a volume of the snapshot."""
        attempt = uuid4().hex
        self._gets_none(persona, "volume", "ec2:CreateVolume", attempt, self.volume_from(snapshot, attempt))

    def gets_no_copy(self, persona: Persona, snapshot: Any) -> None:
        """FAIL if the persona gets a copy of the snapshot, under a second key."""
        attempt = uuid4().hex
        request = self.copy_of(snapshot, attempt, KmsKeyId=self.lab.outputs.key_app)
        self._gets_none(persona, "snapshot", "ec2:CopySnapshot", attempt, request)

    def _gets_none(
        self, persona: Persona, kind: str, action: str, attempt: str, request: dict[str, Any]
    ) -> None:
        """FAIL unless the call is refused, or what it began ends in an error or vanishes.

        EC2 may accept a request whose key it cannot use and give up in the background.
        """
        try:
            self.lab.refused(persona, action, codes=KEY_NOT_USABLE, **request)
        except Failed:
            ec2 = self.lab.client(Persona.AUDITOR, "ec2")
            mine = [{"Name": f"tag:{SAMPLE_TAG}-attempt", "Values": [attempt]}]

            def settled() -> set[str]:
                states = {one["State"] for one in _describe(ec2, kind, Filters=mine)} or {"gone"}
                return states if states <= {"available", "completed", "error", "gone"} else set()

            seconds = READY_SECONDS[self.lab.access.target.kind]
            if self.lab.wait_until(settled, f"an end of the {kind}", seconds=seconds) & {
                "available",
                "completed",
            }:
                raise
            self.lab.note(action, f"EC2 took {persona}'s request, then gave the {kind} up")

    def start_request(self) -> dict[str, Any]:
        """The request that starts an empty snapshot of 1 GiB under the lab's key."""
        return {
            "VolumeSize": GIBIBYTE,
            "Encrypted": True,
            "KmsKeyArn": self.lab.outputs.key_ebs,
            "Tags": self._tags(),
        }

    def start(self, persona: Persona) -> str:
        """Start an empty snapshot under the lab's key and return its id."""
        answer = self.lab.allowed(persona, "ebs:StartSnapshot", **self.start_request())
        return str(answer["SnapshotId"])

    def write(self, block: bytes) -> str:
        """Make a snapshot with one block, as the data owner, and return its id."""
        snapshot = self.start(Persona.DATA_OWNER)
        self.lab.allowed(
            Persona.DATA_OWNER,
            "ebs:PutSnapshotBlock",
            SnapshotId=snapshot,
            BlockIndex=0,
            BlockData=block,
            DataLength=len(block),
            Checksum=_checksum(block),
            ChecksumAlgorithm="SHA256",
        )
        self.lab.allowed(
            Persona.DATA_OWNER, "ebs:CompleteSnapshot", SnapshotId=snapshot, ChangedBlocksCount=1
        )
        return snapshot

    def block_of(self, snapshot: str) -> dict[str, Any]:
        """The request that reads the snapshot's only block."""
        blocks = self.lab.allowed(Persona.DATA_OWNER, "ebs:ListSnapshotBlocks", SnapshotId=snapshot)["Blocks"]
        self.lab.expect(len(blocks) == 1, f"the snapshot has {len(blocks)} blocks, not the one written")
        return {"SnapshotId": snapshot, "BlockIndex": 0, "BlockToken": blocks[0]["BlockToken"]}


def sample_blocks(lab: Lab) -> SampleBlocks:
    """A mark for snapshots and volumes, and the promise to remove whatever carries it."""
    sample = SampleBlocks(lab, uuid4().hex)
    lab.undo(lambda: _remove(lab, sample))
    return sample


def _remove(lab: Lab, sample: SampleBlocks) -> None:
    ec2 = lab.client(Persona.OPERATOR, "ec2")
    mine = [{"Name": f"tag:{SAMPLE_TAG}", "Values": [sample.mark]}]
    for volume in _describe(ec2, "volume", Filters=mine):
        ec2.delete_volume(VolumeId=volume["VolumeId"])
    for snapshot in _describe(ec2, "snapshot", Filters=mine):
        ec2.delete_snapshot(SnapshotId=snapshot["SnapshotId"])


def _describe(ec2: Any, kind: str, **which: Any) -> list[dict[str, Any]]:
    """Volumes or snapshots, as EC2 describes them."""
    found: list[dict[str, Any]] = (
        ec2.describe_volumes(**which)["Volumes"]
        if kind == "volume"
        else ec2.describe_snapshots(OwnerIds=["self"], **which)["Snapshots"]
    )
    return found


def _expect_key(lab: Lab, what: str, described: Any, key: str) -> None:
    lab.expect(described.get("Encrypted"), f"{what} is not encrypted")
    lab.expect(described.get("KmsKeyId") == key, f"{what} is under {described.get('KmsKeyId')}")


def _checksum(block: bytes) -> str:
    """SHA-256 in base64, as the EBS direct APIs want it."""
    return base64.b64encode(hashlib.sha256(block).digest()).decode()
