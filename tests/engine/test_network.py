"""VPC endpoints tell what they were made with, and what was changed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.engine.conftest import Engine

POLICY = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": "*",
            "Action": "kms:*",
            "Resource": "*",
            "Condition": {"StringEquals": {"aws:PrincipalAccount": "111122223333"}},
        }
    ],
}


@pytest.fixture
def vpc(ec2: Any) -> str:
    return str(ec2.create_vpc(CidrBlock="10.30.0.0/24")["Vpc"]["VpcId"])


@pytest.fixture
def endpoint(ec2: Any, engine: Engine, vpc: str) -> str:
    service = f"com.amazonaws.{engine.region}.kms"
    made = ec2.create_vpc_endpoint(VpcId=vpc, ServiceName=service, VpcEndpointType="Interface")
    return str(made["VpcEndpoint"]["VpcEndpointId"])


def described(ec2: Any, endpoint: str) -> dict[str, Any]:
    (found,) = ec2.describe_vpc_endpoints(VpcEndpointIds=[endpoint])["VpcEndpoints"]
    return dict(found)


def test_an_endpoint_without_a_policy_lets_everything_through(ec2: Any, endpoint: str) -> None:
    (statement,) = json.loads(described(ec2, endpoint)["PolicyDocument"])["Statement"]
    assert (statement["Effect"], statement["Principal"], statement["Action"]) == ("Allow", "*", "*")


def test_a_policy_is_kept_to_the_letter_and_can_be_reset(ec2: Any, endpoint: str) -> None:
    ec2.modify_vpc_endpoint(VpcEndpointId=endpoint, PolicyDocument=json.dumps(POLICY))
    assert json.loads(described(ec2, endpoint)["PolicyDocument"]) == POLICY
    ec2.modify_vpc_endpoint(VpcEndpointId=endpoint, ResetPolicy=True)
    assert "Condition" not in described(ec2, endpoint)["PolicyDocument"]


def test_private_dns_and_security_groups_can_be_changed(ec2: Any, vpc: str, endpoint: str) -> None:
    first, second = (
        ec2.create_security_group(GroupName=name, Description=name, VpcId=vpc)["GroupId"]
        for name in ("first", "second")
    )
    ec2.modify_vpc_endpoint(
        VpcEndpointId=endpoint, PrivateDnsEnabled=True, AddSecurityGroupIds=[first, second]
    )
    found = described(ec2, endpoint)
    assert found["PrivateDnsEnabled"] is True
    assert found["Groups"] == [
        {"GroupId": first, "GroupName": "first"},
        {"GroupId": second, "GroupName": "second"},
    ]
    ec2.modify_vpc_endpoint(VpcEndpointId=endpoint, PrivateDnsEnabled=False, RemoveSecurityGroupIds=[first])
    found = described(ec2, endpoint)
    assert found["PrivateDnsEnabled"] is False
    assert [group["GroupId"] for group in found["Groups"]] == [second]


def test_an_interface_endpoint_tells_the_names_it_is_reached_by(ec2: Any, engine: Engine, vpc: str) -> None:
    """One of its own, one for each zone, and the service's own name while private DNS is on."""
    zone = f"{engine.region}a"
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.30.0.0/28", AvailabilityZone=zone)["Subnet"][
        "SubnetId"
    ]
    service = f"com.amazonaws.{engine.region}.kms"
    made = ec2.create_vpc_endpoint(
        VpcId=vpc, ServiceName=service, VpcEndpointType="Interface", SubnetIds=[subnet]
    )["VpcEndpoint"]["VpcEndpointId"]
    ec2.modify_vpc_endpoint(VpcEndpointId=made, PrivateDnsEnabled=True)
    own, zonal, private = described(ec2, made)["DnsEntries"]
    label, _, rest = own["DnsName"].partition(".")
    assert label.startswith(f"{made}-")
    assert rest == f"kms.{engine.region}.vpce.amazonaws.com"
    assert zonal["DnsName"] == f"{label}-{zone}.{rest}"
    assert private["DnsName"] == f"kms.{engine.region}.amazonaws.com"
    assert own["HostedZoneId"] == zonal["HostedZoneId"] != private["HostedZoneId"]
    ec2.modify_vpc_endpoint(VpcEndpointId=made, PrivateDnsEnabled=False)
    assert len(described(ec2, made)["DnsEntries"]) == 2


def test_a_gateway_endpoint_is_a_route_of_its_tables(ec2: Any, engine: Engine, vpc: str) -> None:
    table, other = (ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"] for _ in range(2))
    service = f"com.amazonaws.{engine.region}.s3"
    made = ec2.create_vpc_endpoint(VpcId=vpc, ServiceName=service, RouteTableIds=[table])["VpcEndpoint"]

    def gateways(of: str) -> list[tuple[str, str]]:
        (found,) = ec2.describe_route_tables(RouteTableIds=[of])["RouteTables"]
        return [
            (route["GatewayId"], route["DestinationPrefixListId"])
            for route in found["Routes"]
            if "DestinationPrefixListId" in route
        ]

    named = [{"Name": "prefix-list-name", "Values": [service]}]
    (prefixes,) = ec2.describe_prefix_lists(Filters=named)["PrefixLists"]
    assert gateways(table) == [(made["VpcEndpointId"], prefixes["PrefixListId"])]
    assert gateways(other) == []
    assert described(ec2, made["VpcEndpointId"]).get("DnsEntries", []) == []
    ec2.delete_vpc_endpoints(VpcEndpointIds=[made["VpcEndpointId"]])
    assert gateways(table) == []
