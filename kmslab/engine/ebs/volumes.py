"""Encrypted volumes: which key a new one gets, and that attaching needs it.

EC2 looks at a volume's key after it has answered (EC2 API Reference, "CreateVolume", KmsKeyId): the answer says
``creating``, and a volume whose key cannot be used is gone when somebody looks. EventBridge is told why
(EBS User Guide, "EBS volume events"). AttachVolume answers that the key cannot be accessed, whether the caller may
not use it or nobody can (EC2 API Reference, "Error codes"; users' reports have the message).
"""

from __future__ import annotations

import json
import re
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

from ministack.core.responses import get_account_id, get_region
from ministack.services import ec2

from kmslab.engine.ebs import defaults, grants
from kmslab.engine.ebs.keys import ATTACH, NEW, use
from kmslab.engine.hooks import extend
from kmslab.engine.kms import records

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from kmslab.engine.ebs.keys import Response
    from kmslab.engine.events import Refusal

    Request = Mapping[str, Any]
    Stock = Callable[[Request], Response]


LINEAGE = "kmslab:lineage"
"""Where a volume or snapshot of MiniStack keeps what it and its relatives come from: the id of a first volume or
snapshot."""
KEY_WITHOUT_ENCRYPTION = "The parameter [KmsKeyId] requires the parameter Encrypted to be set."
"""As users report it."""
INTEGER = re.compile(r"[0-9]{1,10}")
"""An integer of the service models, which has 32 bits; Python refuses to read one of thousands of digits."""
_NUMBERS = ("Size", "Iops", "Throughput")
GP2_IOPS = (3, 100, 16_000)
"""Of a gp2 volume: for each GiB, at least, at most (EBS User Guide, "General Purpose SSD volumes", read 2026-11-22)."""
LAST_FAILURE: ContextVar[str] = ContextVar("kmslab_volume_failure", default="")
"""Why the last volume of this context was not made, for CloudFormation, which waits until it is."""


def wanted(p: Request, source: Mapping[str, Any] | None = None) -> tuple[bool, str]:
    """Whether a new volume or snapshot copy is encrypted, and under which key.

    The request decides, then the encrypted source it comes from, then the account's default.
    """
    inherited = bool(source and source["Encrypted"])
    encrypted = ec2._p(p, "Encrypted").lower() == "true" or inherited or defaults.encrypted_by_default()
    key = ec2._p(p, "KmsKeyId") or (source or {}).get("KmsKeyId") or defaults.default_key()
    return encrypted, key


def _create_volume(stock: Stock, p: Request) -> Response:
    """Encrypt the volume under the key it asks for, as the caller."""
    snapshot = ec2._snapshots.get(ec2._p(p, "SnapshotId")) if ec2._p(p, "SnapshotId") else None
    encrypted, key_ref = wanted(p, snapshot)
    if refused := _not_understood(p, snapshot, encrypted=encrypted):
        return refused
    request = {**p, "Encrypted": str(encrypted).lower()}
    if snapshot:
        request.setdefault("Size", str(snapshot["VolumeSize"]))
    known = set(ec2._volumes)
    stock(request)
    volume = ec2._volumes[next(iter(set(ec2._volumes) - known))]
    _add_performance(volume, p)
    volume[LINEAGE] = lineage(snapshot) if snapshot else volume["VolumeId"]
    if encrypted:
        volume["KmsKeyId"], refusal = use(NEW, key_ref, volume["VolumeId"])
        if refusal is None and snapshot and snapshot.get("KmsKeyId"):
            _, refusal = use(("Decrypt",), snapshot["KmsKeyId"], snapshot["SnapshotId"])
        if refusal:
            return _given_up(volume, key_ref, refusal)
    response: Response = ec2._xml(200, "CreateVolumeResponse", _creating(volume))
    return response


def _not_understood(p: Request, snapshot: Mapping[str, Any] | None, *, encrypted: bool) -> Response | None:
    """Why no such volume can be; None when it can."""
    snapshot_id, size = ec2._p(p, "SnapshotId"), ec2._p(p, "Size")
    found = None
    if snapshot_id and snapshot is None:
        found = "InvalidSnapshot.NotFound", f"The snapshot '{escape(snapshot_id)}' does not exist."
    elif snapshot and snapshot["State"] != "completed":
        found = "IncorrectState", f"Snapshot is in invalid state - {snapshot['State']}"
    elif not snapshot and not size:
        found = "MissingParameter", "The request must contain the parameter size/snapshot"
    elif malformed := _malformed(p):
        found = malformed
    elif snapshot and size and int(size) < snapshot["VolumeSize"]:
        least = snapshot["VolumeSize"]
        found = "InvalidParameterValue", f"The size must be at least that of the snapshot: {least} GiB."
    elif ec2._p(p, "KmsKeyId") and not encrypted:
        found = "InvalidParameterDependency", KEY_WITHOUT_ENCRYPTION
    return _refused(*found) if found else None


def _malformed(p: Request) -> tuple[str, str] | None:
    """Code and message for what should be a number and is none; None when all are."""
    for name in _NUMBERS:
        if (given := ec2._p(p, name)) and not INTEGER.fullmatch(given):
            return (
                "InvalidParameterValue",
                f"Value ({escape(given)}) for parameter {name.lower()} is invalid.",
            )
    return None


def lineage(one: Mapping[str, Any]) -> str:
    """What a volume or snapshot and its relatives come from."""
    return str(one.get(LINEAGE) or one.get("SnapshotId") or one["VolumeId"])


def _creating(volume: dict[str, Any]) -> str:
    return str(ec2._volume_inner_xml({**volume, "State": "creating"}))


def _given_up(volume: dict[str, Any], key_ref: str, refusal: Refusal) -> Response:
    """Answer as if the volume were being made, and make none."""
    key = records.resolve(key_ref)
    volume["KmsKeyId"] = key["Arn"] if key else key_ref
    response: Response = ec2._xml(200, "CreateVolumeResponse", _creating(volume))
    ec2._volumes.pop(volume["VolumeId"])
    ec2._tags.pop(volume["VolumeId"], None)
    cause = refusal.message or f"{volume['KmsKeyId']} is not usable."
    LAST_FAILURE.set(cause)
    arn = f"arn:aws:ec2:{get_region()}:{get_account_id()}:volume/{volume['VolumeId']}"
    notify("Volume", arn, event="createVolume", cause=cause)
    return response


def notify(kind: str, arn: str, *, cause: str, **detail: str) -> None:
    """Tell EventBridge that a volume or snapshot was not made."""
    from ministack.services import eventbridge

    entry = {
        "Source": "aws.ec2",
        "DetailType": f"EBS {kind} Notification",
        "Resources": [arn],
        "Detail": json.dumps({"result": "failed", "cause": cause, "request-id": "", **detail}),
    }
    eventbridge._put_events({"Entries": [entry]}, allow_aws_source=True)


def _add_performance(volume: dict[str, Any], p: Request) -> None:
    if volume["VolumeType"] == "gp2":
        each, least, most = GP2_IOPS
        volume["Iops"] = min(max(each * volume["Size"], least), most)
    if throughput := ec2._p(p, "Throughput"):
        volume["Throughput"] = int(throughput)
    if ec2._p(p, "MultiAttachEnabled"):
        volume["MultiAttachEnabled"] = ec2._p(p, "MultiAttachEnabled") == "true"


def _modify_volume(stock: Stock, p: Request) -> Response:
    """Change throughput and multi-attach as well."""
    if malformed := _malformed(p):
        return _refused(*malformed)
    response = stock(p)
    if volume := ec2._volumes.get(ec2._p(p, "VolumeId")):
        _add_performance(volume, p)
    return response


def _attach_volume(stock: Stock, p: Request) -> Response:
    """Attaching decrypts the volume's data key for the instance: the caller needs the key, and usable."""
    volume = ec2._volumes.get(ec2._p(p, "VolumeId"))
    if volume and volume["Attachments"]:
        return _refused("VolumeInUse", f"{volume['VolumeId']} is already attached to an instance")
    if volume and volume.get("KmsKeyId"):
        _, refusal = use(ATTACH, volume["KmsKeyId"], volume["VolumeId"])
        if refusal:
            words = "cannot be attached. The encrypted volume was unable to access the KMS key."
            return _refused("CustomerKeyHasBeenRevoked", f"Volume {volume['VolumeId']} {words}")
    response = stock(p)
    if volume and volume.get("KmsKeyId") and volume["Attachments"]:
        grants.give(volume["KmsKeyId"], volume["VolumeId"], volume["Attachments"][0]["InstanceId"])
    return response


def _detach_volume(stock: Stock, p: Request) -> Response:
    """The instance's grant on the key ends with the attachment, which there must be."""
    volume, instance_id = ec2._volumes.get(ec2._p(p, "VolumeId")), ec2._p(p, "InstanceId")
    if volume and instance_id and instance_id not in ec2._instances:
        words = f"The instance ID '{escape(instance_id)}' does not exist"
        return _refused("InvalidInstanceID.NotFound", words)
    if volume and not volume["Attachments"]:
        words = f"Volume '{volume['VolumeId']}' is in the 'available' state."
        return _refused("IncorrectState", words)
    if volume and instance_id not in ("", volume["Attachments"][0]["InstanceId"]):
        words = f"The volume '{volume['VolumeId']}' is not attached to instance '{instance_id}'."
        return _refused("InvalidAttachment.NotFound", words)
    response = stock(p)
    grants.take(ec2._p(p, "VolumeId"))
    return response


def _delete_volume(stock: Stock, p: Request) -> Response:
    """Say to which instance a volume is attached."""
    volume = ec2._volumes.get(ec2._p(p, "VolumeId"))
    if volume and volume["Attachments"]:
        instance = volume["Attachments"][0]["InstanceId"]
        return _refused("VolumeInUse", f"Volume {volume['VolumeId']} is currently attached to {instance}")
    return stock(p)


def _describe_volumes(stock: Stock, p: Request) -> Response:
    """Name a volume that is not there as EC2 does."""
    for one in ec2._parse_member_list(p, "VolumeId"):
        if one not in ec2._volumes:
            return _refused("InvalidVolume.NotFound", f"The volume '{escape(one)}' does not exist.")
    return stock(p)


def _volume_xml(stock: Callable[[Mapping[str, Any]], str], vol: Mapping[str, Any]) -> str:
    """Tell the key and the throughput too."""
    key = f"<kmsKeyId>{escape(vol['KmsKeyId'])}</kmsKeyId>" if vol.get("KmsKeyId") else ""
    throughput = f"<throughput>{vol['Throughput']}</throughput>" if vol.get("Throughput") else ""
    return stock(vol) + key + throughput


def _refused(code: str, message: str) -> Response:
    response: Response = ec2._error(code, message, 400)
    return response


def install() -> None:
    """Take over the operations on volumes."""
    extend(ec2, "_create_volume", "p")(_create_volume)
    extend(ec2, "_modify_volume", "p")(_modify_volume)
    extend(ec2, "_attach_volume", "p")(_attach_volume)
    extend(ec2, "_detach_volume", "p")(_detach_volume)
    extend(ec2, "_delete_volume", "p")(_delete_volume)
    extend(ec2, "_describe_volumes", "p")(_describe_volumes)
    extend(ec2, "_volume_inner_xml", "vol")(_volume_xml)
