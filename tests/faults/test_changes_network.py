"""What can be changed about the optional network: in templates, and against a world that answers for EC2."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from kmslab.faults.changes.network import (
    EndpointPolicy,
    GatewayRoutes,
    InternetGateway,
    OpenToAll,
    PrivateDns,
)
from kmslab.faults.changes.statements import drop_conditions
from kmslab.faults.workshop import Workshop
from kmslab.model.outputs import LabOutputs
from tests.checks.fakes import OUTPUTS, PREFIX, FakeAccess, World
from tests.faults.on_the_lab import breaks_and_puts_back

if TYPE_CHECKING:
    from kmslab.faults.change import Change
    from kmslab.faults.templates import Templates
    from tests.checks.fakes import Request

BETWEEN, KMS, S3 = (
    "OnlyBetweenPrincipalsAndThingsOfThisAccount",
    LabOutputs.kms_endpoint,
    LabOutputs.s3_endpoint,
)
OPEN = EndpointPolicy(S3, drop_conditions(BETWEEN, "StringEquals", "aws:ResourceAccount"))


@pytest.fixture
def whole(with_every_option: Templates) -> Templates:
    """The templates of a lab with the network, to be changed."""
    return with_every_option.copy()


def test_the_endpoints_in_a_template(whole: Templates) -> None:
    assert OPEN.in_template(whole)
    (statement,) = whole.resource(S3).properties["PolicyDocument"]["Statement"]
    assert statement["Condition"] == {"StringEquals": {"aws:PrincipalAccount": {"Ref": "AWS::AccountId"}}}
    assert PrivateDns().in_template(whole)
    assert whole.resource(KMS).properties["PrivateDnsEnabled"] is False
    assert GatewayRoutes().in_template(whole)
    assert whole.resource(S3).properties["RouteTableIds"] == []


def test_who_comes_in_and_a_way_out_in_a_template(whole: Templates) -> None:
    assert OpenToAll().in_template(whole)
    group = whole.resource("EndpointGroup").properties["SecurityGroupIngress"]
    assert [one["CidrIp"] for one in group][1:] == ["0.0.0.0/0"]
    assert InternetGateway().in_template(whole)
    (attachment,) = whole.of_type("AWS::EC2::VPCGatewayAttachment")
    assert attachment.properties["VpcId"] == {"Ref": whole.resource(LabOutputs.vpc).logical_id}


class Ec2:
    """As much of EC2 as these changes ask."""

    def __init__(self) -> None:
        self.endpoint: dict[str, Any] = {
            "PolicyDocument": json.dumps(
                {"Statement": [{"Sid": BETWEEN, "Condition": {"StringEquals": {"aws:ResourceAccount": "1"}}}]}
            ),
            "PrivateDnsEnabled": True,
            "RouteTableIds": ["rtb-1"],
            "Groups": [{"GroupId": "sg-1"}],
        }
        self.ranges = ["10.20.0.0/24"]
        self.gateways: dict[str, list[str]] = {}
        self.world = World()
        for name in vars(type(self)):
            if name[0].isupper():
                self.world.answers(f"ec2:{name}", getattr(self, name))

    @property
    def seen(self) -> str:
        return json.dumps([self.endpoint, self.ranges, self.gateways])

    def DescribeVpcEndpoints(self, _: Request) -> dict[str, Any]:
        return {"VpcEndpoints": [dict(self.endpoint)]}

    def ModifyVpcEndpoint(self, request: Request) -> dict[str, Any]:
        for name in ("PolicyDocument", "PrivateDnsEnabled"):
            self.endpoint[name] = request.get(name, self.endpoint[name])
        tables = set(self.endpoint["RouteTableIds"]) | set(request.get("AddRouteTableIds", ()))
        self.endpoint["RouteTableIds"] = sorted(tables - set(request.get("RemoveRouteTableIds", ())))
        return {"Return": True}

    def DescribeSecurityGroups(self, _: Request) -> dict[str, Any]:
        return {
            "SecurityGroups": [{"IpPermissions": [{"IpRanges": [{"CidrIp": one} for one in self.ranges]}]}]
        }

    def AuthorizeSecurityGroupIngress(self, _: Request) -> dict[str, Any]:
        self.ranges.append("0.0.0.0/0")
        return {}

    def RevokeSecurityGroupIngress(self, _: Request) -> dict[str, Any]:
        self.ranges.remove("0.0.0.0/0")
        return {}

    def CreateInternetGateway(self, request: Request) -> dict[str, Any]:
        assert {"Key": "kmslab:fault", "Value": PREFIX} in request["TagSpecifications"][0]["Tags"]
        self.gateways["igw-1"] = []
        return {"InternetGateway": {"InternetGatewayId": "igw-1"}}

    def AttachInternetGateway(self, request: Request) -> dict[str, Any]:
        self.gateways[request["InternetGatewayId"]].append(request["VpcId"])
        return {}

    def DescribeInternetGateways(self, _: Request) -> dict[str, Any]:
        found = [
            {"InternetGatewayId": one, "Attachments": [{"VpcId": vpc} for vpc in attached]}
            for one, attached in self.gateways.items()
        ]
        return {"InternetGateways": found}

    def DetachInternetGateway(self, request: Request) -> dict[str, Any]:
        self.gateways[request["InternetGatewayId"]].remove(request["VpcId"])
        return {}

    def DeleteInternetGateway(self, request: Request) -> dict[str, Any]:
        assert self.gateways.pop(request["InternetGatewayId"]) == [], "EC2 refuses while it is attached"
        return {}


@pytest.mark.parametrize("change", [OPEN, PrivateDns(), GatewayRoutes(), OpenToAll(), InternetGateway()])
def test_it_breaks_and_is_put_back(change: Change) -> None:
    ec2 = Ec2()
    breaks_and_puts_back(Workshop(FakeAccess(ec2.world), OUTPUTS), change, lambda _: ec2.seen)
