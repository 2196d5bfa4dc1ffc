"""Snapshots keep the key and the blocks of their volume; a copy may change the key."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

from ministack.core.responses import get_account_id, get_region
from ministack.services import ec2

from kmslab.engine.ebs import blocks, sharing
from kmslab.engine.ebs.keys import NEW, use
from kmslab.engine.ebs.volumes import KEY_WITHOUT_ENCRYPTION, LINEAGE, lineage, notify, wanted
from kmslab.engine.hooks import add_entry, extend

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from kmslab.engine.ebs.keys import Response

    Request = Mapping[str, Any]
    Stock = Callable[[Request], Response]

NOT_ACCESSIBLE = "Given key ID is not accessible"
"""The state message of a copy whose keys cannot be used (EBS User Guide, "Copy an Amazon EBS snapshot")."""
FROM_VOLUMES = "volume"
"""The one value of CopyTagsFromSource."""


def _create_snapshot(stock: Stock, p: Request) -> Response:
    """A snapshot of an encrypted volume is encrypted under the volume's key."""
    known = set(ec2._snapshots)
    response = stock(p)
    made = set(ec2._snapshots) - known
    if not made:
        return response
    snapshot = ec2._snapshots[made.pop()]
    volume = ec2._volumes[snapshot["VolumeId"]]
    snapshot[LINEAGE] = lineage(volume)
    if volume.get("KmsKeyId"):
        snapshot["KmsKeyId"] = volume["KmsKeyId"]
    if origin := ec2._snapshots.get(volume.get("SnapshotId")):
        new_key = volume.get("KmsKeyId", "")
        same = new_key == origin.get("KmsKeyId", "")
        blocks.share(origin["SnapshotId"], snapshot["SnapshotId"], key_arn=new_key, same_key=same)
    answer: Response = ec2._xml(200, "CreateSnapshotResponse", ec2._snapshot_inner_xml(snapshot))
    return answer


def _create_snapshots(p: Request) -> Response:
    """Snapshots of the volumes of an instance, each as CreateSnapshot makes it."""
    instance_id = ec2._p(p, "InstanceSpecification.InstanceId")
    instance = ec2._instances.get(instance_id)
    if instance is None:
        words = f"The instance ID '{escape(instance_id)}' does not exist"
        return _refused("InvalidInstanceID.NotFound", words)
    excluded = set(ec2._parse_member_list(p, "InstanceSpecification.ExcludeDataVolumeId"))
    without_root = ec2._p(p, "InstanceSpecification.ExcludeBootVolume").lower() == "true"
    made = ""
    for volume in list(ec2._volumes.values()):
        attached = [one for one in volume["Attachments"] if one["InstanceId"] == instance_id]
        root = any(one["Device"] == instance.get("RootDeviceName") for one in attached)
        if not attached or (without_root if root else volume["VolumeId"] in excluded):
            continue
        known = set(ec2._snapshots)
        ec2._create_snapshot({**p, "VolumeId": volume["VolumeId"]})
        (snapshot_id,) = set(ec2._snapshots) - known
        if ec2._p(p, "CopyTagsFromSource") == FROM_VOLUMES and volume["VolumeId"] in ec2._tags:
            own = {tag["Key"]: tag for tag in ec2._tags.get(snapshot_id, ())}
            copied = {tag["Key"]: tag for tag in ec2._tags[volume["VolumeId"]]}
            ec2._tags[snapshot_id] = list({**copied, **own}.values())
        made += f"<item>{_snapshot_info(ec2._snapshots[snapshot_id])}</item>"
    response: Response = ec2._xml(200, "CreateSnapshotsResponse", f"<snapshotSet>{made}</snapshotSet>")
    return response


def _snapshot_info(snapshot: Mapping[str, Any]) -> str:
    """The members of botocore's SnapshotInfo."""
    told = {
        "snapshotId": snapshot["SnapshotId"],
        "volumeId": snapshot["VolumeId"],
        "state": snapshot["State"],
        "volumeSize": snapshot["VolumeSize"],
        "startTime": snapshot["StartTime"],
        "progress": snapshot["Progress"],
        "ownerId": snapshot["OwnerId"],
        "description": escape(snapshot["Description"]),
        "encrypted": str(snapshot["Encrypted"]).lower(),
    }
    members = "".join(f"<{name}>{value}</{name}>" for name, value in told.items())
    return f"{members}{ec2._tag_set_xml(snapshot['SnapshotId'])}"


def _describe_snapshots(stock: Stock, p: Request) -> Response:
    """Name a snapshot that is not there as EC2 does."""
    for one in ec2._parse_member_list(p, "SnapshotId"):
        if one not in ec2._snapshots:
            return _refused("InvalidSnapshot.NotFound", f"The snapshot '{escape(one)}' does not exist.")
    return stock(p)


def _copy_snapshot(stock: Stock, p: Request) -> Response:
    """A copy is encrypted if its source is, or if it asks to be; it may have another key.

    EC2 looks at the keys after it has answered (EC2 API Reference, "CopySnapshot", KmsKeyId): a copy whose keys
    cannot be used ends in the state ``error``.
    """
    source_id = ec2._p(p, "SourceSnapshotId")
    origin = ec2._snapshots.get_scoped(get_account_id(), ec2._p(p, "SourceRegion") or get_region(), source_id)
    if origin and ec2._p(p, "KmsKeyId") and not wanted(p, origin)[0]:
        return _refused("InvalidParameterDependency", KEY_WITHOUT_ENCRYPTION)
    known = set(ec2._snapshots)
    response = stock(p)
    made = set(ec2._snapshots) - known
    if not made:
        return response
    copy = ec2._snapshots[made.pop()]
    source = dict(copy)
    copy["VolumeId"] = "vol-ffffffff"  # what EC2 reports for a copy
    copy["Encrypted"], key_ref = wanted(p, source)
    sharing.forget(copy)
    refusal = None
    if source.get("KmsKeyId"):
        _, refusal = use(("Decrypt",), source["KmsKeyId"], source_id)
    if copy["Encrypted"] and refusal is None:
        copy["KmsKeyId"], refusal = use(NEW, key_ref, copy["SnapshotId"])
    copy.setdefault(LINEAGE, source_id)
    ec2._parse_tag_specs(p, "snapshot", copy["SnapshotId"])
    if refusal:
        _given_up(copy, source_id, key_ref)
        return response
    new_key = copy.get("KmsKeyId", "")
    same = new_key == source.get("KmsKeyId", "")
    blocks.share(source_id, copy["SnapshotId"], key_arn=new_key, same_key=same)
    return response


def _given_up(copy: dict[str, Any], source_id: str, key_ref: str) -> None:
    """Leave a copy in the state ``error``, without a block."""
    from kmslab.engine.kms import records

    key = records.resolve(key_ref)
    copy.update(State="error", StateMessage=NOT_ACCESSIBLE, Progress="0%")
    copy["KmsKeyId"] = key["Arn"] if key else key_ref
    snapshot, source = (
        f"arn:aws:ec2::{get_region()}:snapshot/{one}" for one in (copy["SnapshotId"], source_id)
    )
    times = {"startTime": copy["StartTime"], "endTime": ec2._now_ts()}
    told = {"event": "copySnapshot", "snapshot_id": snapshot, "source": source, **times}
    notify("Snapshot", snapshot, cause=NOT_ACCESSIBLE, **told)


def _delete_snapshot(stock: Stock, p: Request) -> Response:
    """The blocks go with the snapshot."""
    response = stock(p)
    if ec2._p(p, "SnapshotId") not in ec2._snapshots:
        blocks.forget(ec2._p(p, "SnapshotId"))
    return response


def _snapshot_xml(stock: Callable[[Mapping[str, Any]], str], snap: Mapping[str, Any]) -> str:
    """Tell the key too, and why there is no snapshot."""
    key = f"<kmsKeyId>{escape(snap['KmsKeyId'])}</kmsKeyId>" if snap.get("KmsKeyId") else ""
    why = f"<statusMessage>{snap['StateMessage']}</statusMessage>" if snap.get("StateMessage") else ""
    return stock(snap) + key + why


def _refused(code: str, message: str) -> Response:
    response: Response = ec2._error(code, message, 400)
    return response


def record(snapshot_id: str, size: int, *, description: str, key: str, state: str) -> dict[str, Any]:
    """Store a snapshot that was not made from a volume of the engine (EBS direct APIs) and return it."""
    ec2._snapshots[snapshot_id] = {
        "SnapshotId": snapshot_id,
        "VolumeId": "vol-ffffffff",
        "VolumeSize": size,
        "Description": description,
        "State": state,
        "StartTime": ec2._now_ts(),
        "Progress": "0%" if state == "pending" else "100%",
        "OwnerId": get_account_id(),
        "Encrypted": bool(key),
        "StorageTier": "standard",
        **({"KmsKeyId": key} if key else {}),
    }
    stored: dict[str, Any] = ec2._snapshots[snapshot_id]
    return stored


def _new_snapshot_id(stock: Callable[[], str]) -> str:
    """Seventeen digits of which the first is 0, as EC2's have been since they are that long."""
    return f"snap-0{stock().removeprefix('snap-')[1:]}".lower()


def install() -> None:
    """Take over the operations on snapshots."""
    extend(ec2, "_new_snapshot_id")(_new_snapshot_id)
    extend(ec2, "_create_snapshot", "p")(_create_snapshot)
    extend(ec2, "_copy_snapshot", "p")(_copy_snapshot)
    extend(ec2, "_delete_snapshot", "p")(_delete_snapshot)
    add_entry(
        ec2, "_ACTION_MAP", "CreateSnapshots", _create_snapshots, "snapshots of all volumes of an instance"
    )
    extend(ec2, "_describe_snapshots", "p")(_describe_snapshots)
    extend(ec2, "_snapshot_inner_xml", "snap")(_snapshot_xml)
