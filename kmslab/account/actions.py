"""The actions that deploying and destroying the lab calls, by who calls them and on what.

What CloudFormation calls follows from the types of the templates' resources: the main ones of their registry
schemas' ``create`` and ``delete`` handlers. A test compares the types with the templates and the actions with
botocore's service models. The list is not a policy: it is what is worth asking IAM about.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kmslab.account.bootstrap import QUALIFIER
from kmslab.model.naming import role_name, secure_string_name
from kmslab.model.persona import Persona

if TYPE_CHECKING:
    from kmslab.lab import Access
    from kmslab.model.settings import LabSettings


@dataclass(frozen=True, slots=True)
class Asked:
    """Actions on one thing.

    Attributes:
        resource: an ARN such as the lab's things have; ``*`` where names are AWS's.
        actions: what is called.
        worldwide: whether the service is one for all Regions, which changes ``aws:RequestedRegion``.
    """

    resource: str
    actions: tuple[str, ...]
    worldwide: bool = False


CLOUDFORMATION: dict[str, tuple[str, ...]] = {
    "AWS::KMS::Key": (
        "kms:CreateKey",
        "kms:DescribeKey",
        "kms:PutKeyPolicy",
        "kms:EnableKeyRotation",
        "kms:TagResource",
        "kms:ScheduleKeyDeletion",
    ),
    "AWS::KMS::Alias": ("kms:CreateAlias", "kms:DeleteAlias"),
    "AWS::IAM::Role": (
        "iam:CreateRole",
        "iam:AttachRolePolicy",
        "iam:TagRole",
        "iam:PassRole",
        "iam:DetachRolePolicy",
        "iam:DeleteRole",
    ),
    "AWS::IAM::User": (
        "iam:CreateUser",
        "iam:CreateLoginProfile",
        "iam:PutUserPermissionsBoundary",
        "iam:DeleteUser",
    ),
    "AWS::IAM::Group": ("iam:CreateGroup", "iam:AttachGroupPolicy", "iam:DeleteGroup"),
    "AWS::IAM::ManagedPolicy": ("iam:CreatePolicy", "iam:DeletePolicy"),
    "AWS::SecretsManager::Secret": (
        "secretsmanager:CreateSecret",
        "secretsmanager:TagResource",
        "secretsmanager:DeleteSecret",
    ),
    "AWS::SecretsManager::ResourcePolicy": ("secretsmanager:PutResourcePolicy",),
    "AWS::S3::Bucket": (
        "s3:CreateBucket",
        "s3:PutEncryptionConfiguration",
        "s3:PutBucketVersioning",
        "s3:PutBucketPublicAccessBlock",
        "s3:PutBucketTagging",
        "s3:DeleteBucket",
    ),
    "AWS::S3::BucketPolicy": ("s3:PutBucketPolicy", "s3:DeleteBucketPolicy"),
    "AWS::EC2::Volume": ("ec2:CreateVolume", "ec2:CreateTags", "ec2:DeleteVolume"),
    "AWS::CloudTrail::Trail": (
        "cloudtrail:CreateTrail",
        "cloudtrail:StartLogging",
        "cloudtrail:PutEventSelectors",
        "cloudtrail:AddTags",
        "cloudtrail:DeleteTrail",
    ),
    "AWS::SNS::Topic": ("sns:CreateTopic", "sns:TagResource", "sns:DeleteTopic"),
    "AWS::SNS::TopicPolicy": ("sns:SetTopicAttributes",),
    "AWS::Events::Rule": ("events:PutRule", "events:PutTargets", "events:RemoveTargets", "events:DeleteRule"),
    "AWS::Lambda::Function": ("lambda:CreateFunction", "lambda:DeleteFunction"),
    "Custom::S3AutoDeleteObjects": ("lambda:InvokeFunction",),
}
"""By the type of resource, in every lab."""

NETWORK: dict[str, tuple[str, ...]] = {
    "AWS::EC2::VPC": ("ec2:CreateVpc", "ec2:DeleteVpc"),
    "AWS::EC2::Subnet": ("ec2:CreateSubnet", "ec2:DeleteSubnet"),
    "AWS::EC2::RouteTable": ("ec2:CreateRouteTable", "ec2:DeleteRouteTable"),
    "AWS::EC2::SubnetRouteTableAssociation": ("ec2:AssociateRouteTable", "ec2:DisassociateRouteTable"),
    "AWS::EC2::SecurityGroup": ("ec2:CreateSecurityGroup", "ec2:DeleteSecurityGroup"),
    "AWS::EC2::VPCEndpoint": ("ec2:CreateVpcEndpoint", "ec2:DeleteVpcEndpoints"),
}
"""With ``network=true``."""
INSTANCE: dict[str, tuple[str, ...]] = {
    "AWS::EC2::Instance": ("ec2:RunInstances", "ec2:TerminateInstances"),
}
"""With ``instance=true``."""

_RESOURCES = {
    "AWS::KMS::Key": "arn:{partition}:kms:{region}:{account}:key/00000000-0000-0000-0000-000000000000",
    "AWS::KMS::Alias": "arn:{partition}:kms:{region}:{account}:alias/{prefix}/app",
    "AWS::IAM::Role": "arn:{partition}:iam::{account}:role/{prefix}-auditor",
    "AWS::IAM::User": "arn:{partition}:iam::{account}:user/{admin_user}",
    "AWS::IAM::Group": "arn:{partition}:iam::{account}:group/{prefix}-administrators",
    "AWS::IAM::ManagedPolicy": "arn:{partition}:iam::{account}:policy/{prefix}-auditor",
    "AWS::SecretsManager::Secret": "arn:{partition}:secretsmanager:{region}:{account}:secret:{prefix}/app-AbCdEf",
    "AWS::S3::Bucket": "arn:{partition}:s3:::{prefix}-storage-data-0123456789ab",
    "AWS::CloudTrail::Trail": "arn:{partition}:cloudtrail:{region}:{account}:trail/{prefix}",
    "AWS::SNS::Topic": "arn:{partition}:sns:{region}:{account}:{prefix}-alarms",
    "AWS::Events::Rule": "arn:{partition}:events:{region}:{account}:rule/{prefix}-keys",
    "AWS::Lambda::Function": "arn:{partition}:lambda:{region}:{account}:function:{prefix}-storage-0123456789ab",
}
_SAME = {
    "AWS::SecretsManager::ResourcePolicy": "AWS::SecretsManager::Secret",
    "AWS::S3::BucketPolicy": "AWS::S3::Bucket",
    "AWS::SNS::TopicPolicy": "AWS::SNS::Topic",
    "Custom::S3AutoDeleteObjects": "AWS::Lambda::Function",
}
"""Types that act on the thing of another type."""

BOOTSTRAP = (
    "cloudformation:CreateChangeSet",
    "cloudformation:ExecuteChangeSet",
    "iam:CreateRole",
    "iam:PutRolePolicy",
    "iam:AttachRolePolicy",
    "s3:CreateBucket",
    "s3:PutBucketPolicy",
    "ecr:CreateRepository",
    "ssm:PutParameter",
)
"""What ``cdk bootstrap`` calls as the caller."""


def of_cloudformation(access: Access, settings: LabSettings) -> list[Asked]:
    """Return what CloudFormation does as its execution role."""
    by_type = {
        **CLOUDFORMATION,
        **(NETWORK if settings.network else {}),
        **(INSTANCE if settings.instance else {}),
    }
    by_resource: dict[str, tuple[str, ...]] = {}
    for kind, actions in by_type.items():
        resource = _filled(_RESOURCES.get(_SAME.get(kind, kind), "*"), access, settings)
        by_resource[resource] = by_resource.get(resource, ()) + actions
    return [
        Asked(resource, actions, worldwide=actions[0].startswith("iam:"))
        for resource, actions in by_resource.items()
    ]


def of_caller(access: Access, settings: LabSettings, *, bootstrapped: bool) -> list[Asked]:
    """Return what the CDK CLI and ``kmslab`` do as the caller."""
    region, account = access.target.region, access.account
    iam = f"arn:{access.partition}:iam::{account}"
    parameter = f"arn:{access.partition}:ssm:{region}:{account}:parameter"
    asked = [
        Asked("*", ("cloudformation:DescribeStacks", "ssm:DescribeParameters")),
        Asked(
            f"{parameter}{secure_string_name(access.prefix)}",
            ("ssm:PutParameter", "ssm:AddTagsToResource", "ssm:DeleteParameters"),
        ),
        Asked(
            f"{iam}:user/{settings.admin_user}",
            ("iam:ListMFADevices", "iam:DeactivateMFADevice"),
            worldwide=True,
        ),
        Asked(f"{iam}:role/{role_name(access.prefix, Persona.AUDITOR)}", ("sts:AssumeRole",)),
    ]
    if not bootstrapped:
        return [*asked, Asked("*", BOOTSTRAP)]
    roles = ("deploy-role", "file-publishing-role")
    return [
        *asked,
        *(
            Asked(f"{iam}:role/cdk-{QUALIFIER}-{role}-{account}-{region}", ("sts:AssumeRole",))
            for role in roles
        ),
    ]


def _filled(resource: str, access: Access, settings: LabSettings) -> str:
    return resource.format(
        partition=access.partition,
        region=access.target.region,
        account=access.account,
        prefix=access.prefix,
        admin_user=settings.admin_user,
    )
