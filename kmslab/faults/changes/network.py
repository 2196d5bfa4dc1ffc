"""What can be changed about the optional network: its endpoints, who reaches them, and a way out."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from kmslab.faults.change import NothingSaved
from kmslab.faults.changes.objects import mark
from kmslab.faults.changes.setting import Setting
from kmslab.faults.changes.statements import edited, names, names_in
from kmslab.model.outputs import LabOutputs

if TYPE_CHECKING:
    from kmslab.faults.change import Json
    from kmslab.faults.changes.statements import Edit
    from kmslab.faults.templates import Templates
    from kmslab.faults.workshop import Workshop
    from kmslab.model.outputs import Output

GATEWAY = "way-out"
"""Name of the internet gateway that a fault makes."""
HTTPS = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443}
EVERYWHERE = "0.0.0.0/0"


class EndpointPolicy(Setting):
    """The policy of an endpoint has other statements."""

    def __init__(self, endpoint: Output, *edits: Edit) -> None:
        self.endpoint = endpoint
        self.edits = edits

    def read(self, workshop: Workshop) -> Any:
        """Return the policy."""
        return json.loads(_endpoint(workshop, self.endpoint)["PolicyDocument"])

    def write(self, workshop: Workshop, value: Any) -> None:
        """Put the policy."""
        _modify(workshop, self.endpoint, PolicyDocument=json.dumps(value))

    def broken(self, workshop: Workshop, value: Any) -> Any:
        """Edit its statements."""
        return edited(value, self.edits, names(workshop))

    def in_template(self, templates: Templates) -> bool:
        """Edit the statements of the endpoint's property."""
        policy = templates.resource(self.endpoint).properties["PolicyDocument"]
        edited(policy, self.edits, names_in(templates))
        return True


class PrivateDns(Setting):
    """KMS's usual name no longer leads to the endpoint."""

    def read(self, workshop: Workshop) -> Any:
        """Return whether private DNS is on."""
        return _endpoint(workshop, LabOutputs.kms_endpoint)["PrivateDnsEnabled"]

    def write(self, workshop: Workshop, value: Any) -> None:
        """Switch it on or off."""
        _modify(workshop, LabOutputs.kms_endpoint, PrivateDnsEnabled=value)

    def broken(self, workshop: Workshop, value: Any) -> Any:
        """Return off."""
        del workshop, value
        return False

    def in_template(self, templates: Templates) -> bool:
        """Switch it off."""
        templates.resource(LabOutputs.kms_endpoint).properties["PrivateDnsEnabled"] = False
        return True


class GatewayRoutes(Setting):
    """The subnet has no route to S3's gateway; the value is the ids of the route tables that have one."""

    def read(self, workshop: Workshop) -> Any:
        """Return the route tables."""
        return sorted(_endpoint(workshop, LabOutputs.s3_endpoint)["RouteTableIds"])

    def write(self, workshop: Workshop, value: Any) -> None:
        """Have routes in these route tables, and in no others."""
        now = self.read(workshop)
        for change, tables in (
            ("AddRouteTableIds", sorted(set(value) - set(now))),
            ("RemoveRouteTableIds", sorted(set(now) - set(value))),
        ):
            if tables:
                _modify(workshop, LabOutputs.s3_endpoint, **{change: tables})

    def broken(self, workshop: Workshop, value: Any) -> Any:
        """Return none."""
        del workshop, value
        return []

    def in_template(self, templates: Templates) -> bool:
        """Have no routes."""
        templates.resource(LabOutputs.s3_endpoint).properties["RouteTableIds"] = []
        return True


class OpenToAll(Setting):
    """The security group of KMS's endpoint lets HTTPS in from everywhere; the value is whether it does."""

    def read(self, workshop: Workshop) -> Any:
        """Return whether it does."""
        group = workshop.client("ec2").describe_security_groups(GroupIds=[self._group(workshop)])
        rules = group["SecurityGroups"][0]["IpPermissions"]
        return any(one["CidrIp"] == EVERYWHERE for rule in rules for one in rule["IpRanges"])

    def write(self, workshop: Workshop, value: Any) -> None:
        """Let everybody in, or not."""
        if value == self.read(workshop):
            return
        ec2 = workshop.client("ec2")
        change = ec2.authorize_security_group_ingress if value else ec2.revoke_security_group_ingress
        change(GroupId=self._group(workshop), IpPermissions=[{**HTTPS, "IpRanges": [{"CidrIp": EVERYWHERE}]}])

    def broken(self, workshop: Workshop, value: Any) -> Any:
        """Return yes."""
        del workshop, value
        return True

    def in_template(self, templates: Templates) -> bool:
        """Let everybody in."""
        endpoint = templates.resource(LabOutputs.kms_endpoint)
        group = endpoint.properties["SecurityGroupIds"][0]["Fn::GetAtt"][0]
        rules = templates.resource(group, endpoint.stack).properties["SecurityGroupIngress"]
        rules.append({**HTTPS, "CidrIp": EVERYWHERE})
        return True

    @staticmethod
    def _group(workshop: Workshop) -> str:
        return str(_endpoint(workshop, LabOutputs.kms_endpoint)["Groups"][0]["GroupId"])


class InternetGateway(NothingSaved):
    """The network has an internet gateway."""

    def apply(self, workshop: Workshop, saved: Json) -> None:
        """Make one and attach it."""
        del saved
        ec2 = workshop.client("ec2")
        tags = [{"Key": key, "Value": value} for key, value in mark(workshop, GATEWAY).items()]
        made = ec2.create_internet_gateway(
            TagSpecifications=[{"ResourceType": "internet-gateway", "Tags": tags}]
        )
        ec2.attach_internet_gateway(
            InternetGatewayId=made["InternetGateway"]["InternetGatewayId"], VpcId=workshop.outputs.vpc
        )

    def restore(self, workshop: Workshop, saved: Json) -> None:
        """Detach and delete it."""
        del saved
        ec2 = workshop.client("ec2")
        ours = [{"Name": f"tag:{key}", "Values": [value]} for key, value in mark(workshop, GATEWAY).items()]
        for gateway in ec2.describe_internet_gateways(Filters=ours)["InternetGateways"]:
            one = gateway["InternetGatewayId"]
            for attachment in gateway["Attachments"]:
                ec2.detach_internet_gateway(InternetGatewayId=one, VpcId=attachment["VpcId"])
            ec2.delete_internet_gateway(InternetGatewayId=one)

    def in_template(self, templates: Templates) -> bool:
        """Add one."""
        vpc = templates.resource(LabOutputs.vpc)
        resources = templates.by_stack[vpc.stack]["Resources"]
        resources["WayOut"] = {"Type": "AWS::EC2::InternetGateway"}
        resources["WayOutAttachment"] = {
            "Type": "AWS::EC2::VPCGatewayAttachment",
            "Properties": {"VpcId": {"Ref": vpc.logical_id}, "InternetGatewayId": {"Ref": "WayOut"}},
        }
        return True


def _endpoint(workshop: Workshop, which: Output) -> Any:
    wanted = [workshop.outputs.value_of(which)]
    return workshop.client("ec2").describe_vpc_endpoints(VpcEndpointIds=wanted)["VpcEndpoints"][0]


def _modify(workshop: Workshop, which: Output, **changes: Any) -> None:
    workshop.client("ec2").modify_vpc_endpoint(VpcEndpointId=workshop.outputs.value_of(which), **changes)
