"""What a deployed resource is, told by the AWS APIs in the words of its template: for comparing the two."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from tests.engine.readers import READERS

if TYPE_CHECKING:
    from tests.engine.conftest import Engine
    from tests.engine.readers import Properties

NOT_TOLD = {
    (
        "AWS::SecretsManager::Secret",
        "GenerateSecretString",
    ): "a recipe for the value; the value's shape is asserted apart",
    ("AWS::SecretsManager::ResourcePolicy", "BlockPublicPolicy"): "a check of the request, kept nowhere",
    ("AWS::IAM::User", "LoginProfile"): "IAM never tells a password; the profile is asserted apart",
    ("AWS::KMS::Key", "PendingWindowInDays"): "counts when the stack is deleted; asserted apart",
    ("AWS::Lambda::Function", "Code"): "the function is asserted by what it does",
    ("AWS::EC2::Instance", "UserData"): "told by another call, which no check relies on",
    ("AWS::SSM::Parameter", "Type"): "of the parameter's value",
}
"""Properties that no API tells, each with its reason; every other property of a template is compared."""


ELSEWHERE = {
    "AWS::EC2::RouteTable": "MiniStack's own, of the optional network",
    "AWS::EC2::SecurityGroup": "MiniStack's own, of the optional network",
    "AWS::EC2::SnapshotBlockPublicAccess": "asserted apart",
    "AWS::EC2::Subnet": "MiniStack's own, of the optional network",
    "AWS::EC2::SubnetRouteTableAssociation": "MiniStack's own, of the optional network",
    "AWS::EC2::VPC": "MiniStack's own, of the optional network",
    "AWS::EC2::VPCEndpoint": "MiniStack's own, of the optional network",
    "AWS::IAM::UserToGroupAddition": "asserted apart",
    "AWS::SNS::TopicPolicy": "asserted by the alarm that it lets through",
    "Custom::S3AutoDeleteObjects": "asserted by what it does",
}
"""Types that are not read here, each with its reason."""


class Stack:
    """A deployed stack: resolves a template's intrinsic functions to what was deployed."""

    def __init__(self, engine: Engine, name: str) -> None:
        self.engine = engine
        cloudformation = engine.client("cloudformation")
        self.description = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
        resources = cloudformation.describe_stack_resources(StackName=name)["StackResources"]
        self.ids: dict[str, str] = {r["LogicalResourceId"]: r["PhysicalResourceId"] for r in resources}
        self.types: dict[str, str] = {r["LogicalResourceId"]: r["ResourceType"] for r in resources}
        self.parameters = {
            p["ParameterKey"]: p.get("ResolvedValue", p["ParameterValue"])
            for p in self.description.get("Parameters", [])
        }
        self.exports = {e["Name"]: e["Value"] for e in cloudformation.list_exports()["Exports"]}

    def resolve(self, node: Any) -> Any:
        """Replace intrinsic functions by deployed values."""
        if isinstance(node, list):
            return [self.resolve(item) for item in node]
        if not isinstance(node, dict):
            return node
        if len(node) == 1:
            (name, value), *_ = node.items()
            if name == "Ref" or name.startswith("Fn::"):
                return self._intrinsic(name, value)
        return {key: self.resolve(value) for key, value in node.items()}

    def _intrinsic(self, name: str, value: Any) -> Any:  # noqa: PLR0911  # one answer per function
        match name:
            case "Ref":
                return self._ref(value)
            case "Fn::GetAtt":
                return self.attribute(*value)
            case "Fn::ImportValue":
                return self.exports[self.resolve(value)]
            case "Fn::Join":
                return str(value[0].join(self.resolve(value[1])))
            case "Fn::Sub":
                return self._substitute(value)
            case "Fn::Base64":
                return base64.b64encode(self.resolve(value).encode()).decode()
            case "Fn::Select":
                return self.resolve(value[1])[int(value[0])]
            case "Fn::Split":
                return self.resolve(value[1]).split(value[0])
            case "Fn::GetAZs":
                zones = self.engine.client("ec2").describe_availability_zones()["AvailabilityZones"]
                return [zone["ZoneName"] for zone in zones]
            case _:
                raise NotImplementedError(name)

    def _ref(self, name: str) -> str:
        pseudo = {
            "AWS::AccountId": self.engine.account,
            "AWS::Region": self.engine.region,
            "AWS::Partition": "aws",
            "AWS::URLSuffix": "amazonaws.com",
            "AWS::StackName": self.description["StackName"],
            "AWS::StackId": self.description["StackId"],
        }
        return str({**pseudo, **self.parameters, **self.ids}[name])

    def _substitute(self, value: Any) -> str:
        text, extra = (value, {}) if isinstance(value, str) else value
        for key, given in extra.items():
            text = text.replace(f"${{{key}}}", self.resolve(given))
        while "${" in text:
            head, _, rest = text.partition("${")
            name, _, tail = rest.partition("}")
            found = self.attribute(*name.split(".", 1)) if "." in name else self._ref(name)
            text = f"{head}{found}{tail}"
        return str(text)

    def attribute(self, logical_id: str, attribute: str) -> str:
        """The value of ``Fn::GetAtt``."""
        kind, physical_id = self.types[logical_id], self.ids[logical_id]
        account, region = self.engine.account, self.engine.region
        iam = f"arn:aws:iam::{account}"
        if attribute == "AvailabilityZone":
            return str(READERS[kind](self.engine, physical_id)["AvailabilityZone"])
        arns = {
            "AWS::KMS::Key": f"arn:aws:kms:{region}:{account}:key/{physical_id}",
            "AWS::S3::Bucket": f"arn:aws:s3:::{physical_id}",
            "AWS::IAM::Role": f"{iam}:role/{physical_id}",
            "AWS::IAM::Group": f"{iam}:group/{physical_id}",
            "AWS::IAM::User": f"{iam}:user/{physical_id}",
            "AWS::IAM::ManagedPolicy": physical_id,
            "AWS::CloudTrail::Trail": f"arn:aws:cloudtrail:{region}:{account}:trail/{physical_id}",
            "AWS::Lambda::Function": f"arn:aws:lambda:{region}:{account}:function:{physical_id}",
            "AWS::SecretsManager::Secret": physical_id,
            "AWS::SNS::Topic": physical_id,
        }
        return {"Arn": arns.get(kind, ""), "TopicArn": physical_id, "PolicyArn": physical_id}.get(
            attribute, physical_id
        )


def _plain(value: Any) -> Any:
    """A value as CloudFormation compares it: numbers and words alike, sets without order."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in sorted(value.items())}
    if isinstance(value, list):
        return sorted((_plain(item) for item in value), key=json.dumps)
    return str(value).lower() if isinstance(value, bool) else str(value)


def _as_far_as_written(told: Any, written: Any) -> Any:
    """What the API tells, without the defaults of members that the template leaves out."""
    if isinstance(told, dict) and isinstance(written, dict):
        return {name: _as_far_as_written(told[name], written[name]) for name in written if name in told}
    if isinstance(told, list) and isinstance(written, list) and len(told) == len(written):
        return [_as_far_as_written(*pair) for pair in zip(told, written, strict=True)]
    return told


def differences(engine: Engine, stack_name: str, template: Properties) -> list[str]:
    """Every property of a template's resources that is not deployed as it says; empty when all are."""
    stack = Stack(engine, stack_name)
    found = []
    for logical_id, resource in template["Resources"].items():
        kind = resource["Type"]
        if kind in ELSEWHERE:
            continue
        try:
            told = READERS[kind](engine, stack.ids[logical_id])
        except ClientError as error:
            found.append(f"{logical_id}: {error}")
            continue
        for name, written in resource.get("Properties", {}).items():
            if (kind, name) in NOT_TOLD:
                continue
            if name not in told:
                found.append(f"{kind}.{name} of {logical_id}: nobody compares it")
                continue
            wanted = _plain(stack.resolve(written))
            deployed = _as_far_as_written(_plain(told[name]), wanted)
            if isinstance(told[name], set) and wanted in told[name]:
                continue  # the API takes several forms of the name
            if wanted != deployed:
                found.append(f"{logical_id}.{name}: {wanted} is {deployed}")
    return found
