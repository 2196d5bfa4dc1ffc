"""Everything that a service lists, with what tells whose it is: its tags, its id, the key that it lies under.

Each function lists one kind of thing, in the target's Region, whosever it is; `kmslab.residue.proof` decides
which are the lab's. Where a service tells tags only one thing at a time, `Listed.tags` asks when it is called.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from kmslab.model.evidence import code_of
from kmslab.model.persona import Persona

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from kmslab.lab import Access

    Tags = dict[str, str]

UNTAGGED = frozenset({"NoSuchTagSet", "NoSuchTagSetError"})
"""What S3 says of a bucket without tags."""
TRAILS_AT_A_TIME = 20
"""ARNs that CloudTrail's ListTags takes (botocore's model, 2026-11-22)."""


@dataclass(frozen=True, slots=True)
class Listed:
    """One thing that a service lists.

    Attributes:
        kind: as the tagging service names it.
        id: its ARN, or its id where the service gives no ARN.
        resource: its CloudFormation type; the empty string: no stack of the lab can have one.
        physical_id: as CloudFormation would name it.
        tags: returns its tags by key; a call of its own where the service wants one.
        key: ARN or id of the KMS key that it lies under; may be empty.
        until: when its recovery window ends, ISO 8601; empty: it is not on its way out.
    """

    kind: str
    id: str
    resource: str
    physical_id: str
    tags: Callable[[], Tags]
    key: str = ""
    until: str = ""


def _client(access: Access, service: str) -> Any:
    return access.client(Persona.OPERATOR, service)


def _pages(client: Any, operation: str, member: str, **parameters: Any) -> Iterator[Any]:
    if client.can_paginate(operation):
        for page in client.get_paginator(operation).paginate(**parameters):
            yield from page.get(member, [])
    else:
        yield from getattr(client, operation)(**parameters).get(member, [])


def _flat(tags: Any, key: str = "Key", value: str = "Value") -> Tags:
    return {tag[key]: tag[value] for tag in tags or ()}


def _known(tags: Any) -> Callable[[], Tags]:
    return partial(_flat, tags)


def buckets(access: Access) -> Iterator[Listed]:
    """Buckets of the whole account."""
    from botocore.exceptions import ClientError

    s3 = _client(access, "s3")

    def tags(name: str) -> Tags:
        try:
            return _flat(s3.get_bucket_tagging(Bucket=name)["TagSet"])
        except ClientError as error:
            if code_of(error) in UNTAGGED:
                return {}
            raise

    for one in _pages(s3, "list_buckets", "Buckets"):
        name = one["Name"]
        arn = f"arn:{access.partition}:s3:::{name}"
        yield Listed("s3", arn, "AWS::S3::Bucket", name, partial(tags, name))


EC2 = (
    ("describe_volumes", "Volumes", "VolumeId", "ec2:volume", "AWS::EC2::Volume"),
    ("describe_snapshots", "Snapshots", "SnapshotId", "ec2:snapshot", ""),
    ("describe_vpcs", "Vpcs", "VpcId", "ec2:vpc", "AWS::EC2::VPC"),
    ("describe_subnets", "Subnets", "SubnetId", "ec2:subnet", "AWS::EC2::Subnet"),
    ("describe_route_tables", "RouteTables", "RouteTableId", "ec2:route-table", "AWS::EC2::RouteTable"),
    ("describe_security_groups", "SecurityGroups", "GroupId", "ec2:security-group", "AWS::EC2::SecurityGroup"),
    ("describe_internet_gateways", "InternetGateways", "InternetGatewayId", "ec2:internet-gateway", ""),
    ("describe_vpc_endpoints", "VpcEndpoints", "VpcEndpointId", "ec2:vpc-endpoint", "AWS::EC2::VPCEndpoint"),
)  # fmt: skip
"""EC2's listings: operation, member, id, kind, CloudFormation type. Instances are nested, so on their own."""


def in_ec2(access: Access) -> Iterator[Listed]:
    """Volumes, the account's own snapshots, instances, and what a network is made of."""
    ec2 = _client(access, "ec2")
    for operation, member, name, kind, resource in EC2:
        own: dict[str, Any] = {"OwnerIds": ["self"]} if member == "Snapshots" else {}
        for one in _pages(ec2, operation, member, **own):
            tags, key = _known(one.get("Tags")), one.get("KmsKeyId", "")
            yield Listed(kind, one[name], resource, one[name], tags, key)
    for reservation in _pages(ec2, "describe_instances", "Reservations"):
        for one in reservation["Instances"]:
            if one["State"]["Name"] != "terminated":
                found, tags = one["InstanceId"], _known(one.get("Tags"))
                yield Listed("ec2:instance", found, "AWS::EC2::Instance", found, tags)


def in_iam(access: Access) -> Iterator[Listed]:
    """Users, roles, the account's own managed policies, and virtual MFA devices; of the whole account."""
    iam = _client(access, "iam")
    kinds: tuple[tuple[str, str, str, str, Any, dict[str, str]], ...] = (
        ("list_users", "Users", "user", "AWS::IAM::User", iam.list_user_tags, {"UserName": "UserName"}),
        ("list_roles", "Roles", "role", "AWS::IAM::Role", iam.list_role_tags, {"RoleName": "RoleName"}),
        (
            *("list_policies", "Policies", "policy", "AWS::IAM::ManagedPolicy"),
            *(iam.list_policy_tags, {"PolicyArn": "Arn"}),
        ),
    )
    for operation, member, kind, resource, ask, naming in kinds:
        scope = {"Scope": "Local"} if member == "Policies" else {}
        for one in _pages(iam, operation, member, **scope):
            if one["Path"].startswith("/aws-service-role/"):  # a service's own: nobody else can tag it
                continue
            given = {parameter: one[name] for parameter, name in naming.items()}
            physical = one["Arn"] if member == "Policies" else next(iter(given.values()))
            tags = partial(lambda ask, given: _flat(ask(**given).get("Tags")), ask, given)
            yield Listed(f"iam:{kind}", one["Arn"], resource, physical, tags)


def secrets(access: Access) -> Iterator[Listed]:
    """Secrets, with those that wait out their recovery window."""
    manager = _client(access, "secretsmanager")
    for one in _pages(manager, "list_secrets", "SecretList", IncludePlannedDeletion=True):
        until = f"{one['DeletedDate']:%Y-%m-%dT%H:%M:%SZ}" if one.get("DeletedDate") else ""
        tags, key = _known(one.get("Tags")), one.get("KmsKeyId", "")
        yield Listed(
            "secretsmanager:secret", one["ARN"], "AWS::SecretsManager::Secret", one["ARN"], tags, key, until
        )


def parameters(access: Access) -> Iterator[Listed]:
    """Parameters of Parameter Store."""
    ssm = _client(access, "ssm")

    def tags(name: str) -> Tags:
        return _flat(ssm.list_tags_for_resource(ResourceType="Parameter", ResourceId=name).get("TagList"))

    for one in _pages(ssm, "describe_parameters", "Parameters"):
        name, key = one["Name"], one.get("KeyId", "")
        arn = (
            f"arn:{access.partition}:ssm:{access.target.region}:{access.account}:parameter/{name.lstrip('/')}"
        )
        yield Listed("ssm:parameter", arn, "AWS::SSM::Parameter", name, partial(tags, name), key)


def trails(access: Access) -> Iterator[Listed]:
    """Trails whose home is this Region."""
    cloudtrail, region = _client(access, "cloudtrail"), access.target.region
    found = [one for one in _pages(cloudtrail, "list_trails", "Trails") if one["HomeRegion"] == region]
    tags: dict[str, Any] = {}
    for start in range(0, len(found), TRAILS_AT_A_TIME):
        arns = [one["TrailARN"] for one in found[start : start + TRAILS_AT_A_TIME]]
        for one in _pages(cloudtrail, "list_tags", "ResourceTagList", ResourceIdList=arns):
            tags[one["ResourceId"]] = one.get("TagsList")
    for one in found:
        arn = one["TrailARN"]
        yield Listed("cloudtrail:trail", arn, "AWS::CloudTrail::Trail", one["Name"], _known(tags.get(arn)))


def topics(access: Access) -> Iterator[Listed]:
    """Topics of SNS."""
    sns = _client(access, "sns")
    for one in _pages(sns, "list_topics", "Topics"):
        arn = one["TopicArn"]
        tags = partial(lambda arn: _flat(sns.list_tags_for_resource(ResourceArn=arn).get("Tags")), arn)
        yield Listed("sns", arn, "AWS::SNS::Topic", arn, tags)


def queues(access: Access) -> Iterator[Listed]:
    """Queues of SQS."""
    sqs = _client(access, "sqs")
    for url in _pages(sqs, "list_queues", "QueueUrls"):
        tags = partial(lambda url: dict(sqs.list_queue_tags(QueueUrl=url).get("Tags", {})), url)
        arn = f"arn:{access.partition}:sqs:{access.target.region}:{access.account}:{url.rpartition('/')[2]}"
        yield Listed("sqs", arn, "AWS::SQS::Queue", url, tags)


def rules(access: Access) -> Iterator[Listed]:
    """Rules of EventBridge's default bus."""
    events = _client(access, "events")
    for one in _pages(events, "list_rules", "Rules"):
        tags = partial(
            lambda arn: _flat(events.list_tags_for_resource(ResourceARN=arn).get("Tags")), one["Arn"]
        )
        yield Listed("events:rule", one["Arn"], "AWS::Events::Rule", one["Name"], tags)


def schedules(access: Access) -> Iterator[Listed]:
    """Schedules of EventBridge Scheduler, which carry no tags."""
    for one in _pages(_client(access, "scheduler"), "list_schedules", "Schedules"):
        yield Listed("scheduler:schedule", one["Arn"], "AWS::Scheduler::Schedule", one["Name"], dict)


def alarms(access: Access) -> Iterator[Listed]:
    """Metric alarms of CloudWatch."""
    cloudwatch = _client(access, "cloudwatch")
    for one in _pages(cloudwatch, "describe_alarms", "MetricAlarms"):
        arn = one["AlarmArn"]
        tags = partial(lambda arn: _flat(cloudwatch.list_tags_for_resource(ResourceARN=arn).get("Tags")), arn)
        yield Listed("cloudwatch:alarm", arn, "AWS::CloudWatch::Alarm", one["AlarmName"], tags)


def functions(access: Access) -> Iterator[Listed]:
    """Functions of Lambda."""
    client = _client(access, "lambda")
    for one in _pages(client, "list_functions", "Functions"):
        arn = one["FunctionArn"]
        tags = partial(lambda arn: dict(client.list_tags(Resource=arn).get("Tags", {})), arn)
        yield Listed("lambda:function", arn, "AWS::Lambda::Function", one["FunctionName"], tags)


def log_groups(access: Access) -> Iterator[Listed]:
    """Log groups of CloudWatch Logs; Lambda makes one for each function, which no stack knows."""
    logs = _client(access, "logs")
    for one in _pages(logs, "describe_log_groups", "logGroups"):
        arn = one["arn"].removesuffix(":*")
        tags = partial(lambda arn: dict(logs.list_tags_for_resource(resourceArn=arn).get("tags", {})), arn)
        yield Listed(
            "logs:log-group", arn, "AWS::Logs::LogGroup", one["logGroupName"], tags, one.get("kmsKeyId", "")
        )


def stacks(access: Access) -> Iterator[Listed]:
    """Stacks of CloudFormation that are not deleted."""
    cloudformation = _client(access, "cloudformation")
    for one in _pages(cloudformation, "describe_stacks", "Stacks"):
        if one["StackStatus"] != "DELETE_COMPLETE":
            arn = one["StackId"]
            yield Listed(
                "cloudformation:stack", arn, "AWS::CloudFormation::Stack", arn, _known(one.get("Tags"))
            )


SERVICES: Mapping[str, Callable[[Access], Iterator[Listed]]] = {
    "s3": buckets,
    "ec2": in_ec2,
    "iam": in_iam,
    "secretsmanager": secrets,
    "ssm": parameters,
    "cloudtrail": trails,
    "sns": topics,
    "sqs": queues,
    "events": rules,
    "scheduler": schedules,
    "cloudwatch": alarms,
    "lambda": functions,
    "logs": log_groups,
    "cloudformation": stacks,
}
"""What is asked of each service; KMS, whose keys answer for themselves, is in `kmslab.residue.keys`."""
