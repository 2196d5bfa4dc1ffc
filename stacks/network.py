"""Optional: a VPC without internet, from which KMS and S3 are reached through endpoints alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import CfnTag, Fn, Stack
from aws_cdk import aws_ec2 as ec2

from kmslab.model.outputs import LabOutputs, LabStack
from stacks.nag import acknowledge, in_packs
from stacks.names import name_of
from stacks.outputs import output
from stacks.policies import ACCOUNT, EVERYONE, allow, document

if TYPE_CHECKING:
    from constructs import Construct

    from kmslab.model.settings import LabSettings
    from stacks.policies import Json

VPC_CIDR = "10.20.0.0/24"
SUBNET_CIDR = "10.20.0.0/26"
HTTPS = 443


def only_this_account(service: str) -> list[Json]:
    """Statements of an endpoint policy: this account's principals reach this account's things.

    An endpoint policy permits nothing by itself. It keeps the way through the endpoint from leading to
    a bucket or key of another account, which is how data would leave a network without internet.
    """
    return [
        allow(
            "OnlyBetweenPrincipalsAndThingsOfThisAccount",
            (f"{service}:*",),
            principal=EVERYONE,
            when={"StringEquals": {"aws:PrincipalAccount": ACCOUNT, "aws:ResourceAccount": ACCOUNT}},
        )
    ]


class NetworkStack(Stack):
    """A private network with the KMS interface endpoint and the S3 gateway endpoint.

    Attributes:
        subnet_id: the one subnet, in the zone of the lab's volumes.
        instance_group_id: security group for an instance: HTTPS to the endpoints and nothing else.
    """

    def __init__(self, scope: Construct, *, settings: LabSettings) -> None:
        super().__init__(scope, name_of(LabStack.NETWORK, settings), description="KMS Lab: private network")
        vpc = ec2.CfnVPC(
            self,
            "Network",
            cidr_block=VPC_CIDR,
            enable_dns_hostnames=True,
            enable_dns_support=True,
            tags=[CfnTag(key="Name", value=settings.prefix)],
        )
        no_flow_logs = (
            "The network has no way out and lives for a class: flow logs would cost and show nothing."
        )
        acknowledge(
            vpc,
            {
                "AwsSolutions-VPC7": no_flow_logs,
                **in_packs("VPCFlowLogsEnabled", no_flow_logs),
                **in_packs(
                    "VPCDefaultSecurityGroupClosed",
                    "Nothing is in the default security group; closing it takes a custom resource with a function.",
                ),
            },
        )
        subnet = ec2.CfnSubnet(
            self,
            "Subnet",
            vpc_id=vpc.ref,
            cidr_block=SUBNET_CIDR,
            availability_zone=Fn.select(0, Fn.get_azs()),
            map_public_ip_on_launch=False,
        )
        routes = ec2.CfnRouteTable(self, "Routes", vpc_id=vpc.ref)
        ec2.CfnSubnetRouteTableAssociation(
            self, "SubnetRoutes", route_table_id=routes.ref, subnet_id=subnet.ref
        )
        to_https = ec2.CfnSecurityGroup.EgressProperty(
            ip_protocol="tcp", from_port=HTTPS, to_port=HTTPS, cidr_ip="0.0.0.0/0", description="HTTPS"
        )
        from_vpc = ec2.CfnSecurityGroup.IngressProperty(
            ip_protocol="tcp",
            from_port=HTTPS,
            to_port=HTTPS,
            cidr_ip=VPC_CIDR,
            description="HTTPS of the VPC",
        )
        endpoint_group = ec2.CfnSecurityGroup(
            self,
            "EndpointGroup",
            group_description="KMS Lab: HTTPS from the VPC to the KMS endpoint",
            vpc_id=vpc.ref,
            security_group_ingress=[from_vpc],
            security_group_egress=[to_https],
        )
        # The S3 gateway has public addresses, though no packet leaves AWS: hence HTTPS to anywhere.
        instance_group = ec2.CfnSecurityGroup(
            self,
            "InstanceGroup",
            group_description="KMS Lab: HTTPS to the endpoints",
            vpc_id=vpc.ref,
            security_group_egress=[to_https],
        )
        kms = ec2.CfnVPCEndpoint(
            self,
            "Kms",
            vpc_id=vpc.ref,
            vpc_endpoint_type="Interface",
            service_name=Fn.sub("com.amazonaws.${AWS::Region}.kms"),
            private_dns_enabled=True,
            subnet_ids=[subnet.ref],
            security_group_ids=[endpoint_group.attr_group_id],
            policy_document=document(only_this_account("kms")),
        )
        s3 = ec2.CfnVPCEndpoint(
            self,
            "S3",
            vpc_id=vpc.ref,
            vpc_endpoint_type="Gateway",
            service_name=Fn.sub("com.amazonaws.${AWS::Region}.s3"),
            route_table_ids=[routes.ref],
            policy_document=document(only_this_account("s3")),
        )
        self.subnet_id = subnet.ref
        self.instance_group_id = instance_group.attr_group_id
        output(self, LabOutputs.vpc, vpc.ref)
        output(self, LabOutputs.kms_endpoint, kms.ref)
        output(self, LabOutputs.s3_endpoint, s3.ref)
