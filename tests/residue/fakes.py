"""An account without anything of a lab in it: what every service answers then."""

from __future__ import annotations

from tests.checks.fakes import World

EMPTY = {
    "resourcegroupstaggingapi:GetResources": "ResourceTagMappingList",
    "ec2:DescribeVolumes": "Volumes",
    "ec2:DescribeSnapshots": "Snapshots",
    "secretsmanager:ListSecrets": "SecretList",
    "kms:ListResourceTags": "Tags",
    "kms:ListGrants": "Grants",
    "s3:ListObjectVersions": "Versions",
    "s3:ListMultipartUploads": "Uploads",
    "ssm:GetParametersByPath": "Parameters",
}
"""What a sweep asks, and the list that it gets back empty."""
AWS_EBS = "alias/aws/ebs"


def nothing_to_sweep(world: World) -> World:
    """Nothing was left by checks or faults, and the account's settings for EBS are AWS's own."""
    for action, member in EMPTY.items():
        world.answers(action, {member: []})
    world.answers("ec2:GetEbsEncryptionByDefault", {"EbsEncryptionByDefault": False})
    world.answers("ec2:GetEbsDefaultKmsKeyId", {"KmsKeyId": AWS_EBS})
    world.answers("ec2:GetSnapshotBlockPublicAccessState", {"State": "unblocked"})
    return world


LISTED = {
    "cloudformation:DescribeStacks": "Stacks",
    "cloudformation:ListStacks": "StackSummaries",
    "cloudtrail:ListTrails": "Trails",
    "cloudtrail:LookupEvents": "Events",
    "cloudwatch:DescribeAlarms": "MetricAlarms",
    "ec2:DescribeInstances": "Reservations",
    "ec2:DescribeInternetGateways": "InternetGateways",
    "ec2:DescribeRouteTables": "RouteTables",
    "ec2:DescribeSecurityGroups": "SecurityGroups",
    "ec2:DescribeSubnets": "Subnets",
    "ec2:DescribeVpcEndpoints": "VpcEndpoints",
    "ec2:DescribeVpcs": "Vpcs",
    "events:ListRules": "Rules",
    "iam:ListPolicies": "Policies",
    "iam:ListRoles": "Roles",
    "iam:ListUsers": "Users",
    "kms:ListAliases": "Aliases",
    "kms:ListKeys": "Keys",
    "lambda:ListFunctions": "Functions",
    "logs:DescribeLogGroups": "logGroups",
    "s3:ListBuckets": "Buckets",
    "scheduler:ListSchedules": "Schedules",
    "sns:ListTopics": "Topics",
    "sqs:ListQueues": "QueueUrls",
    "ssm:DescribeParameters": "Parameters",
}
"""What a proof asks beside that."""


def empty_account() -> World:
    """An account in which nobody has made anything."""
    world = nothing_to_sweep(World())
    for action, member in LISTED.items():
        world.answers(action, {member: []})
    return world
