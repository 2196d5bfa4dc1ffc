"""Encrypted volumes: which key a new one gets, and that attaching needs it.

EC2 looks at a volume's key after it has answered (EC2 API Reference, "CreateVolume", KmsKeyId): the answer says
``creating``, and a volume whose key cannot be used is gone when somebody looks. EventBridge is told why
(EBS User Guide, "EBS volume events"). AttachVolume answers that the key cannot be accessed, whether the caller may
not use it or nobody can (EC2 API Reference, "Error codes"; users' reports have the message).
"""

from __future__ import annotations

import json
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
    snapshot_id = ec2._p(p, "SnapshotId")
    snapshot = ec2._snapshots.get(snapshot_id) if snapshot_id else None
    if snapshot_id and snapshot is None:
        return _refused("InvalidSnapshot.NotFound", f"The snapshot '{snapshot_id}' does not exist.")
    if snapshot and snapshot["State"] != "completed":
        return _refused("IncorrectState", f"The snapshot '{snapshot_id}' is not completed.")
    encrypted, key_ref = wanted(p, snapshot)
    if ec2._p(p, "KmsKeyId") and not encrypted:
        return _refused(
            "InvalidParameterDependency", "The parameter KmsKeyId requires the parameter Encrypted to be set."
        )
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
    if throughput := ec2._p(p, "Throughput"):
        volume["Throughput"] = int(throughput)
    if ec2._p(p, "MultiAttachEnabled"):
        volume["MultiAttachEnabled"] = ec2._p(p, "MultiAttachEnabled") == "true"


def _modify_volume(stock: Stock, p: Request) -> Response:
    """Change throughput and multi-attach as well."""
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
    """The instance's grant on the key ends with the attachment."""
    response = stock(p)
    grants.take(ec2._p(p, "VolumeId"))
    return response


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
    extend(ec2, "_volume_inner_xml", "vol")(_volume_xml)
