"""EBS for the fake world: volumes, snapshots and blocks, each under a key that can be disabled.

Who is refused what is said by the tests (`World.refuses`).
"""

from __future__ import annotations

import base64
import hashlib
import io
import itertools
from typing import TYPE_CHECKING, Any

from kmslab.checks.blocks import SAMPLE_TAG
from kmslab.model.naming import PREFIX_TAG
from tests.checks.fakes import OUTPUTS, PREFIX, REGION, Refusal, Request, World, key_arn

if TYPE_CHECKING:
    from collections.abc import Mapping

AWS_KEY = key_arn("aws-ebs")


class FakeEbs:
    """Answers EC2's volume and snapshot operations and the EBS direct APIs in a world.

    Attributes:
        volumes: by id; the lab's own among them.
        snapshots: by id.
        blocks: content of each snapshot's only block.
        disabled: ARNs of keys that cannot be used.
        snapshotted: volumes of which EC2 takes no further snapshot for now.
        shared: with whom each snapshot is shared.
        by_default: whether EBS encrypts what does not ask for it.
    """

    def __init__(self, world: World) -> None:
        self.snapshotted: set[str] = set()
        self.shared: dict[str, set[str]] = {}
        self.by_default = False
        self.volumes: dict[str, dict[str, Any]] = {}
        self.snapshots: dict[str, dict[str, Any]] = {}
        self.blocks: dict[str, bytes] = {}
        self.disabled: set[str] = set()
        self._ids = itertools.count(1)
        labs = [{"Key": PREFIX_TAG, "Value": PREFIX}]
        self._keep(self.volumes, OUTPUTS.data_volume, OUTPUTS.key_ebs, labs, State="available")
        direct = {
            "StartSnapshot",
            "PutSnapshotBlock",
            "CompleteSnapshot",
            "ListSnapshotBlocks",
            "GetSnapshotBlock",
        }
        for name in vars(type(self)):
            if name[0].isupper():
                service = "ebs" if name in direct else "kms" if name.endswith("Key") else "ec2"
                world.answers(f"{service}:{name}", getattr(self, name))

        world.answers("kms:TagResource", {}).answers("kms:UntagResource", {})

    @property
    def left(self) -> set[str]:
        """What a check made for itself and did not remove."""
        return {
            name
            for name, one in [*self.volumes.items(), *self.snapshots.items()]
            if SAMPLE_TAG in {tag["Key"] for tag in one["Tags"]}
        }

    def DisableKey(self, request: Request) -> Mapping[str, Any]:
        self.disabled.add(request["KeyId"])
        return {}

    def EnableKey(self, request: Request) -> Mapping[str, Any]:
        self.disabled.discard(request["KeyId"])
        return {}

    def DescribeKey(self, request: Request) -> Mapping[str, Any]:
        state = "Disabled" if request["KeyId"] in self.disabled else "Enabled"
        manager = "AWS" if request["KeyId"] == AWS_KEY else "CUSTOMER"
        return {"KeyMetadata": {"KeyId": request["KeyId"], "KeyState": state, "KeyManager": manager}}

    def DescribeVolumes(self, request: Request) -> Mapping[str, Any]:
        return {"Volumes": _chosen(self.volumes, request, "VolumeIds")}

    def DescribeSnapshots(self, request: Request) -> Mapping[str, Any]:
        return {"Snapshots": _chosen(self.snapshots, request, "SnapshotIds")}

    def CreateVolume(self, request: Request) -> Mapping[str, Any]:
        source = request.get("SnapshotId")
        key = self.snapshots[source]["KmsKeyId"] if source else request.get("KmsKeyId", "")
        key = key or (AWS_KEY if self.by_default else "")
        if key in self.disabled:
            raise Refusal("InvalidKMSKey.InvalidState", f"{key} is disabled.")
        return self._keep(self.volumes, f"vol-{next(self._ids):017x}", key, _tags(request), State="available")

    def CreateSnapshot(self, request: Request) -> Mapping[str, Any]:
        if request["VolumeId"] in self.snapshotted:
            raise Refusal("SnapshotCreationPerVolumeRateExceeded", "The maximum per volume rate is exceeded")
        self.snapshotted.add(request["VolumeId"])
        key = self.volumes[request["VolumeId"]]["KmsKeyId"]
        return self._snapshot(key, _tags(request), "completed", of=request["VolumeId"])

    def CopySnapshot(self, request: Request) -> Mapping[str, Any]:
        inherited = self.snapshots[request["SourceSnapshotId"]]["KmsKeyId"]
        key = request.get("KmsKeyId", inherited)
        return self._snapshot(AWS_KEY if key == "alias/aws/ebs" else key, _tags(request), "completed")

    def ModifySnapshotAttribute(self, request: Request) -> Mapping[str, Any]:
        snapshot = self.snapshots[request["SnapshotId"]]
        if "all" in request.get("GroupNames", []) and snapshot["Encrypted"]:
            raise Refusal("UnsupportedOperation", "Encrypted snapshots can't be shared publicly.")
        if snapshot["KmsKeyId"] == AWS_KEY:
            raise Refusal("InvalidParameter", "Snapshots encrypted with the AWS Managed CMK can't be shared.")
        self.shared.setdefault(request["SnapshotId"], set()).update(request.get("UserIds", []))
        return {}

    def DescribeSnapshotAttribute(self, request: Request) -> Mapping[str, Any]:
        whom = sorted(self.shared.get(request["SnapshotId"], set()))
        permissions = [{"Group": one} if one == "all" else {"UserId": one} for one in whom]
        return {"SnapshotId": request["SnapshotId"], "CreateVolumePermissions": permissions}

    def DeleteVolume(self, request: Request) -> Mapping[str, Any]:
        del self.volumes[request["VolumeId"]]
        return {}

    def DeleteSnapshot(self, request: Request) -> Mapping[str, Any]:
        del self.snapshots[request["SnapshotId"]]
        return {}

    def StartSnapshot(self, request: Request) -> Mapping[str, Any]:
        return self._snapshot(request["KmsKeyArn"], request["Tags"], "pending")

    def PutSnapshotBlock(self, request: Request) -> Mapping[str, Any]:
        block = request["BlockData"]
        assert len(block) == request["DataLength"] == 524_288
        assert request["Checksum"] == checksum(block)
        self.blocks[request["SnapshotId"]] = block
        return {"Checksum": request["Checksum"], "ChecksumAlgorithm": "SHA256"}

    def CompleteSnapshot(self, request: Request) -> Mapping[str, Any]:
        assert request["ChangedBlocksCount"] == 1
        self.snapshots[request["SnapshotId"]]["State"] = "completed"
        return {"Status": "completed"}

    def ListSnapshotBlocks(self, request: Request) -> Mapping[str, Any]:
        assert request["SnapshotId"] in self.blocks
        return {"Blocks": [{"BlockIndex": 0, "BlockToken": "token"}], "BlockSize": 524_288}

    def GetSnapshotBlock(self, request: Request) -> Mapping[str, Any]:
        block = self.blocks[request["SnapshotId"]]
        return {"BlockData": io.BytesIO(block), "DataLength": len(block), "Checksum": checksum(block)}

    def _snapshot(self, key: str, tags: list[dict[str, str]], state: str, of: str = "") -> dict[str, Any]:
        name = f"snap-{next(self._ids):017x}"
        return self._keep(self.snapshots, name, key, tags, State=state, VolumeId=of or "vol-ffffffff")

    def _keep(
        self,
        where: dict[str, dict[str, Any]],
        name: str,
        key: str,
        tags: list[dict[str, str]] | None = None,
        **more: str,
    ) -> dict[str, Any]:
        where[name] = {
            "VolumeId" if where is self.volumes else "SnapshotId": name,
            "Encrypted": bool(key),
            "KmsKeyId": key,
            "VolumeType": "gp3",
            "AvailabilityZone": f"{REGION}a",
            "Tags": tags or [],
            **more,
        }
        return where[name]


def checksum(block: bytes) -> str:
    return base64.b64encode(hashlib.sha256(block).digest()).decode()


def _tags(request: Request) -> list[dict[str, str]]:
    tags: list[dict[str, str]] = request["TagSpecifications"][0]["Tags"]
    return tags


def _chosen(kept: dict[str, dict[str, Any]], request: Request, ids: str) -> list[dict[str, Any]]:
    """Those that the request names, and that all its filters match."""
    named = request.get(ids)
    filters = {(one["Name"], one["Values"][0]) for one in request.get("Filters", [])}

    def facts(name: str, one: dict[str, Any]) -> set[tuple[str, str]]:
        own_id = "volume-id" if ids == "VolumeIds" else "snapshot-id"
        tags = ((f"tag:{tag['Key']}", tag["Value"]) for tag in one["Tags"])
        attached = ("attachment.instance-id", one.get("attached", ""))
        return {(own_id, name), ("volume-id", one.get("VolumeId", name)), attached, *tags}

    return [
        dict(one)
        for name, one in kept.items()
        if (named is None or name in named) and filters <= facts(name, one)
    ]
