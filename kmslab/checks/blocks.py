"""Snapshots, volumes and blocks that checks make for themselves, and remove."""

from __future__ import annotations

import base64
import hashlib
import re
import time
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from kmslab.checks.samples import settle_seconds, temporary_tags
from kmslab.checks.shared import read_once
from kmslab.lab import Failed, Inconclusive
from kmslab.model.evidence import code_of
from kmslab.model.persona import Persona
from kmslab.model.target import TargetKind
from kmslab.model.verdict import Call

if TYPE_CHECKING:
    from collections.abc import Callable

    from kmslab.lab import Access, Lab

SAMPLE_TAG = "kmslab:sample"
BLOCK_BYTES = 524_288
"""The only block size of the EBS direct APIs."""
GIBIBYTE = 1
READY_SECONDS = {TargetKind.AWS: 600.0, TargetKind.LOCAL: 10.0, TargetKind.ENDPOINT: 60.0}
"""How long a volume or snapshot may take: AWS copies blocks in the background."""
LONGEST_PAUSE = {TargetKind.AWS: 10.0, TargetKind.LOCAL: 2.0, TargetKind.ENDPOINT: 2.0}
"""Seconds between two looks at what takes its time: where it takes minutes, most looks would be in vain."""
KEY_NOT_USABLE = re.compile(
    r"(?:InvalidKMSKey|KMS)(?!.*(?:Throttl|Internal|Unavailable|Limit))", re.IGNORECASE
)
"""How the codes begin with which EC2 says that a key cannot be used; it spells them in more than one way.
A KMS that is busy or broken says nothing about the key."""
ONE_AT_A_TIME = frozenset({"SnapshotCreationPerVolumeRateExceeded", "ConcurrentSnapshotLimitExceeded"})
"""What EC2 says when a volume was snapshotted a moment ago, or has too many snapshots under way."""
BETWEEN_SNAPSHOTS = {TargetKind.AWS: 15.0, TargetKind.LOCAL: 0.0, TargetKind.ENDPOINT: 1.0}
"""Seconds between two snapshots of one volume (EC2 API Reference, "Error codes")."""
ENDED = frozenset({"available", "completed", "error"})
"""States in which nothing more comes of a request."""


@dataclass(frozen=True, slots=True)
class SampleBlocks:
    """Snapshots and volumes of one check, found by their mark and removed when the check ends.

    Attributes:
        lab: the check's lab.
        mark: value of the sample tag; nothing else carries it.
        made: kind and id of what is known to be made: EC2 may be asked to remove it before it describes it.
        kinds: of what was asked for, and so may be there although nobody said so.
    """

    lab: Lab
    mark: str
    made: list[tuple[str, str]] = field(default_factory=list)
    kinds: set[str] = field(default_factory=set)

    def tagged(self, kind: str, mark: str = "") -> list[dict[str, Any]]:
        """The ``TagSpecifications`` of a request that makes a ``snapshot`` or a ``volume``."""
        return [{"ResourceType": kind, "Tags": self._tags(kind, mark)}]

    def _tags(self, kind: str, mark: str = "") -> list[dict[str, str]]:
        self.kinds.add(kind)
        attempt = [{"Key": f"{SAMPLE_TAG}-attempt", "Value": mark}] if mark else []
        return [*temporary_tags(self.lab), {"Key": SAMPLE_TAG, "Value": self.mark}, *attempt]

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
            "AvailabilityZone": self.zone(),
            "SnapshotId": snapshot["SnapshotId"],
            "VolumeType": "gp3",
            "TagSpecifications": self.tagged("volume", mark),
        }

    def zone(self) -> str:
        """The zone of the lab's volume, where new ones are made."""
        return str(labs_volume(self.lab)["AvailabilityZone"])

    def completed(self, snapshot: str) -> Any:
        """Wait until the snapshot is complete and return its description."""
        return _ready(self.lab, "snapshot", "completed", snapshot)

    def new_volume(self, persona: Persona = Persona.DATA_OWNER, key: str = "") -> Any:
        """Make an empty volume, under the lab's key unless told otherwise; returns it once available."""
        made = self.lab.allowed(persona, "ec2:CreateVolume", **self._empty_volume(key))
        self.made.append(("volume", made["VolumeId"]))
        return _ready(self.lab, "volume", "available", made["VolumeId"])

    def _empty_volume(self, key: str = "", mark: str = "") -> dict[str, Any]:
        return {
            "AvailabilityZone": self.zone(),
            "Size": GIBIBYTE,
            "VolumeType": "gp3",
            "Encrypted": True,
            "KmsKeyId": key or self.lab.outputs.key_ebs,
            "TagSpecifications": self.tagged("volume", mark),
        }

    def volume_of(self, snapshot: Any) -> Any:
        """Make a volume of a snapshot as the data owner; returns its description once available."""
        made = self.lab.allowed(Persona.DATA_OWNER, "ec2:CreateVolume", **self.volume_from(snapshot))
        self.made.append(("volume", made["VolumeId"]))
        return _ready(self.lab, "volume", "available", made["VolumeId"])

    def copy(self, snapshot: Any, key: str) -> Any:
        """Copy a snapshot under a key as the data owner; returns its description once completed."""
        request = self.copy_of(snapshot, KmsKeyId=key)
        made = self.lab.allowed(Persona.DATA_OWNER, "ec2:CopySnapshot", **request)
        self.made.append(("snapshot", made["SnapshotId"]))
        return self.completed(made["SnapshotId"])

    def gets_no_volume(self, persona: Persona, snapshot: Any) -> None:
        """FAIL if the persona gets a volume of the snapshot."""
        attempt = uuid4().hex
        self._gets_none(persona, "volume", "ec2:CreateVolume", attempt, self.volume_from(snapshot, attempt))

    def gets_no_new_volume(self, persona: Persona, key: str) -> None:
        """FAIL if the persona gets an empty volume under the key."""
        attempt = uuid4().hex
        self._gets_none(persona, "volume", "ec2:CreateVolume", attempt, self._empty_volume(key, attempt))

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
            self.lab.refused(persona, action, **request)
        except Inconclusive as unclear:
            if not KEY_NOT_USABLE.match(code_of(unclear.__cause__)):
                raise
        except Failed:
            if self._ends(kind, attempt) & {"available", "completed"}:
                raise
            self.lab.note(action, f"EC2 took {persona}'s request, then gave the {kind} up")

    def _ends(self, kind: str, attempt: str) -> set[str]:
        """Wait until nothing more comes of an attempt and return the states in which it ended."""
        ec2 = self.lab.client(Persona.AUDITOR, "ec2")
        mine = [{"Name": f"tag:{SAMPLE_TAG}-attempt", "Values": [attempt]}]
        # EC2 may not yet describe what it has just made: until it had time to settle, absence means nothing.
        settled = time.monotonic() + settle_seconds(self.lab)
        seen = False

        def states() -> set[str]:
            nonlocal seen
            found = {one["State"] for one in _describe(ec2, kind, Filters=mine)}
            seen = seen or bool(found)
            if not found and (seen or time.monotonic() >= settled):
                return {"gone"}
            return found if found <= ENDED else set()

        seconds = READY_SECONDS[self.lab.access.target.kind] + settle_seconds(self.lab)
        ended: set[str] = self.lab.wait_until(states, f"an end of the {kind}", seconds=seconds)
        return ended

    def start_request(self) -> dict[str, Any]:
        """The request that starts an empty snapshot of 1 GiB under the lab's key."""
        return {
            "VolumeSize": GIBIBYTE,
            "Encrypted": True,
            "KmsKeyArn": self.lab.outputs.key_ebs,
            "Tags": self._tags("snapshot"),
        }

    def start(self, persona: Persona) -> str:
        """Start an empty snapshot under the lab's key and return its id."""
        answer = self.lab.allowed(persona, "ebs:StartSnapshot", **self.start_request())
        self.made.append(("snapshot", answer["SnapshotId"]))
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


def labs_volume(lab: Lab) -> Any:
    """The lab's volume as EC2 describes it; no check changes it.

    Raises:
        Inconclusive: as `Lab.read`.
    """
    return read_once(lab, "ec2:DescribeVolumes", VolumeIds=[lab.outputs.data_volume])["Volumes"][0]


def shared_snapshot(lab: Lab) -> Any:
    """Snapshot the lab's volume as the data owner: once for all checks of a run, which leave it as it is.

    EC2 takes one snapshot of a volume every 15 seconds, so checks side by side cannot each have their own.

    Returns: its description once it is completed. It is removed at the end of the run
    (`kmslab.checks.sweep.retire`).
    """
    known = len(lab.calls)
    made = lab.access.once(("snapshot", lab.run_id), lambda: _snapshot_of_the_volume(lab))
    if len(lab.calls) == known:
        shared = "made once for several checks"
        lab.calls.append(Call(Persona.DATA_OWNER, "ec2:CreateSnapshot", made, "ok", shared))
    return lab.access.once(
        ("snapshot completed", lab.run_id), lambda: _ready(lab, "snapshot", "completed", made)
    )


def shared_snapshots(access: Access, run_id: str) -> list[str]:
    """Ids of the snapshots of the volume that a run has taken so far."""
    return access.once(("shared snapshots", run_id), list[str])


def _snapshot_of_the_volume(lab: Lab) -> str:
    """Start a snapshot, when the volume's last one is long enough ago, and return its id."""
    kind = lab.access.target.kind

    def started() -> str:
        try:
            answer = lab.allowed(
                Persona.DATA_OWNER,
                "ec2:CreateSnapshot",
                VolumeId=lab.outputs.data_volume,
                TagSpecifications=[{"ResourceType": "snapshot", "Tags": temporary_tags(lab)}],
            )
        except Inconclusive as unclear:
            if code_of(unclear.__cause__) not in ONE_AT_A_TIME:
                raise
            lab.access.stopping.wait(BETWEEN_SNAPSHOTS[kind])
            return ""
        made = str(answer["SnapshotId"])
        shared_snapshots(lab.access, lab.run_id).append(made)
        return made

    return str(lab.wait_until(started, "a snapshot of the volume", seconds=READY_SECONDS[kind]))


def sample_blocks(lab: Lab) -> SampleBlocks:
    """A mark for snapshots and volumes, and the promise to remove whatever carries it."""
    sample = SampleBlocks(lab, uuid4().hex)
    lab.undo(lambda: _remove(lab, sample))
    return sample


def _remove(lab: Lab, sample: SampleBlocks) -> None:
    ec2 = lab.client(Persona.OPERATOR, "ec2")
    mine = [{"Name": f"tag:{SAMPLE_TAG}", "Values": [sample.mark]}]
    for kind, delete in (("volume", ec2.delete_volume), ("snapshot", ec2.delete_snapshot)):
        if kind not in sample.kinds:
            continue
        name = f"{kind.capitalize()}Id"
        described = [one[name] for one in _describe(ec2, kind, Filters=mine)]
        for one in {*described, *(known for which, known in sample.made if which == kind)}:
            _unless_gone(kind, partial(delete, **{name: one}))


def _unless_gone(kind: str, delete: Callable[[], object]) -> None:
    """Delete what EC2 described or made; it may have vanished since, or before."""
    from botocore.exceptions import ClientError

    try:
        delete()
    except ClientError as error:
        if code_of(error) != f"Invalid{kind.capitalize()}.NotFound":
            raise


def _describe(ec2: Any, kind: str, **which: Any) -> list[dict[str, Any]]:
    """Volumes or snapshots, as EC2 describes them."""
    found: list[dict[str, Any]] = (
        ec2.describe_volumes(**which)["Volumes"]
        if kind == "volume"
        else ec2.describe_snapshots(OwnerIds=["self"], **which)["Snapshots"]
    )
    return found


def _ready(lab: Lab, kind: str, state: str, made: str) -> Any:
    """Wait until a volume or snapshot is in the state and return its description.

    FAIL if it ends in an error, or is gone: EC2 gives up a volume whose key it may not use.
    """
    ec2 = lab.client(Persona.AUDITOR, "ec2")
    # A filter finds nothing where an id would be an error: EC2 may not yet know what it has just made.
    mine = [{"Name": f"{kind}-id", "Values": [made]}]
    settled = time.monotonic() + settle_seconds(lab)
    seen = False

    def found() -> Any:
        nonlocal seen
        for one in _describe(ec2, kind, Filters=mine):
            lab.expect(one["State"] != "error", f"the {kind} ended in the state error")
            if one["State"] == state:
                return one
            seen = True
            return None
        lab.expect(not seen and time.monotonic() < settled, f"the {kind} was given up after the answer")
        return None

    seconds = READY_SECONDS[lab.access.target.kind] + settle_seconds(lab)
    longest = LONGEST_PAUSE[lab.access.target.kind]
    return lab.wait_until(found, f"a {state} {kind}", seconds=seconds, longest_pause=longest)


def checksum(block: bytes) -> str:
    """SHA-256 in base64, as the EBS direct APIs want it."""
    return base64.b64encode(hashlib.sha256(block).digest()).decode()
