"""AWS::EC2::Volume, AWS::EC2::Instance, AWS::EC2::VolumeAttachment, AWS::EC2::SnapshotBlockPublicAccess.

Each goes through the EC2 API, so that EBS asks KMS as CloudFormation's role does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ministack.services import ec2
from ministack.services.cloudformation import provisioners

from kmslab.engine.cloudformation.resources import call, element, query, register
from kmslab.engine.ebs.volumes import LAST_FAILURE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kmslab.engine.cloudformation.resources import Place, Properties, Provisioned

MODIFIABLE = ("Size", "VolumeType", "Iops", "Throughput", "MultiAttachEnabled")
"""Properties of a volume that ModifyVolume changes."""
CREATE_ONLY = (
    "AvailabilityZone",
    "AvailabilityZoneId",
    "Encrypted",
    "KmsKeyId",
    "SnapshotId",
    "SourceVolumeId",
)


def _ec2(action: str, parameters: Mapping[str, Any], *, missing_is_fine: bool = False) -> str:
    operation = ec2._ACTION_MAP[action]
    request = query({"Action": action, **parameters}, list_separator=".")
    return str(call(operation, request, missing_is_fine=missing_is_fine) or "")


class Volume:
    """An EBS volume, encrypted as the template, the snapshot or the account's default says."""

    def create(self, _place: Place, properties: Properties) -> Provisioned:
        """CreateVolume; KMS decides about the key."""
        wanted = {name: properties.get(name) for name in (*CREATE_ONLY, *MODIFIABLE)}
        volume_id = element(_ec2("CreateVolume", wanted), "volumeId")
        if volume_id not in ec2._volumes:
            raise ValueError(f"Volume {volume_id} did not stabilize: {LAST_FAILURE.get()}")
        provisioners._ec2_apply_tags(volume_id, properties)
        return volume_id, {"VolumeId": volume_id}

    def update(self, physical_id: str, old: Properties, new: Properties) -> Provisioned:
        """ModifyVolume and the tags."""
        changed = {name: new.get(name) for name in MODIFIABLE if new.get(name) != old.get(name)}
        if changed:
            _ec2("ModifyVolume", {"VolumeId": physical_id, **changed})
        provisioners._ec2_apply_tags(physical_id, new, old)
        return physical_id, {"VolumeId": physical_id}

    def delete(self, physical_id: str, _properties: Properties) -> None:
        """DeleteVolume."""
        _ec2("DeleteVolume", {"VolumeId": physical_id}, missing_is_fine=True)
        ec2._tags.pop(physical_id, None)


def snapshot_volume(physical_id: str, _properties: Properties) -> None:
    """Take the snapshot that ``DeletionPolicy: Snapshot`` asks for."""
    _ec2("CreateSnapshot", {"VolumeId": physical_id})


class Instance:
    """An instance without a machine behind it: its volumes and their keys are what the lab is about."""

    RUN = (
        *("ImageId", "InstanceType", "KeyName", "SubnetId", "PrivateIpAddress", "UserData", "LaunchTemplate"),
        *("EbsOptimized", "MetadataOptions"),
    )

    def create(self, _place: Place, properties: Properties) -> Provisioned:
        """RunInstances; further volumes are attached."""
        wanted = {name: properties.get(name) for name in self.RUN}
        wanted |= {"MinCount": 1, "MaxCount": 1, "SecurityGroupId": properties.get("SecurityGroupIds")}
        wanted["BlockDeviceMapping"] = properties.get("BlockDeviceMappings")
        if profile := properties.get("IamInstanceProfile"):
            wanted["IamInstanceProfile"] = {"Name": profile}
        instance_id = element(_ec2("RunInstances", wanted), "instanceId")
        instance = ec2._instances[instance_id]
        if reason := instance.get("StateReason"):
            raise ValueError(f"Instance {instance_id} did not stabilize: {reason['Message']}")
        if zone := properties.get("AvailabilityZone"):
            instance["Placement"]["AvailabilityZone"] = zone
        provisioners._ec2_apply_tags(instance_id, properties)
        for volume in properties.get("Volumes") or ():
            _ec2("AttachVolume", {"InstanceId": instance_id, **volume})
        return instance_id, _instance_attributes(instance_id)

    def update(self, physical_id: str, old: Properties, new: Properties) -> Provisioned:
        """Tags, instance type and further volumes; the instance stays."""
        ec2._instances[physical_id]["InstanceType"] = new.get("InstanceType", "m1.small")
        before, after = old.get("Volumes") or [], new.get("Volumes") or []
        for volume in (one for one in before if one not in after):
            _ec2("DetachVolume", {"VolumeId": volume["VolumeId"]}, missing_is_fine=True)
        for volume in (one for one in after if one not in before):
            _ec2("AttachVolume", {"InstanceId": physical_id, **volume})
        provisioners._ec2_apply_tags(physical_id, new, old)
        return physical_id, _instance_attributes(physical_id)

    def delete(self, physical_id: str, _properties: Properties) -> None:
        """TerminateInstances: volumes are detached, and the root volume goes with the instance."""
        _ec2("TerminateInstances", {"InstanceId": [physical_id]}, missing_is_fine=True)


def _instance_attributes(instance_id: str) -> dict[str, Any]:
    instance = ec2._instances[instance_id]
    return {
        "InstanceId": instance_id,
        "AvailabilityZone": instance["Placement"]["AvailabilityZone"],
        "PrivateDnsName": instance["PrivateDnsName"],
        "PrivateIp": instance["PrivateIpAddress"],
        "PublicDnsName": instance["PublicDnsName"],
        "PublicIp": instance["PublicIpAddress"],
        "VpcId": instance["VpcId"],
    }


class VolumeAttachment:
    """A volume attached to an instance."""

    def create(self, _place: Place, properties: Properties) -> Provisioned:
        """AttachVolume; KMS decides about the key."""
        wanted = {name: properties[name] for name in ("VolumeId", "InstanceId")}
        _ec2("AttachVolume", {**wanted, "Device": properties.get("Device")})
        return f"{properties['VolumeId']}|{properties['InstanceId']}", {}

    def update(self, physical_id: str, _old: Properties, _new: Properties) -> Provisioned:
        """Nothing: every property requires replacement."""
        return physical_id, {}

    def delete(self, physical_id: str, _properties: Properties) -> None:
        """DetachVolume."""
        _ec2("DetachVolume", {"VolumeId": physical_id.partition("|")[0]}, missing_is_fine=True)


class SnapshotBlockPublicAccess:
    """The Region's refusal to share snapshots with everybody; one per account and Region."""

    def create(self, _place: Place, properties: Properties) -> Provisioned:
        """EnableSnapshotBlockPublicAccess; the physical id is the account's."""
        _ec2("EnableSnapshotBlockPublicAccess", {"State": properties["State"]})
        return provisioners.get_account_id(), {"AccountId": provisioners.get_account_id()}

    def update(self, physical_id: str, _old: Properties, new: Properties) -> Provisioned:
        """EnableSnapshotBlockPublicAccess with the new state."""
        _ec2("EnableSnapshotBlockPublicAccess", {"State": new["State"]})
        return physical_id, {"AccountId": physical_id}

    def delete(self, _physical_id: str, _properties: Properties) -> None:
        """DisableSnapshotBlockPublicAccess."""
        _ec2("DisableSnapshotBlockPublicAccess", {})


def install() -> None:
    """Serve the four types."""
    register("AWS::EC2::Volume", Volume(), replaced_by=CREATE_ONLY, tags=True)
    provisioners._RESOURCE_HANDLERS["AWS::EC2::Volume"]["snapshot"] = snapshot_volume
    register(
        "AWS::EC2::Instance",
        Instance(),
        replaced_by=("AvailabilityZone", "ImageId", "KeyName", "PrivateIpAddress", "SubnetId"),
        tags=True,
    )
    register(
        "AWS::EC2::VolumeAttachment", VolumeAttachment(), replaced_by=("Device", "InstanceId", "VolumeId")
    )
    register("AWS::EC2::SnapshotBlockPublicAccess", SnapshotBlockPublicAccess())
