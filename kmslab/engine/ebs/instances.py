"""Instances: the root volume obeys encryption too, and the instance tells its metadata and EBS options.

EC2 looks at the root volume's key after it has answered: an instance whose key cannot be used terminates at once and
its state reason says why (EC2 User Guide, "Instance terminates immediately"; EC2 API Reference, "StateReason").
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ministack.services import ec2

from kmslab.engine.ebs import defaults, grants
from kmslab.engine.ebs.keys import ATTACH, NEW, use
from kmslab.engine.hooks import extend

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from kmslab.engine.ebs.keys import Response
    from kmslab.engine.events import Refusal

    Request = Mapping[str, Any]


NO_PERMISSION = ("Client.InternalError", "Client error on launch")
"""Code and message of an instance that terminated because the caller may not use the key."""
NOT_USABLE = ("Client.InvalidKMSKey.InvalidState", "The KMS key provided is in an incorrect state")
"""The same where nobody can use it: as users report it, the API Reference does not list it."""
METADATA_OPTIONS = {
    "HttpTokens": "optional",
    "HttpPutResponseHopLimit": "1",
    "HttpEndpoint": "enabled",
    "InstanceMetadataTags": "disabled",
}
"""Members of InstanceMetadataOptions and what an instance has that was started without them."""


def _run_instances(stock: Callable[[Request], Response], p: Request) -> Response:
    """Encrypt the root volumes of new instances, as the caller; without the key they terminate."""
    known = set(ec2._instances)
    response = stock(p)
    for instance_id in set(ec2._instances) - known:
        _keep_options(ec2._instances[instance_id], p)
        for volume in _volumes_of(instance_id):
            if refusal := _encrypt(volume, _root_mapping(p)):
                _give_up(ec2._instances[instance_id], volume["VolumeId"], refusal)
    return response


def _volumes_of(instance_id: str) -> list[dict[str, Any]]:
    return [v for v in ec2._volumes.values() if any(a["InstanceId"] == instance_id for a in v["Attachments"])]


def _root_mapping(p: Request) -> dict[str, str]:
    wanted = ("Encrypted", "KmsKeyId", "VolumeSize", "VolumeType", "DeleteOnTermination")
    return {name: ec2._p(p, f"BlockDeviceMapping.1.Ebs.{name}") for name in wanted}


def _encrypt(volume: dict[str, Any], mapping: dict[str, str]) -> Refusal | None:
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
        return refusal
    grants.give(volume["KmsKeyId"], volume["VolumeId"], volume["Attachments"][0]["InstanceId"])
    return None


def _terminate_instances(stock: Callable[[Request], Response], p: Request) -> Response:
    """A terminated instance needs no keys: its volumes are detached, or go with it (DeleteOnTermination)."""
    response = stock(p)
    for instance_id in ec2._parse_member_list(p, "InstanceId"):
        instance = ec2._instances.get(instance_id)
        if instance and instance["State"]["Name"] == "terminated":
            for volume in _volumes_of(instance_id):
                _let_go(volume, instance_id)
            instance["BlockDeviceMappings"] = []
    return response


def _let_go(volume: dict[str, Any], instance_id: str) -> None:
    grants.take(volume["VolumeId"])
    ended = [one for one in volume["Attachments"] if one["InstanceId"] == instance_id]
    if any(one["DeleteOnTermination"] for one in ended):
        ec2._volumes.pop(volume["VolumeId"])
        ec2._tags.pop(volume["VolumeId"], None)
        return
    volume["Attachments"] = [one for one in volume["Attachments"] if one not in ended]
    volume["State"] = "in-use" if volume["Attachments"] else "available"


def _keep_options(instance: dict[str, Any], p: Request) -> None:
    given = {name: ec2._p(p, f"MetadataOptions.{name}") for name in METADATA_OPTIONS}
    instance["MetadataOptions"] = {name: value or METADATA_OPTIONS[name] for name, value in given.items()}
    instance["EbsOptimized"] = ec2._p(p, "EbsOptimized") == "true"


def _instance_xml(stock: Callable[[dict[str, Any]], str], inst: dict[str, Any]) -> str:
    """Tell the instance metadata options, whether it is optimised for EBS, and why it terminated."""
    head, end, tail = stock(inst).rpartition("</item>")
    options = inst.get("MetadataOptions") or METADATA_OPTIONS
    told = "".join(
        f"<{name[0].lower()}{name[1:]}>{value}</{name[0].lower()}{name[1:]}>"
        for name, value in options.items()
    )
    optimised = str(inst.get("EbsOptimized", False)).lower()
    if reason := inst.get("StateReason"):
        head += (
            f"<stateReason><code>{reason['Code']}</code><message>{reason['Message']}</message></stateReason>"
        )
    return f"{head}<ebsOptimized>{optimised}</ebsOptimized><metadataOptions><state>applied</state>{told}</metadataOptions>{end}{tail}"


def _give_up(instance: dict[str, Any], volume_id: str, refusal: Refusal) -> None:
    """Terminate an instance whose root volume cannot be made or attached."""
    ec2._volumes.pop(volume_id)
    ec2._terminate_instances({"InstanceId.1": [instance["InstanceId"]]})
    code, what = NO_PERMISSION if refusal.denied else NOT_USABLE
    instance["StateReason"] = {"Code": code, "Message": f"{code}: {what}"}


def install() -> None:
    """Take over the launch of instances."""
    extend(ec2, "_run_instances", "p")(_run_instances)
    extend(ec2, "_terminate_instances", "p")(_terminate_instances)
    extend(ec2, "_instance_xml", "inst")(_instance_xml)
