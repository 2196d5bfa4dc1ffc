"""Instances: the root volume obeys encryption too, and the instance tells its metadata and EBS options."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ministack.services import ec2

from kmslab.engine.ebs import defaults, grants
from kmslab.engine.ebs.keys import ATTACH, NEW, ec2_error, use
from kmslab.engine.hooks import extend

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from kmslab.engine.ebs.keys import Response

    Request = Mapping[str, Any]


METADATA_OPTIONS = {
    "HttpTokens": "optional",
    "HttpPutResponseHopLimit": "1",
    "HttpEndpoint": "enabled",
    "InstanceMetadataTags": "disabled",
}
"""Members of InstanceMetadataOptions and what an instance has that was started without them."""


def _run_instances(stock: Callable[[Request], Response], p: Request) -> Response:
    """Encrypt the root volumes of new instances, as the caller; a refusal launches nothing."""
    known = set(ec2._instances)
    response = stock(p)
    for instance_id in set(ec2._instances) - known:
        _keep_options(ec2._instances[instance_id], p)
        for volume in _volumes_of(instance_id):
            refused = _encrypt(volume, _root_mapping(p))
            if refused:
                _withdraw(set(ec2._instances) - known)
                return refused
    return response


def _volumes_of(instance_id: str) -> list[dict[str, Any]]:
    return [v for v in ec2._volumes.values() if any(a["InstanceId"] == instance_id for a in v["Attachments"])]


def _root_mapping(p: Request) -> dict[str, str]:
    wanted = ("Encrypted", "KmsKeyId", "VolumeSize", "VolumeType", "DeleteOnTermination")
    return {name: ec2._p(p, f"BlockDeviceMapping.1.Ebs.{name}") for name in wanted}


def _encrypt(volume: dict[str, Any], mapping: dict[str, str]) -> Response | None:
    if mapping["VolumeSize"]:
        volume["Size"] = int(mapping["VolumeSize"])
    if mapping["VolumeType"]:
        volume["VolumeType"] = mapping["VolumeType"]
    if mapping["DeleteOnTermination"]:
        volume["Attachments"][0]["DeleteOnTermination"] = mapping["DeleteOnTermination"] == "true"
    volume["Encrypted"] = mapping["Encrypted"] == "true" or defaults.encrypted_by_default()
    if not volume["Encrypted"]:
        return None
    key_ref = mapping["KmsKeyId"] or defaults.default_key()
    volume["KmsKeyId"], refusal = use((*NEW, *ATTACH), key_ref, volume["VolumeId"])
    if refusal:
        return ec2_error(refusal)
    grants.give(volume["KmsKeyId"], volume["VolumeId"], volume["Attachments"][0]["InstanceId"])
    return None


def _terminate_instances(stock: Callable[[Request], Response], p: Request) -> Response:
    """A terminated instance needs no keys."""
    response = stock(p)
    for instance_id in ec2._parse_member_list(p, "InstanceId"):
        if (ec2._instances.get(instance_id) or {}).get("State", {}).get("Name") == "terminated":
            for volume in _volumes_of(instance_id):
                grants.take(volume["VolumeId"])
    return response


def _keep_options(instance: dict[str, Any], p: Request) -> None:
    given = {name: ec2._p(p, f"MetadataOptions.{name}") for name in METADATA_OPTIONS}
    instance["MetadataOptions"] = {name: value or METADATA_OPTIONS[name] for name, value in given.items()}
    instance["EbsOptimized"] = ec2._p(p, "EbsOptimized") == "true"


def _instance_xml(stock: Callable[[dict[str, Any]], str], inst: dict[str, Any]) -> str:
    """Tell the instance metadata options and whether the instance is optimised for EBS."""
    head, end, tail = stock(inst).rpartition("</item>")
    options = inst.get("MetadataOptions") or METADATA_OPTIONS
    told = "".join(
        f"<{name[0].lower()}{name[1:]}>{value}</{name[0].lower()}{name[1:]}>"
        for name, value in options.items()
    )
    optimised = str(inst.get("EbsOptimized", False)).lower()
    return f"{head}<ebsOptimized>{optimised}</ebsOptimized><metadataOptions><state>applied</state>{told}</metadataOptions>{end}{tail}"


def _withdraw(instance_ids: set[str]) -> None:
    for instance_id in instance_ids:
        for volume in _volumes_of(instance_id):
            grants.take(volume["VolumeId"])
            ec2._volumes.pop(volume["VolumeId"])
        ec2._instances.pop(instance_id)


def install() -> None:
    """Take over the launch of instances."""
    extend(ec2, "_run_instances", "p")(_run_instances)
    extend(ec2, "_terminate_instances", "p")(_terminate_instances)
    extend(ec2, "_instance_xml", "inst")(_instance_xml)
