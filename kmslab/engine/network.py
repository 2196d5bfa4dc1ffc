"""VPC endpoints tell their policy, names and security groups, and gateways are routes; MiniStack says nothing of it.

EC2 API Reference, "DescribeVpcEndpoints" and "ModifyVpcEndpoint"; AWS PrivateLink Guide, "Access an AWS service using
an interface VPC endpoint" (its names) and "Gateway endpoints" (its routes). What a policy allows is not enforced:
the engine has no network of its own to pass through an endpoint.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

from ministack.services import ec2

from kmslab.engine.hooks import extend

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    Endpoint = dict[str, Any]
    Response = tuple[int, dict[str, str], bytes]

FULL_ACCESS = {
    "Version": "2008-10-17",
    "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}],
}
"""The policy of an endpoint that was given none (VPC User Guide, "Default endpoint policy")."""


def _fields(stock: Callable[..., str], endpoint: Endpoint, tag: str = "item") -> str:
    """Tell the policy, private DNS and security groups too."""
    policy = endpoint.get("PolicyDocument") or FULL_ACCESS
    text = policy if isinstance(policy, str) else json.dumps(policy)
    private = str(bool(endpoint.get("PrivateDnsEnabled"))).lower()
    groups = "".join(
        f"<item><groupId>{group}</groupId><groupName>{escape(_name(group))}</groupName></item>"
        for group in endpoint.get("SecurityGroupIds") or ()
    )
    names = "".join(
        f"<item><dnsName>{name}</dnsName><hostedZoneId>{zone}</hostedZoneId></item>"
        for name, zone in _dns_entries(endpoint)
    )
    more = (
        f"<dnsEntrySet>{names}</dnsEntrySet><policyDocument>{escape(text)}</policyDocument>"
        f"<privateDnsEnabled>{private}</privateDnsEnabled><groupSet>{groups}</groupSet>"
    )
    end = f"</{tag}>"
    return stock(endpoint, tag).rstrip().removesuffix(end) + more + end


def _dns_entries(endpoint: Endpoint) -> Iterator[tuple[str, str]]:
    """Names and hosted zones of an interface endpoint: its own, one a zone, and the service's if DNS is private."""
    if endpoint["VpcEndpointType"] != "Interface":
        return
    # com.amazonaws.us-east-1.kms
    service, region = endpoint["ServiceName"].split(".")[-1], endpoint["ServiceName"].split(".")[-2]
    number = endpoint["VpcEndpointId"]
    label = f"{number}-{hashlib.sha256(number.encode()).hexdigest()[:8]}"
    zones = {(ec2._subnets.get(subnet) or {}).get("AvailabilityZone") for subnet in endpoint["SubnetIds"]}
    for own in (label, *(f"{label}-{zone}" for zone in sorted(filter(None, zones)))):
        yield f"{own}.{service}.{region}.vpce.amazonaws.com", _zone_id(f"vpce {region}")
    if endpoint.get("PrivateDnsEnabled"):
        yield f"{service}.{region}.amazonaws.com", _zone_id(number)


def _zone_id(of: str) -> str:
    return f"Z{hashlib.sha256(of.encode()).hexdigest()[:13].upper()}"


def _table(stock: Callable[..., str], table: Mapping[str, Any], tag: str = "item") -> str:
    """Tell the routes that lead to gateway endpoints too."""
    gateways = [
        endpoint
        for endpoint in ec2._vpc_endpoints.values()
        if endpoint["VpcEndpointType"] == "Gateway" and table["RouteTableId"] in endpoint["RouteTableIds"]
    ]
    routes = [
        {
            "DestinationPrefixListId": ec2._aws_pl_id_from_name(endpoint["ServiceName"]),
            "GatewayId": endpoint["VpcEndpointId"],
            "Origin": "CreateRoute",
        }
        for endpoint in gateways
    ]
    return stock({**table, "Routes": [*table.get("Routes", ()), *routes]}, tag)


def _name(group: str) -> str:
    return str((ec2._security_groups.get(group) or {}).get("GroupName", ""))


def _modify(stock: Callable[[Mapping[str, Any]], Response], p: Mapping[str, Any]) -> Response:
    """Change private DNS and security groups too, and reset the policy."""
    response = stock(p)
    endpoint = ec2._vpc_endpoints.get(ec2._p(p, "VpcEndpointId"))
    if endpoint is None:
        return response
    if ec2._p(p, "ResetPolicy").lower() == "true":
        endpoint["PolicyDocument"] = None
    if private := ec2._p(p, "PrivateDnsEnabled"):
        endpoint["PrivateDnsEnabled"] = private.lower() == "true"
    groups = [*(endpoint.get("SecurityGroupIds") or ()), *ec2._parse_member_list(p, "AddSecurityGroupId")]
    removed = ec2._parse_member_list(p, "RemoveSecurityGroupId")
    endpoint["SecurityGroupIds"] = [group for group in dict.fromkeys(groups) if group not in removed]
    return response


def install() -> None:
    """Take over what describes and modifies an endpoint."""
    extend(ec2, "_vpce_fields_xml", "ep")(_fields)
    extend(ec2, "_rtb_fields_xml", "rtb")(_table)
    extend(ec2, "_modify_vpc_endpoint", "p")(_modify)
