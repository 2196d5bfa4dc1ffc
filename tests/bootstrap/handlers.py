"""What CloudFormation's resource handlers ask for, and on which of the lab's resources.

Source of the permissions: the resource schemas that CloudFormation publishes (``handlers``), as cfn-lint packages
them; ``data/schemas/version.json`` has their date. A schema lists what a type may ever need. What the lab's templates
do not make use of is named in `NOT_NEEDED`, each with its reason.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from tests.bootstrap.policies import ACCOUNT, BOUNDARY, PREFIX, REGION

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.stacks.template import Json

TAG = {"aws:ResourceTag/kmslab:prefix": PREFIX}
NEW_TAG = {"aws:RequestTag/kmslab:prefix": PREFIX}
IAM = f"arn:aws:iam::{ACCOUNT}"
KMS = f"arn:aws:kms:{REGION}:{ACCOUNT}"
EC2 = f"arn:aws:ec2:{REGION}:{ACCOUNT}"
KEY = f"{KMS}:key/11111111-2222-3333-4444-555555555555"

_NO_ROLE = "the lab gives the resource no role"
_NO_PROFILE = "the instance has no instance profile"
_NO_NETWORK = "the function is not in a VPC"
_PLAIN_FUNCTION = "the function is CDK's own: one version, no limits of its own, no layer, no signing"
_PLAIN_BUCKET = "the lab's buckets do not use this feature"
_NO_TABLE = "the lab's buckets have no metadata table"
NOT_NEEDED: dict[str, str] = {
    "cloudtrail:PutEventConfiguration": "the trail has no aggregations and no extended events",
    "cloudtrail:PutInsightSelectors": "the trail has no Insights",
    "ec2:AssociateIamInstanceProfile": _NO_PROFILE,
    "ec2:AssociateSubnetCidrBlock": "the subnet has no IPv6 addresses",
    "ec2:CopyVolumes": "no volume is copied from another",
    "ec2:CreateSnapshot": "volumes are deleted without a last snapshot",
    "ec2:CreateVpcEncryptionControl": "the VPC has no encryption control",
    "ec2:DisassociateIamInstanceProfile": _NO_PROFILE,
    "ec2:DisassociateSubnetCidrBlock": "the subnet has no IPv6 addresses",
    "ec2:ModifyInstanceCreditSpecification": "the instance keeps its type's default",
    "ec2:ModifyInstanceMaintenanceOptions": "the instance keeps its type's default",
    "ec2:ModifyInstancePlacement": "the instance is in no placement group",
    "ec2:ModifyPrivateDnsNameOptions": "the instance keeps its subnet's default",
    "ec2:ModifyVpcTenancy": "the VPC has the default tenancy",
    "ec2:MonitorInstances": "detailed monitoring is off",
    "ec2:ReplaceIamInstanceProfileAssociation": _NO_PROFILE,
    "ec2:UnmonitorInstances": "detailed monitoring is off",
    "elasticfilesystem:DescribeMountTargets": _NO_NETWORK,
    "iam:AttachUserPolicy": "the admin user's rights come from a group",
    "iam:CreateServiceLinkedRole": "the trail is not an organization's",
    "iam:DeleteRolePermissionsBoundary": "refused on purpose: nobody takes the boundary off",
    "iam:DeleteUserPermissionsBoundary": "refused on purpose: nobody takes the boundary off",
    "iam:PutGroupPolicy": "the group's policies are managed ones",
    "iam:PutUserPolicy": "the admin user's rights come from a group",
    "iam:UpdateGroup": "the group is never renamed",
    "iam:UpdateUser": "the user is never renamed: another name is another user",
    "lambda:AssociateRuntimeAlias": _PLAIN_FUNCTION,
    "lambda:DeleteFunctionCodeSigningConfig": _PLAIN_FUNCTION,
    "lambda:DeleteFunctionConcurrency": _PLAIN_FUNCTION,
    "lambda:GetCodeSigningConfig": _PLAIN_FUNCTION,
    "lambda:GetLayerVersion": _PLAIN_FUNCTION,
    "lambda:PassCapacityProvider": _PLAIN_FUNCTION,
    "lambda:PublishVersion": _PLAIN_FUNCTION,
    "lambda:PutFunctionCodeSigningConfig": _PLAIN_FUNCTION,
    "lambda:PutFunctionConcurrency": _PLAIN_FUNCTION,
    "lambda:PutFunctionRecursionConfig": _PLAIN_FUNCTION,
    "lambda:PutFunctionScalingConfig": _PLAIN_FUNCTION,
    "lambda:PutRuntimeManagementConfig": _PLAIN_FUNCTION,
    "organizations:DescribeOrganization": "the trail is not an organization's",
    "organizations:ListAWSServiceAccessForOrganization": "the trail is not an organization's",
    "s3:CreateBucketMetadataTableConfiguration": _NO_TABLE,
    "s3:DeleteBucketAnalyticsConfiguration": _PLAIN_BUCKET,
    "s3:DeleteBucketCors": _PLAIN_BUCKET,
    "s3:DeleteBucketEncryption": "every bucket keeps its encryption",
    "s3:DeleteBucketLifecycle": _PLAIN_BUCKET,
    "s3:DeleteBucketMetadataTableConfiguration": _NO_TABLE,
    "s3:DeleteBucketMetricsConfiguration": _PLAIN_BUCKET,
    "s3:DeleteBucketReplication": _PLAIN_BUCKET,
    "s3:DeleteBucketWebsite": _PLAIN_BUCKET,
    "s3:DeleteObject": "refused on purpose: the role changes settings and touches no object",
    "s3:PutAccelerateConfiguration": _PLAIN_BUCKET,
    "s3:PutAnalyticsConfiguration": _PLAIN_BUCKET,
    "s3:PutBucketAbac": _PLAIN_BUCKET,
    "s3:PutBucketAcl": "the buckets have no ACLs: BucketOwnerEnforced",
    "s3:PutBucketCORS": _PLAIN_BUCKET,
    "s3:PutBucketNotification": _PLAIN_BUCKET,
    "s3:PutBucketObjectLockConfiguration": _PLAIN_BUCKET,
    "s3:PutBucketReplication": _PLAIN_BUCKET,
    "s3:PutBucketWebsite": _PLAIN_BUCKET,
    "s3:PutIntelligentTieringConfiguration": _PLAIN_BUCKET,
    "s3:PutInventoryConfiguration": _PLAIN_BUCKET,
    "s3:PutLifecycleConfiguration": _PLAIN_BUCKET,
    "s3:PutMetricsConfiguration": _PLAIN_BUCKET,
    "s3:PutObjectAcl": "refused on purpose: the role changes settings and touches no object",
    "s3:PutObjectLockConfiguration": _PLAIN_BUCKET,
    "s3:PutReplicationConfiguration": _PLAIN_BUCKET,
    "s3:UpdateBucketMetadataAnnotationTableConfiguration": _NO_TABLE,
    "s3:UpdateBucketMetadataInventoryTableConfiguration": _NO_TABLE,
    "s3:UpdateBucketMetadataJournalTableConfiguration": _NO_TABLE,
    "s3files:ListMountTargets": _NO_NETWORK,
    "s3tables:CreateNamespace": _NO_TABLE,
    "s3tables:CreateTable": _NO_TABLE,
    "s3tables:CreateTableBucket": _NO_TABLE,
    "s3tables:GetTable": _NO_TABLE,
    "s3tables:GetTableMetadataLocation": _NO_TABLE,
    "s3tables:PutTableBucketPolicy": _NO_TABLE,
    "s3tables:PutTableEncryption": _NO_TABLE,
    "s3tables:PutTablePolicy": _NO_TABLE,
    "s3tables:UpdateTableMetadataLocation": _NO_TABLE,
    "secretsmanager:RemoveRegionsFromReplication": "no secret is replicated",
    "secretsmanager:ReplicateSecretToRegions": "no secret is replicated",
    "sns:PutDataProtectionPolicy": "the topic has no data protection policy",
    "sns:Subscribe": "who subscribes to the alarms is the learner's choice, not the template's",
    "sns:Unsubscribe": "who subscribes to the alarms is the learner's choice, not the template's",
    "ssm:CreateAssociation": "the instance has no SSM associations",
    "ssm:DeleteAssociation": "the instance has no SSM associations",
    "ssm:DescribeAssociation": "the instance has no SSM associations",
    "ssm:ListAssociations": "the instance has no SSM associations",
    "vpc-lattice:CreateServiceNetworkVpcEndpointAssociation": "no endpoint is one of VPC Lattice",
    "vpc-lattice:DescribeServiceNetworkVpcEndpointAssociation": "no endpoint is one of VPC Lattice",
    "vpce:AllowMultiRegion": "every endpoint is for a service of its own Region",
}
NOT_NEEDED_BY: dict[tuple[str, str], str] = {
    ("AWS::CloudTrail::Trail", "iam:GetRole"): _NO_ROLE,
    ("AWS::CloudTrail::Trail", "iam:PassRole"): _NO_ROLE,
    ("AWS::EC2::Instance", "iam:PassRole"): _NO_PROFILE,
    ("AWS::Events::Rule", "iam:PassRole"): _NO_ROLE,
    ("AWS::IAM::ManagedPolicy", "iam:AttachGroupPolicy"): "the group names its policies itself",
    ("AWS::IAM::ManagedPolicy", "iam:DetachGroupPolicy"): "the group names its policies itself",
    ("AWS::IAM::ManagedPolicy", "iam:DetachUserPolicy"): "no policy is attached to a user",
    ("AWS::Lambda::Function", "kms:CreateGrant"): "the function has no key of its own",
    ("AWS::Lambda::Function", "kms:Decrypt"): "the function has no key of its own",
    ("AWS::Lambda::Function", "kms:DescribeKey"): "the function has no key of its own",
    ("AWS::Lambda::Function", "kms:Encrypt"): "the function has no key of its own",
    ("AWS::Lambda::Function", "kms:GenerateDataKey"): "the function has no key of its own",
    ("AWS::S3::Bucket", "iam:PassRole"): _NO_ROLE,
    ("AWS::SNS::Topic", "iam:GetRole"): _NO_ROLE,
    ("AWS::SNS::Topic", "iam:PassRole"): _NO_ROLE,
}


@dataclass(frozen=True)
class Call:
    """A call that a handler makes.

    Attributes:
        kind: the resource's type.
        action: its permission.
        resource: ARN of what it is about.
        keys: condition keys of the request.
    """

    kind: str
    action: str
    resource: str
    keys: Mapping[str, str] = field(default_factory=dict)


@cache
def permissions(kind: str) -> dict[str, tuple[str, ...]]:
    """What the handlers ``create``, ``update`` and ``delete`` of a type ask for, services in lower case."""
    schemas = files("cfnlint") / "data" / "schemas"
    names = json.loads((schemas / "providers" / "us-east-1.json").read_text(encoding="utf-8"))
    schema = json.loads((schemas / "resources" / f"{names[kind]}.json").read_text(encoding="utf-8"))
    return {
        handler: tuple(_lower_service(one) for one in schema["handlers"][handler]["permissions"])
        for handler in ("create", "update", "delete")
        if handler in schema["handlers"]
    }


def _lower_service(action: str) -> str:
    service, _, name = action.partition(":")
    return f"{service.lower()}:{name}"


def calls(stack: str, name: str, resource: Json) -> Iterator[Call]:
    """Every call that the handlers of one resource make in the lab."""
    kind = resource["Type"]
    for action in sorted({one for handler in permissions(kind).values() for one in handler}):
        if action not in NOT_NEEDED and (kind, action) not in NOT_NEEDED_BY:
            for arn, keys in _targets(kind, action, stack, name, resource.get("Properties", {})):
                yield Call(kind, action, arn, keys)


Target = tuple[str, dict[str, str]]


def _generated(stack: str, name: str) -> str:
    """A name as CloudFormation makes one up."""
    return f"{PREFIX}-{stack}-{name}-1A2B3C4D5E6F"


def _targets(kind: str, action: str, stack: str, name: str, properties: Json) -> list[Target]:
    service, _, operation = action.partition(":")
    match service:
        case "iam":
            return _in_iam(kind, operation, stack, name, properties)
        case "kms":
            return _in_kms(kind, operation)
        case "ec2":
            return _in_ec2(kind, operation)
        case "secretsmanager":
            return _in_secrets_manager(operation, name.removesuffix("Policy"))
    generated = _generated(stack, name)
    bucket = f"cdk-hnb659fds-assets-{ACCOUNT}-{REGION}/code.zip"
    named = {
        "cloudtrail": f"arn:aws:cloudtrail:{REGION}:{ACCOUNT}:trail/{PREFIX}",
        "events": f"arn:aws:events:{REGION}:{ACCOUNT}:rule/{PREFIX}-dangerous-key-operations",
        "lambda": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{generated}",
        "scheduler": f"arn:aws:scheduler:{REGION}:{ACCOUNT}:schedule/default/{generated}",
        "s3": f"arn:aws:s3:::{bucket if kind == 'AWS::Lambda::Function' else generated.lower()}",
        "sns": f"arn:aws:sns:{REGION}:{ACCOUNT}:{PREFIX}-alarms",
    }
    return [(named[service], {})]


def _in_iam(kind: str, operation: str, stack: str, name: str, properties: Json) -> list[Target]:
    own = _generated(stack, name)
    bounded = {"iam:PermissionsBoundary": BOUNDARY}
    listed = [_policy(stack, one) for one in properties.get("ManagedPolicyArns", ())]
    attached = [{"iam:PolicyARN": one} for one in listed or [f"{IAM}:policy/{own}"]]
    each = attached if operation.startswith(("Attach", "Detach")) else [{}]
    if operation == "PassRole":
        service = kind.split("::")[1].lower()
        return [(f"{IAM}:role/{own}", {"iam:PassedToService": f"{service}.amazonaws.com"})]
    if "Role" in operation:
        named = properties.get("Roles") or [properties.get("RoleName", own)]
        roles = [_generated(stack, one["Ref"]) if isinstance(one, dict) else one for one in named]
        return [(f"{IAM}:role/{role}", {**bounded, **one}) for role in roles for one in each]
    if re.search(r"Group(Polic(y|ies))?$", operation):
        groups = [_generated(stack, one["Ref"]) for one in properties.get("Groups", ())] or [own]
        return [(f"{IAM}:group/{group}", one) for group in groups for one in each]
    if re.search("User|LoginProfile|AccessKey", operation):
        return [(f"{IAM}:user/kenya-one", bounded)]
    return [(f"{IAM}:policy/{own}", {})]


def _policy(stack: str, named: Json) -> str:
    """ARN of a policy that a template names: of AWS, or of the same stack."""
    if "Ref" in named:
        return f"{IAM}:policy/{_generated(stack, named['Ref'])}"
    return str(named["Fn::Sub"]).replace("${AWS::Partition}", "aws")


def _in_secrets_manager(operation: str, name: str) -> list[Target]:
    if operation == "GetRandomPassword":
        return [("*", {})]
    secret = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:{name}-1A2B3C4D5E6F-a1b2c3"
    if operation == "CreateSecret":
        return [(secret, NEW_TAG)]
    if operation == "TagResource":
        return [(secret, NEW_TAG), (secret, {**NEW_TAG, **TAG})]
    return [(secret, TAG)]


def _in_kms(kind: str, operation: str) -> list[Target]:
    alias: Target = (f"{KMS}:alias/{PREFIX}/app", {})
    if kind == "AWS::KMS::Alias":
        return [("*", {})] if operation == "ListAliases" else [alias, (KEY, TAG)]
    if kind == "AWS::EC2::Volume":
        via = {"kms:ViaService": f"ec2.{REGION}.amazonaws.com", "kms:GrantIsForAWSResource": "true"}
        return [(KEY, via)]
    if operation == "CreateKey":
        return [("*", {**NEW_TAG, "kms:BypassPolicyLockoutSafetyCheck": "false"})]
    if operation == "TagResource":
        return [("*", NEW_TAG), (KEY, {**NEW_TAG, **TAG})]
    return [(KEY, TAG)]


_MADE = {
    "CreateRouteTable": ("route-table", ("vpc",)),
    "CreateSecurityGroup": ("security-group", ("vpc",)),
    "CreateSubnet": ("subnet", ("vpc",)),
    "CreateVolume": ("volume", ()),
    "CreateVpc": ("vpc", ()),
    "CreateVpcEndpoint": ("vpc-endpoint", ("vpc", "subnet", "security-group", "route-table")),
    "RunInstances": ("instance", ("subnet", "security-group")),
}
"""What each operation makes, and what has to be there: each is authorized on its own (Service Authorization
Reference, Amazon EC2)."""
_OF = {
    "AWS::EC2::Instance": "instance",
    "AWS::EC2::RouteTable": "route-table",
    "AWS::EC2::SecurityGroup": "security-group",
    "AWS::EC2::Subnet": "subnet",
    "AWS::EC2::SubnetRouteTableAssociation": "subnet",
    "AWS::EC2::VPC": "vpc",
    "AWS::EC2::VPCEndpoint": "vpc-endpoint",
    "AWS::EC2::Volume": "volume",
}


def _in_ec2(kind: str, operation: str) -> list[Target]:
    if operation.startswith("Describe"):
        return [("*", {})]
    if operation in _MADE:
        made, there = _MADE[operation]
        new = {**NEW_TAG, **({"ec2:InstanceType": "t3.nano"} if made == "instance" else {})}
        targets: list[Target] = [(f"{EC2}:{made}/*", new)]
        targets += [(f"{EC2}:{one}/{one}-0a1b", TAG) for one in there]
        if made == "instance":
            targets += [(f"{EC2}:volume/*", {}), (f"{EC2}:network-interface/*", {})]
            targets += [(f"arn:aws:ec2:{REGION}::image/ami-0a1b", {})]
        return targets
    own = f"{EC2}:{_OF[kind]}/{_OF[kind]}-0a1b"
    if operation == "CreateTags":
        creation = next(one for one, (made, _) in _MADE.items() if made == _OF[kind])
        return [(own, {**NEW_TAG, "ec2:CreateAction": creation}), (own, {**NEW_TAG, **TAG})]
    return [(own, TAG)]
