"""Encrypted volumes: which key a new one gets, and that attaching needs it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ministack.services import ec2

from kmslab.engine.ebs import defaults
from kmslab.engine.ebs.keys import ATTACH, NEW, ec2_error, use
from kmslab.engine.hooks import extend

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from kmslab.engine.ebs.keys import Response

    Request = Mapping[str, Any]
    Stock = Callable[[Request], Response]


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
    if encrypted:
        volume["KmsKeyId"], refusal = use(NEW, key_ref, volume["VolumeId"])
        if refusal is None and snapshot and snapshot.get("KmsKeyId"):
            _, refusal = use(("Decrypt",), snapshot["KmsKeyId"], snapshot["SnapshotId"])
        if refusal:
            ec2._volumes.pop(volume["VolumeId"])
            ec2._tags.pop(volume["VolumeId"], None)
            return ec2_error(refusal)
    response: Response = ec2._xml(200, "CreateVolumeResponse", ec2._volume_inner_xml(volume))
    return response


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
            return ec2_error(refusal)
    return stock(p)


def _volume_xml(stock: Callable[[Mapping[str, Any]], str], vol: Mapping[str, Any]) -> str:
    """Tell the key and the throughput too."""
    key = f"<kmsKeyId>{vol['KmsKeyId']}</kmsKeyId>" if vol.get("KmsKeyId") else ""
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
    extend(ec2, "_volume_inner_xml", "vol")(_volume_xml)
