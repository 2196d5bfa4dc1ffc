from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.stacks.template import Assembly

ACCOUNT = {"Ref": "AWS::AccountId"}


def test_no_network_unless_asked_for(lab: Assembly) -> None:
    assert lab.resources("AWS::EC2::VPC") == {}
    assert lab.resources("AWS::EC2::VPCEndpoint") == {}


def test_there_is_no_way_out(every_option: Assembly) -> None:
    kinds = {resource["Type"] for resource in every_option.template("network")["Resources"].values()}
    assert kinds == {
        "AWS::EC2::VPC",
        "AWS::EC2::Subnet",
        "AWS::EC2::RouteTable",
        "AWS::EC2::SubnetRouteTableAssociation",
        "AWS::EC2::SecurityGroup",
        "AWS::EC2::VPCEndpoint",
    }


@pytest.mark.parametrize(("name", "service", "kind"), [("Kms", "kms", "Interface"), ("S3", "s3", "Gateway")])
def test_endpoints_stay_within_the_account(
    every_option: Assembly, name: str, service: str, kind: str
) -> None:
    endpoint = every_option.properties("network", name)
    assert endpoint["VpcEndpointType"] == kind
    assert endpoint["ServiceName"] == {"Fn::Sub": f"com.amazonaws.${{AWS::Region}}.{service}"}
    assert endpoint["PolicyDocument"] == {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "OnlyBetweenPrincipalsAndThingsOfThisAccount",
                "Effect": "Allow",
                "Principal": "*",
                "Action": f"{service}:*",
                "Resource": "*",
                "Condition": {
                    "StringEquals": {"aws:PrincipalAccount": ACCOUNT, "aws:ResourceAccount": ACCOUNT}
                },
            }
        ],
    }


def test_kms_has_its_usual_name_inside(every_option: Assembly) -> None:
    assert every_option.properties("network", "Kms")["PrivateDnsEnabled"] is True
    vpc = every_option.only("AWS::EC2::VPC", "network")
    assert (vpc["EnableDnsSupport"], vpc["EnableDnsHostnames"]) == (True, True)


def test_the_endpoint_hears_https_of_the_vpc(every_option: Assembly) -> None:
    (rule,) = every_option.properties("network", "EndpointGroup")["SecurityGroupIngress"]
    assert (rule["CidrIp"], rule["IpProtocol"], rule["FromPort"], rule["ToPort"]) == (
        "10.20.0.0/24",
        "tcp",
        443,
        443,
    )
