"""The optional network: KMS and S3 are reached through endpoints alone, and nothing else is reached at all."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from kmslab.checks.policy import DENY, statements
from kmslab.checks.registry import check
from kmslab.model.outputs import LabOutputs
from kmslab.model.persona import Persona

if TYPE_CHECKING:
    from kmslab.lab import Lab

GUIDE = "13-private-access"
SAME_ACCOUNT = ("aws:PrincipalAccount", "aws:ResourceAccount")
HTTPS = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443}
GONE = frozenset({"deleted", "deleting", "failed"})
"""States of a NAT gateway through which nothing passes."""
PRIVATE_GATEWAYS = ("local", "vpce-")
"""How the target of a route begins that stays within AWS."""


@check(guide=GUIDE, part=LabOutputs.kms_endpoint)
def endpoints_serve_this_account_only(lab: Lab) -> str:
    """The endpoint policies let this account's principals reach this account's things, and nothing else.

    An endpoint policy permits nothing by itself. Without one, the way through the endpoint leads to
    every key and bucket of AWS: whoever is inside could carry data out with credentials of their own.
    """
    for endpoint in (lab.outputs.kms_endpoint, lab.outputs.s3_endpoint):
        policy = _endpoint(lab, endpoint).get("PolicyDocument") or "{}"
        allowed = [one for one in statements(policy) if one.effect != DENY]
        lab.expect(allowed, f"the policy of {endpoint} lets nobody through")
        for one in allowed:
            wide = [key for key in SAME_ACCOUNT if one.pinned_to(key) != (lab.account,)]
            lab.expect(
                not wide, f"the policy of {endpoint} does not ask for this account in {', '.join(wide)}"
            )
    return "both endpoint policies bind caller and resource to this account"


@check(guide=GUIDE, part=LabOutputs.kms_endpoint)
def kms_is_reached_by_its_usual_name(lab: Lab) -> str:
    """Within the network KMS's usual name leads to the endpoint: private DNS is on.

    Otherwise every program would need the endpoint's own name, and those that do not know it would try
    to leave the network.
    """
    endpoint = _endpoint(lab, lab.outputs.kms_endpoint)
    lab.expect(endpoint["VpcId"] == lab.outputs.vpc, f"the endpoint is in {endpoint['VpcId']}")
    kind = endpoint.get("VpcEndpointType")
    lab.expect(kind == "Interface", f"the endpoint of KMS is of the type {kind}")
    state = str(endpoint.get("State", "unknown"))
    lab.expect(state.lower() == "available", f"the endpoint is {state}")
    lab.expect(endpoint.get("PrivateDnsEnabled"), "private DNS is off: KMS's name leads out of the network")
    for name in ("enableDnsSupport", "enableDnsHostnames"):
        answer = _read(lab, "ec2:DescribeVpcAttribute", VpcId=lab.outputs.vpc, Attribute=name)
        lab.expect(answer[name[0].upper() + name[1:]]["Value"], f"{name} is off in the network")
    return "private DNS is on for KMS's endpoint, and the network resolves names"


@check(guide=GUIDE, part=LabOutputs.kms_endpoint)
def the_endpoint_takes_https_from_inside_only(lab: Lab) -> str:
    """The security groups of KMS's endpoint let HTTPS in from the network's own addresses, and nothing else."""
    groups = [group["GroupId"] for group in _endpoint(lab, lab.outputs.kms_endpoint).get("Groups", [])]
    lab.expect(groups, "the endpoint of KMS has no security group of its own")
    found = lab.read("ec2:DescribeVpcs", VpcIds=[lab.outputs.vpc])["Vpcs"][0]
    inside = found["CidrBlock"]
    for group in _read(lab, "ec2:DescribeSecurityGroups", GroupIds=groups)["SecurityGroups"]:
        for rule in group["IpPermissions"]:
            https = {name: rule.get(name) for name in HTTPS} == HTTPS
            lab.expect(https, f"{group['GroupId']} lets more than HTTPS in")
            sources = [one["CidrIp"] for one in rule.get("IpRanges", [])]
            sources += [one["CidrIpv6"] for one in rule.get("Ipv6Ranges", [])]
            others = sorted(set(sources) - {inside})
            lab.expect(not others, f"{group['GroupId']} lets {', '.join(others)} in")
    return f"HTTPS from {inside} is let in, and nothing else"


@check(guide=GUIDE, part=LabOutputs.s3_endpoint)
def s3_is_reached_through_its_gateway(lab: Lab) -> str:
    """The way to S3 is the gateway endpoint, in the route table of every subnet."""
    endpoint = _endpoint(lab, lab.outputs.s3_endpoint)
    kind = endpoint.get("VpcEndpointType")
    lab.expect(kind == "Gateway", f"the endpoint of S3 is of the type {kind}")
    routed = set(endpoint.get("RouteTableIds", []))
    for subnet in _of_the_network(lab, "ec2:DescribeSubnets", "Subnets"):
        tables = {
            table["RouteTableId"]
            for table in _of_the_network(lab, "ec2:DescribeRouteTables", "RouteTables")
            if subnet["SubnetId"] in {one.get("SubnetId") for one in table["Associations"]}
        }
        lab.expect(tables & routed, f"{subnet['SubnetId']} has no route to S3's gateway")
    return "every subnet's route table has S3's gateway"


@check(guide=GUIDE, part=LabOutputs.vpc)
def there_is_no_way_out(lab: Lab) -> str:
    """From the network no packet reaches the internet, and none comes in.

    No internet gateway is attached, there is no NAT gateway, no route leaves AWS, and nothing gets a public
    address. What runs there reaches KMS and S3, and what is behind their endpoints' policies.
    """
    vpc = lab.outputs.vpc
    attached = [{"Name": "attachment.vpc-id", "Values": [vpc]}]
    for action, member in (
        ("ec2:DescribeInternetGateways", "InternetGateways"),
        ("ec2:DescribeEgressOnlyInternetGateways", "EgressOnlyInternetGateways"),
    ):
        found = _read(lab, action, Filters=attached)[member]
        own = [one for one in found if vpc in {each["VpcId"] for each in one["Attachments"]}]
        lab.expect(not own, f"the network has {len(own)} of {member}")
    inside = [{"Name": "vpc-id", "Values": [vpc]}]
    ways = _read(lab, "ec2:DescribeNatGateways", Filter=inside)["NatGateways"]
    lab.expect(not [one for one in ways if one["State"] not in GONE], "the network has a NAT gateway")
    for table in _of_the_network(lab, "ec2:DescribeRouteTables", "RouteTables"):
        for route in table["Routes"]:
            target = route.get("GatewayId") or json.dumps(route, sort_keys=True)
            lab.expect(
                target.startswith(PRIVATE_GATEWAYS), f"a route of {table['RouteTableId']} leads to {target}"
            )
    for subnet in _of_the_network(lab, "ec2:DescribeSubnets", "Subnets"):
        public = subnet.get("MapPublicIpOnLaunch")
        lab.expect(not public, f"what starts in {subnet['SubnetId']} gets a public address")
    return "no gateway to the internet, no route out, no public address"


def _endpoint(lab: Lab, endpoint: str) -> Any:
    found = lab.read("ec2:DescribeVpcEndpoints", VpcEndpointIds=[endpoint])["VpcEndpoints"]
    lab.expect(found, f"the endpoint {endpoint} is gone")
    return found[0]


def _of_the_network(lab: Lab, action: str, member: str) -> list[dict[str, Any]]:
    inside = [{"Name": "vpc-id", "Values": [lab.outputs.vpc]}]
    found: list[dict[str, Any]] = _read(lab, action, Filters=inside)[member]
    return found


def _read(lab: Lab, action: str, **parameters: Any) -> Any:
    """As the operator: the auditor reads of a network what belongs to its endpoints only."""
    return lab.read(action, persona=Persona.OPERATOR, **parameters)
