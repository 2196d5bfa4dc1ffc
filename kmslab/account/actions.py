"""The actions that deploying and destroying the lab calls: by whom, on what, and with which condition keys.

What CloudFormation calls follows from the types of the templates' resources: the main ones of the ``create`` and
``delete`` handlers in the schemas that CloudFormation publishes. Tests compare the types with the templates, the
actions with the schemas, and the whole with the policies of ``bootstrap/least-privilege.yaml``. It is no policy: it
is what is worth asking IAM about.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kmslab.account.bootstrap import QUALIFIER
from kmslab.model.naming import PREFIX_TAG, role_name, secure_string_name
from kmslab.model.persona import Persona

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kmslab.lab import Access
    from kmslab.model.settings import LabSettings


@dataclass(frozen=True, slots=True)
class Asked:
    """Actions on one thing.

    Attributes:
        actions: what is called.
        resource: an ARN such as the lab's things have; ``*`` for actions on nothing in particular.
        keys: condition keys of the requests, beside those that all of them have.
    """

    actions: tuple[str, ...]
    resource: str
    keys: Mapping[str, str] = field(default_factory=dict)

    @property
    def worldwide(self) -> bool:
        """Whether the service is one for all Regions, which changes ``aws:RequestedRegion``."""
        return self.actions[0].startswith("iam:")


_KEY = "{kms}:key/00000000-0000-0000-0000-000000000000"
_ROLE = "{iam}:role/{prefix}-auditor"
_POLICY = "{iam}:policy/{prefix}-identity-AuditorAccess-1A2B3C4D5E6F"
_SECRET = "{secretsmanager}:secret:App-1A2B3C4D5E6F-a1b2c3"  # noqa: S105  # an ARN
_BUCKET = "arn:{partition}:s3:::{prefix}-storage-data-1a2b3c4d5e6f"
_TOPIC = "{sns}:{prefix}-alarms"
_FUNCTION = "{lambda}:function:{prefix}-storage-1A2B3C4D5E6F"
_BOUNDED = {"iam:PermissionsBoundary": "{iam}:policy/{boundary}"}
_SERVICES = ("kms", "secretsmanager", "cloudtrail", "sns", "events", "lambda", "ec2", "scheduler", "ssm")

CLOUDFORMATION: dict[str, tuple[Asked, ...]] = {
    "AWS::KMS::Key": (
        Asked(("kms:CreateKey",), "*"),
        Asked(
            (
                "kms:DescribeKey",
                "kms:PutKeyPolicy",
                "kms:EnableKeyRotation",
                "kms:TagResource",
                "kms:ScheduleKeyDeletion",
            ),
            _KEY,
        ),
    ),
    "AWS::KMS::Alias": (Asked(("kms:CreateAlias", "kms:DeleteAlias"), "{kms}:alias/{prefix}/app"),),
    "AWS::IAM::Role": (
        Asked(("iam:CreateRole", "iam:TagRole", "iam:DeleteRole"), _ROLE),
        Asked(("iam:AttachRolePolicy", "iam:DetachRolePolicy"), _ROLE, {"iam:PolicyARN": _POLICY}),
    ),
    "AWS::IAM::User": (
        Asked(
            ("iam:CreateUser", "iam:CreateLoginProfile", "iam:PutUserPermissionsBoundary", "iam:DeleteUser"),
            "{iam}:user/{admin_user}",
            _BOUNDED,
        ),
    ),
    "AWS::IAM::Group": (
        Asked(
            ("iam:CreateGroup", "iam:AttachGroupPolicy", "iam:DeleteGroup"),
            "{iam}:group/{prefix}-identity-Administrators-1A2B3C4D5E6F",
            {"iam:PolicyARN": "arn:{partition}:iam::aws:policy/AdministratorAccess"},
        ),
    ),
    "AWS::IAM::ManagedPolicy": (Asked(("iam:CreatePolicy", "iam:DeletePolicy"), _POLICY),),
    "AWS::SecretsManager::Secret": (
        Asked(
            ("secretsmanager:CreateSecret", "secretsmanager:TagResource", "secretsmanager:DeleteSecret"),
            _SECRET,
        ),
    ),
    "AWS::SecretsManager::ResourcePolicy": (Asked(("secretsmanager:PutResourcePolicy",), _SECRET),),
    "AWS::S3::Bucket": (
        Asked(
            (
                "s3:CreateBucket",
                "s3:PutEncryptionConfiguration",
                "s3:PutBucketVersioning",
                "s3:PutBucketPublicAccessBlock",
                "s3:PutBucketTagging",
                "s3:DeleteBucket",
            ),
            _BUCKET,
        ),
    ),
    "AWS::S3::BucketPolicy": (Asked(("s3:PutBucketPolicy", "s3:DeleteBucketPolicy"), _BUCKET),),
    "AWS::EC2::Volume": (
        Asked(
            ("ec2:CreateVolume", "ec2:CreateTags", "ec2:DeleteVolume"),
            "{ec2}:volume/vol-0123456789abcdef0",
            {"ec2:CreateAction": "CreateVolume"},
        ),
    ),
    "AWS::CloudTrail::Trail": (
        Asked(
            (
                "cloudtrail:CreateTrail",
                "cloudtrail:StartLogging",
                "cloudtrail:PutEventSelectors",
                "cloudtrail:AddTags",
                "cloudtrail:DeleteTrail",
            ),
            "{cloudtrail}:trail/{prefix}",
        ),
    ),
    "AWS::SNS::Topic": (Asked(("sns:CreateTopic", "sns:TagResource", "sns:DeleteTopic"), _TOPIC),),
    "AWS::SNS::TopicPolicy": (Asked(("sns:SetTopicAttributes",), _TOPIC),),
    "AWS::Events::Rule": (
        Asked(
            ("events:PutRule", "events:PutTargets", "events:RemoveTargets", "events:DeleteRule"),
            "{events}:rule/{prefix}-dangerous-key-operations",
        ),
    ),
    "AWS::Lambda::Function": (
        Asked(("lambda:CreateFunction", "lambda:DeleteFunction"), _FUNCTION),
        Asked(
            ("iam:PassRole",),
            "{iam}:role/{prefix}-storage-1A2B3C4D5E6F",
            {"iam:PassedToService": "lambda.amazonaws.com"},
        ),
    ),
    "Custom::S3AutoDeleteObjects": (Asked(("lambda:InvokeFunction",), _FUNCTION),),
}
"""By the type of resource, in every lab."""

NETWORK: dict[str, tuple[Asked, ...]] = {
    "AWS::EC2::VPC": (Asked(("ec2:CreateVpc", "ec2:DeleteVpc"), "{ec2}:vpc/vpc-0123456789abcdef0"),),
    "AWS::EC2::Subnet": (
        Asked(("ec2:CreateSubnet", "ec2:DeleteSubnet"), "{ec2}:subnet/subnet-0123456789abcdef0"),
    ),
    "AWS::EC2::RouteTable": (
        Asked(("ec2:CreateRouteTable", "ec2:DeleteRouteTable"), "{ec2}:route-table/rtb-0123456789abcdef0"),
    ),
    "AWS::EC2::SubnetRouteTableAssociation": (
        Asked(
            ("ec2:AssociateRouteTable", "ec2:DisassociateRouteTable"),
            "{ec2}:route-table/rtb-0123456789abcdef0",
        ),
    ),
    "AWS::EC2::SecurityGroup": (
        Asked(
            ("ec2:CreateSecurityGroup", "ec2:DeleteSecurityGroup"),
            "{ec2}:security-group/sg-0123456789abcdef0",
        ),
    ),
    "AWS::EC2::VPCEndpoint": (
        Asked(
            ("ec2:CreateVpcEndpoint", "ec2:DeleteVpcEndpoints"),
            "{ec2}:vpc-endpoint/vpce-0123456789abcdef0",
        ),
    ),
}
"""With ``network=true``."""
INSTANCE: dict[str, tuple[Asked, ...]] = {
    "AWS::EC2::Instance": (
        Asked(
            ("ec2:RunInstances", "ec2:TerminateInstances"),
            "{ec2}:instance/i-0123456789abcdef0",
            {"ec2:InstanceType": "t3.nano"},
        ),
    ),
}
"""With ``instance=true``."""
SCHEDULES: dict[str, tuple[Asked, ...]] = {
    "AWS::Scheduler::Schedule": (
        Asked(
            ("scheduler:CreateSchedule", "scheduler:DeleteSchedule"),
            "{scheduler}:schedule/default/{prefix}-keys-1A2B3C4D5E6F",
        ),
    ),
}
"""With ``ttl_hours``."""

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


def types(settings: LabSettings) -> dict[str, tuple[Asked, ...]]:
    """Return the types of resources that the settings make, each with what CloudFormation calls for it."""
    return {
        **CLOUDFORMATION,
        **(NETWORK if settings.network else {}),
        **(INSTANCE if settings.instance else {}),
        **(SCHEDULES if settings.ttl_hours else {}),
    }


def of_cloudformation(access: Access, settings: LabSettings) -> list[Asked]:
    """Return what CloudFormation does as its execution role."""
    tag = {
        f"aws:RequestTag/{PREFIX_TAG}": access.prefix,
        f"aws:ResourceTag/{PREFIX_TAG}": access.prefix,
    }
    asked = []
    for kind, several in types(settings).items():
        # Only then do the lab's roles have a boundary.
        bounded = _BOUNDED if kind == "AWS::IAM::Role" and settings.permissions_boundary else {}
        asked += [
            _filled(Asked(one.actions, one.resource, {**tag, **bounded, **one.keys}), access, settings)
            for one in several
        ]
    return asked


def of_caller(access: Access, settings: LabSettings, *, bootstrapped: bool) -> list[Asked]:
    """Return what the CDK CLI and ``kmslab`` do as the caller."""
    role = role_name(access.prefix, Persona.AUDITOR)
    asked = [
        Asked(("cloudformation:DescribeStacks", "ssm:DescribeParameters"), "*"),
        Asked(
            ("ssm:PutParameter", "ssm:AddTagsToResource", "ssm:DeleteParameters"),
            f"{{ssm}}:parameter{secure_string_name(access.prefix)}",
        ),
        Asked(("iam:ListMFADevices", "iam:DeactivateMFADevice"), "{iam}:user/{admin_user}"),
        Asked(("sts:AssumeRole",), f"{{iam}}:role/{role}"),
    ]
    if bootstrapped:
        asked += [
            Asked(("sts:AssumeRole",), f"{{iam}}:role/cdk-{QUALIFIER}-{name}-role-{{account}}-{{region}}")
            for name in ("deploy", "file-publishing")
        ]
    else:
        asked.append(Asked(BOOTSTRAP, "*"))
    return [_filled(one, access, settings) for one in asked]


def _filled(asked: Asked, access: Access, settings: LabSettings) -> Asked:
    """The same with this account's and this lab's names."""
    partition, region, account = access.partition, access.target.region, access.account
    names = {
        "partition": partition,
        "region": region,
        "account": account,
        "prefix": access.prefix,
        "admin_user": settings.admin_user,
        "boundary": settings.permissions_boundary or f"{access.prefix}-admin-boundary",
        "iam": f"arn:{partition}:iam::{account}",
        **{service: f"arn:{partition}:{service}:{region}:{account}" for service in _SERVICES},
    }
    return Asked(
        asked.actions,
        asked.resource.format_map(names),
        {key: value.format_map(names) for key, value in asked.keys.items()},
    )
