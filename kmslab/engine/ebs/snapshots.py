"""Snapshots keep the key and the blocks of their volume; a copy may change the key."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

from ministack.core.responses import get_account_id, get_region
from ministack.services import ec2

from kmslab.engine.ebs import blocks, defaults
from kmslab.engine.ebs.keys import NEW, use
from kmslab.engine.ebs.volumes import LINEAGE, lineage, notify, wanted
from kmslab.engine.hooks import extend

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from kmslab.engine.ebs.keys import Response

    Request = Mapping[str, Any]
    Stock = Callable[[Request], Response]

NOT_ACCESSIBLE = "Given key ID is not accessible"
"""The state message of a copy whose keys cannot be used (EBS User Guide, "Copy an Amazon EBS snapshot")."""
GROUPS = "kmslab:groups"
"""Where a snapshot of MiniStack keeps the groups that it is shared with."""


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


def _copy_snapshot(stock: Stock, p: Request) -> Response:
    """A copy is encrypted if its source is, or if it asks to be; it may have another key.

    EC2 looks at the keys after it has answered (EC2 API Reference, "CopySnapshot", KmsKeyId): a copy whose keys
    cannot be used ends in the state ``error``.
    """
    known = set(ec2._snapshots)
    response = stock(p)
    made = set(ec2._snapshots) - known
    if not made:
        return response
    copy = ec2._snapshots[made.pop()]
    source = dict(copy)
    copy["VolumeId"] = "vol-ffffffff"  # what EC2 reports for a copy
    copy["Encrypted"], key_ref = wanted(p, source)
    copy.pop("CreateVolumePermissions", None)
    copy.pop(GROUPS, None)
    refusal = None
    if source.get("KmsKeyId"):
        _, refusal = use(("Decrypt",), source["KmsKeyId"], ec2._p(p, "SourceSnapshotId"))
    if copy["Encrypted"] and refusal is None:
        copy["KmsKeyId"], refusal = use(NEW, key_ref, copy["SnapshotId"])
    copy.setdefault(LINEAGE, ec2._p(p, "SourceSnapshotId"))
    ec2._parse_tag_specs(p, "snapshot", copy["SnapshotId"])
    if refusal:
        _given_up(copy, ec2._p(p, "SourceSnapshotId"), key_ref)
        return response
    new_key = copy.get("KmsKeyId", "")
    same = new_key == source.get("KmsKeyId", "")
    blocks.share(ec2._p(p, "SourceSnapshotId"), copy["SnapshotId"], key_arn=new_key, same_key=same)
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


def _modify_snapshot_attribute(stock: Stock, p: Request) -> Response:
    """A snapshot under the AWS managed key cannot be shared, an encrypted one not be made public.

    EC2 API Reference, "ModifySnapshotAttribute"; the answers as users report them. Block public access
    refuses everybody what is left.
    """
    snapshot = ec2._snapshots.get(ec2._p(p, "SnapshotId"))
    sharing = {name for name in p if name.startswith(("CreateVolumePermission.Add", "UserId", "UserGroup"))}
    if snapshot and sharing and ec2._p(p, "OperationType", "add") == "add":
        if snapshot.get("KmsKeyId") and _is_aws_managed(snapshot["KmsKeyId"]):
            return _refused(
                "InvalidParameter",
                "Snapshots encrypted with the AWS Managed CMK can't be shared. Specify another snapshot.",
            )
        everybody = any("all" in str(value) for name, value in p.items() if "Group" in name)
        if everybody and snapshot.get("Encrypted"):
            message = "Encrypted snapshots can't be shared publicly. Specify another snapshot."
            return _refused("UnsupportedOperation", message)
        if everybody and defaults.public_access() != defaults.UNBLOCKED:
            return _refused(
                "OperationNotPermitted", "Public sharing is blocked for snapshots in this account.", 403
            )
    response = stock(p)
    if snapshot:
        _share_with_groups(snapshot, ec2._p(p, "OperationType"), ec2._parse_member_list(p, "UserGroup"))
    return response


def _share_with_groups(snapshot: dict[str, Any], operation: str, groups: Iterable[str]) -> None:
    """Keep who a snapshot is shared with beside accounts: the one group there is, ``all``."""
    shared = set(snapshot.get(GROUPS, ()))
    snapshot[GROUPS] = sorted(shared.union(groups) if operation == "add" else shared.difference(groups))


def _describe_snapshot_attribute(stock: Stock, p: Request) -> Response:
    """Tell the groups too."""
    status, headers, body = stock(p)
    groups = (ec2._snapshots.get(ec2._p(p, "SnapshotId")) or {}).get(GROUPS, ())
    items = "".join(f"<item><group>{group}</group></item>" for group in groups)
    end = "</createVolumePermission>"
    text = body.decode() if isinstance(body, bytes) else body
    return status, headers, text.replace(end, items + end).encode()


def _is_aws_managed(key_ref: str) -> bool:
    from kmslab.engine.kms import records

    key = records.resolve(key_ref)
    return bool(key and key.get("KeyManager") == "AWS")


def _snapshot_xml(stock: Callable[[Mapping[str, Any]], str], snap: Mapping[str, Any]) -> str:
    """Tell the key too, and why there is no snapshot."""
    key = f"<kmsKeyId>{escape(snap['KmsKeyId'])}</kmsKeyId>" if snap.get("KmsKeyId") else ""
    why = f"<statusMessage>{snap['StateMessage']}</statusMessage>" if snap.get("StateMessage") else ""
    return stock(snap) + key + why


def _refused(code: str, message: str, status: int = 400) -> Response:
    response: Response = ec2._error(code, message, status)
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


def install() -> None:
    """Take over the operations on snapshots."""
    extend(ec2, "_create_snapshot", "p")(_create_snapshot)
    extend(ec2, "_copy_snapshot", "p")(_copy_snapshot)
    extend(ec2, "_delete_snapshot", "p")(_delete_snapshot)
    extend(ec2, "_modify_snapshot_attribute", "p")(_modify_snapshot_attribute)
    extend(ec2, "_describe_snapshot_attribute", "p")(_describe_snapshot_attribute)
    extend(ec2, "_snapshot_inner_xml", "snap")(_snapshot_xml)
