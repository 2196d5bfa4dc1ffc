from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.checks.fakes import ACCOUNT, OUTPUTS, Request, World
from tests.checks.table import Broken

if TYPE_CHECKING:
    from collections.abc import Callable

VPC, KMS, S3 = OUTPUTS.vpc, OUTPUTS.kms_endpoint, OUTPUTS.s3_endpoint
CIDR = "10.20.0.0/24"
SAME_ACCOUNT = {"aws:PrincipalAccount": ACCOUNT, "aws:ResourceAccount": ACCOUNT}
HTTPS = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "IpRanges": [{"CidrIp": CIDR}]}
LOCAL = {"DestinationCidrBlock": CIDR, "GatewayId": "local"}
GATEWAY = {"DestinationPrefixListId": "pl-1", "GatewayId": "vpce-1"}


def policy(**changes: Any) -> str:
    statement = {
        "Effect": "Allow",
        "Principal": "*",
        "Action": "kms:*",
        "Resource": "*",
        "Condition": {"StringEquals": SAME_ACCOUNT},
    }
    return json.dumps({"Statement": [{**statement, **changes}]})


class GoodWorld(World):
    """A world in which every check of the network passes.

    Attributes:
        endpoints: by id, as EC2 describes them.
        group: the endpoint's security group.
        routes: of the subnet's route table.
        subnet: the one subnet.
    """

    def __init__(self) -> None:
        super().__init__()
        common = {"VpcId": VPC, "State": "available", "PolicyDocument": policy()}
        interface = {
            "VpcEndpointType": "Interface",
            "PrivateDnsEnabled": True,
            "Groups": [{"GroupId": "sg-1"}],
        }
        self.endpoints: dict[str, dict[str, Any]] = {
            KMS: {**common, **interface},
            S3: {**common, "VpcEndpointType": "Gateway", "RouteTableIds": ["rtb-1"]},
        }
        self.group: dict[str, Any] = {"GroupId": "sg-1", "IpPermissions": [HTTPS]}
        self.routes: list[dict[str, Any]] = [LOCAL, GATEWAY]
        self.subnet: dict[str, Any] = {"SubnetId": "subnet-1", "MapPublicIpOnLaunch": False}
        self.answers("ec2:DescribeVpcEndpoints", self.described)
        self.answers("ec2:DescribeVpcAttribute", self.attribute)
        self.answers("ec2:DescribeVpcs", {"Vpcs": [{"VpcId": VPC, "CidrBlock": CIDR}]})
        self.answers("ec2:DescribeSecurityGroups", lambda _: {"SecurityGroups": [self.group]})
        self.answers("ec2:DescribeSubnets", lambda _: {"Subnets": [self.subnet]})
        self.answers("ec2:DescribeRouteTables", lambda _: {"RouteTables": self.tables()})
        self.answers("ec2:DescribeInternetGateways", {"InternetGateways": [attached("vpc-other")]})
        self.answers("ec2:DescribeEgressOnlyInternetGateways", {"EgressOnlyInternetGateways": []})
        self.answers("ec2:DescribeNatGateways", {"NatGateways": [{"State": "deleted"}]})

    def described(self, request: Request) -> dict[str, Any]:
        (name,) = request["VpcEndpointIds"]
        return {"VpcEndpoints": [self.endpoints[name]] if name in self.endpoints else []}

    def attribute(self, request: Request) -> dict[str, Any]:
        name = request["Attribute"]
        return {name[0].upper() + name[1:]: {"Value": True}}

    def tables(self) -> list[dict[str, Any]]:
        main = {"RouteTableId": "rtb-0", "Routes": [LOCAL], "Associations": [{"Main": True}]}
        own = {"RouteTableId": "rtb-1", "Routes": self.routes, "Associations": [{"SubnetId": "subnet-1"}]}
        return [main, own]


def attached(vpc: str) -> dict[str, Any]:
    return {"Attachments": [{"VpcId": vpc}]}


def endpoint(name: str, **changes: Any) -> Callable[[World], object]:
    def how(world: World) -> None:
        assert isinstance(world, GoodWorld)
        world.endpoints[name].update(changes)

    return how


def gone(name: str) -> Callable[[World], object]:
    def how(world: World) -> None:
        assert isinstance(world, GoodWorld)
        del world.endpoints[name]

    return how


def has(**attributes: Any) -> Callable[[World], object]:
    return lambda world: vars(world).update(attributes)


def lets_in(**changes: Any) -> Callable[[World], object]:
    return has(group={"GroupId": "sg-1", "IpPermissions": [HTTPS, {**HTTPS, **changes}]})


def answers(action: str, reply: Any) -> Callable[[World], object]:
    return lambda world: world.answers(action, reply)


FULL = json.dumps({"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}]})
ONE_SIDE = {"StringEquals": {"aws:PrincipalAccount": ACCOUNT}}
IF_EXISTS = {"StringEqualsIfExists": SAME_ACCOUNT}
STRANGER = {"StringEquals": {**SAME_ACCOUNT, "aws:ResourceAccount": [ACCOUNT, "444455556666"]}}
WHOSE = "network.endpoints-serve-this-account-only"
NAME = "network.kms-is-reached-by-its-usual-name"
FROM = "network.the-endpoint-takes-https-from-inside-only"
WAY = "network.s3-is-reached-through-its-gateway"
OUT = "network.there-is-no-way-out"
BROKEN = [
    Broken(WHOSE, endpoint(KMS, PolicyDocument=FULL), "aws:PrincipalAccount, aws:ResourceAccount"),
    Broken(WHOSE, endpoint(S3, PolicyDocument=FULL), f"the policy of {S3}"),
    Broken(WHOSE, endpoint(KMS, PolicyDocument=policy(Condition=ONE_SIDE)), "aws:ResourceAccount"),
    Broken(WHOSE, endpoint(KMS, PolicyDocument=policy(Condition=IF_EXISTS)), "does not ask for this account"),
    Broken(WHOSE, endpoint(KMS, PolicyDocument=policy(Condition=STRANGER)), "aws:ResourceAccount"),
    Broken(WHOSE, endpoint(KMS, PolicyDocument=policy(Effect="Deny")), "lets nobody through"),
    Broken(WHOSE, gone(S3), f"the endpoint {S3} is gone"),
    Broken(NAME, endpoint(KMS, PrivateDnsEnabled=False), "private DNS is off"),
    Broken(NAME, endpoint(KMS, State="deleting"), "the endpoint is deleting"),
    Broken(NAME, endpoint(KMS, VpcId="vpc-other"), "the endpoint is in vpc-other"),
    Broken(NAME, endpoint(KMS, VpcEndpointType="Gateway"), "of the type Gateway"),
    Broken(
        NAME,
        answers(
            "ec2:DescribeVpcAttribute",
            {"EnableDnsSupport": {"Value": True}, "EnableDnsHostnames": {"Value": False}},
        ),
        "enableDnsHostnames is off",
    ),
    Broken(FROM, endpoint(KMS, Groups=[]), "no security group"),
    Broken(FROM, lets_in(FromPort=0, ToPort=65535), "sg-1 lets more than HTTPS in"),
    Broken(FROM, lets_in(IpProtocol="-1"), "sg-1 lets more than HTTPS in"),
    Broken(FROM, lets_in(IpRanges=[{"CidrIp": "0.0.0.0/0"}]), "sg-1 lets 0.0.0.0/0 in"),
    Broken(FROM, lets_in(Ipv6Ranges=[{"CidrIpv6": "::/0"}]), "sg-1 lets ::/0 in"),
    Broken(WAY, endpoint(S3, RouteTableIds=[]), "subnet-1 has no route to S3's gateway"),
    Broken(WAY, endpoint(S3, RouteTableIds=["rtb-0"]), "subnet-1 has no route to S3's gateway"),
    Broken(WAY, endpoint(S3, VpcEndpointType="Interface"), "of the type Interface"),
    Broken(
        OUT,
        answers("ec2:DescribeInternetGateways", {"InternetGateways": [attached(VPC)]}),
        "1 of InternetGateways",
    ),
    Broken(
        OUT, answers("ec2:DescribeNatGateways", {"NatGateways": [{"State": "available"}]}), "a NAT gateway"
    ),
    Broken(
        OUT,
        has(routes=[LOCAL, {"DestinationCidrBlock": "0.0.0.0/0", "GatewayId": "igw-1"}]),
        "a route of rtb-1 leads to igw-1",
    ),
    Broken(
        OUT, has(routes=[{"DestinationCidrBlock": "0.0.0.0/0", "VpcPeeringConnectionId": "pcx-1"}]), "pcx-1"
    ),
    Broken(OUT, has(subnet={"SubnetId": "subnet-1", "MapPublicIpOnLaunch": True}), "gets a public address"),
]
