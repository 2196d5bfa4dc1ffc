"""A sandbox account in which everything is fine; a test spoils one thing of it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

import pytest

from kmslab.bootstrapping import TOOLKIT_STACK
from kmslab.model.outputs import LabStack
from kmslab.model.settings import LabSettings
from kmslab.model.target import TargetKind
from tests.checks.fakes import ACCOUNT, PREFIX, REGION, FakeAccess, Refusal, Request, World
from tests.stacks.conftest import assemblies

__all__ = ["assemblies"]

MANAGEMENT = "999988887777"
CREATED = datetime(2026, 11, 20, 8, 12, tzinfo=UTC)
NAMED = LabSettings(sandbox_accounts=(ACCOUNT,))


class Account:
    """What the fake account holds; its world answers from it."""

    def __init__(self) -> None:
        self.stacks: list[dict[str, Any]] = []
        self.version = "33"
        self.management = MANAGEMENT
        self.tags: dict[str, str] = {}
        self.events: list[dict[str, Any]] = []
        self.world = World()
        answers = self.world.answers
        answers("sts:GetCallerIdentity", lambda _: dated(datetime.now(UTC)))
        answers("organizations:DescribeOrganization", self._organization)
        answers("organizations:ListTagsForResource", self._tags)
        answers("ec2:DescribeRegions", {"Regions": [{"RegionName": REGION, "OptInStatus": "opted-in"}]})
        answers("ec2:DescribeVolumes", {"Volumes": [{"Size": 8, "VolumeType": "gp3"}]})
        answers("ec2:DescribeVpcs", {"Vpcs": [{"VpcId": "vpc-1"}]})
        answers("cloudformation:DescribeStacks", self._describe_stacks)
        answers("cloudformation:DescribeType", {"Type": "RESOURCE"})
        answers("ec2:DescribeInstanceTypeOfferings", {"InstanceTypeOfferings": [{"InstanceType": "t3.nano"}]})
        answers("ssm:GetParameter", self._parameter)
        answers("ssm:GetParametersByPath", {"Parameters": []})
        answers("iam:GetRole", lambda request: {"Role": {"Arn": role(request["RoleName"])}})
        answers("iam:SimulatePrincipalPolicy", simulated())
        answers("iam:GetAccountSummary", {"SummaryMap": summary()})
        answers("kms:ListKeys", {"Keys": [{"KeyId": f"key-{number}"} for number in range(4)]})
        answers("kms:ListAliases", {"Aliases": [{"AliasName": "alias/aws/s3", "TargetKeyId": "key-0"}]})
        answers("cloudtrail:DescribeTrails", {"trailList": [{"Name": "organization"}]})
        answers("cloudtrail:LookupEvents", lambda _: {"Events": self.events})
        answers("s3:ListBuckets", {"Buckets": [{"Name": "one"}, {"Name": "two"}]})
        answers("secretsmanager:ListSecrets", {"SecretList": [{"Name": "one"}]})
        answers("service-quotas:GetServiceQuota", {"Quota": {"Value": 100.0}})
        answers("service-quotas:ListServiceQuotas", {"Quotas": []})

    def bootstrapped(self, status: str = "CREATE_COMPLETE", version: str = "33") -> None:
        self.version = version
        self.stacks.append(_stack(TOOLKIT_STACK, status, {}))

    def deployed(self, *, prefix: str = PREFIX, without: tuple[LabStack, ...] = (LabStack.NETWORK,)) -> None:
        self.stacks += [
            _stack(f"{prefix}-{stack}", "CREATE_COMPLETE", {"kmslab:prefix": prefix})
            for stack in LabStack
            if stack not in without
        ]

    def _organization(self, _: Request) -> dict[str, Any]:
        return {"Organization": {"Id": "o-example", "MasterAccountId": self.management}}

    def _tags(self, request: Request) -> dict[str, Any]:
        assert request["ResourceId"] == ACCOUNT
        return {"Tags": [{"Key": key, "Value": value} for key, value in self.tags.items()]}

    def _describe_stacks(self, request: Request) -> dict[str, Any]:
        wanted = request.get("StackName")
        found = [stack for stack in self.stacks if wanted in {None, stack["StackName"]}]
        if wanted and not found:
            raise Refusal("ValidationError", f"Stack with id {wanted} does not exist")
        return {"Stacks": found}

    def _parameter(self, _: Request) -> dict[str, Any]:
        if not any(stack["StackName"] == TOOLKIT_STACK for stack in self.stacks) or not self.version:
            raise Refusal("ParameterNotFound")
        return {"Parameter": {"Value": self.version}}


def _stack(name: str, status: str, tags: dict[str, str]) -> dict[str, Any]:
    return {
        "StackName": name,
        "StackId": f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/{name}/1",
        "StackStatus": status,
        "CreationTime": CREATED,
        "Tags": [{"Key": key, "Value": value} for key, value in tags.items()],
    }


def role(name: str) -> str:
    return f"arn:aws:iam::{ACCOUNT}:role/team/{name}"


def simulated(**refused: dict[str, Any]) -> Any:
    """Answers of the simulator: allowed, but for what is given by operation name."""

    def answer(request: Request) -> dict[str, Any]:
        return {
            "EvaluationResults": [
                {
                    "EvalActionName": action,
                    "EvalDecision": "allowed",
                    **refused.get(action.partition(":")[2], {}),
                }
                for action in request["ActionNames"]
            ]
        }

    return answer


def summary(**changed: int) -> dict[str, int]:
    found = {"Roles": 12, "Users": 1, "Groups": 0, "Policies": 3}
    quotas = {"RolesQuota": 1000, "UsersQuota": 5000, "GroupsQuota": 300, "PoliciesQuota": 1500}
    return {**found, **quotas, **changed}


def dated(now: datetime) -> dict[str, Any]:
    """Who the caller is, told at a time by AWS's clock."""
    metadata = {"HTTPStatusCode": 200, "HTTPHeaders": {"date": format_datetime(now, usegmt=True)}}
    return {"Account": ACCOUNT, "ResponseMetadata": metadata}


def creation(stack: str, who: str, **more: Any) -> dict[str, Any]:
    """An event of CloudTrail about a stack that was made."""
    event = {"userIdentity": {"arn": who}, "requestParameters": {"stackName": stack}, **more}
    return {"EventId": stack, "EventName": "CreateStack", "CloudTrailEvent": json.dumps(event)}


@pytest.fixture
def account() -> Account:
    return Account()


@pytest.fixture
def access(account: Account) -> FakeAccess:
    return FakeAccess(account.world, kind=TargetKind.AWS)
