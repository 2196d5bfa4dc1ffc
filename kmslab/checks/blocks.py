"""Snapshots, volumes and blocks that checks make for themselves, and remove."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from kmslab.checks.samples import temporary_tags
from kmslab.lab import DENIED, Failed
from kmslab.model.persona import Persona
from kmslab.model.target import TargetKind

if TYPE_CHECKING:
    from kmslab.lab import Lab

SAMPLE_TAG = "kmslab:sample"
BLOCK_BYTES = 524_288
"""The only block size of the EBS direct APIs."""
GIBIBYTE = 1
READY_SECONDS = {TargetKind.AWS: 600.0, TargetKind.LOCAL: 10.0, TargetKind.ENDPOINT: 60.0}
"""How long a volume or snapshot may take: AWS copies blocks in the background."""
KEY_NOT_USABLE = DENIED | {"InvalidKMSKey.InvalidState"}
"""What EC2 says when the caller may not use the key, or nobody can."""


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
        return {
            "AvailabilityZone": self._zone(),
            "SnapshotId": snapshot["SnapshotId"],
            "VolumeType": "gp3",
            "TagSpecifications": self.tagged("volume", mark),
        }

    def _zone(self) -> str:
        found = self.lab.read("ec2:DescribeVolumes", VolumeIds=[self.lab.outputs.data_volume])
        return str(found["Volumes"][0]["AvailabilityZone"])

    def completed(self, snapshot: str) -> Any:
        """Wait until the snapshot is complete and return its description."""
        return self._ready("snapshot", "completed", snapshot)

    def new_volume(self) -> Any:
        """Make an empty volume under the lab's key as the data owner; returns its description once available."""
        made = self.lab.allowed(
            Persona.DATA_OWNER,
            "ec2:CreateVolume",
            AvailabilityZone=self._zone(),
            Size=GIBIBYTE,
            VolumeType="gp3",
            Encrypted=True,
            KmsKeyId=self.lab.outputs.key_ebs,
            TagSpecifications=self.tagged("volume"),
        )
        return self._ready("volume", "available", made["VolumeId"])

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
            Checksum=checksum(block),
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


def checksum(block: bytes) -> str:
    """SHA-256 in base64, as the EBS direct APIs want it."""
    return base64.b64encode(hashlib.sha256(block).digest()).decode()
