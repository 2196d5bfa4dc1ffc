"""A time to live: EventBridge Scheduler deletes a forgotten lab's stacks. Off by default, part of the keys stack.

The keys stack is deployed first and goes last, so the schedules and their role stand for as long as anything
else of the lab. One schedule deletes one stack; stacks that others need have to wait, since CloudFormation
deletes no stack whose exports are imported (decision 0035 says what this leaves behind).
"""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING

from aws_cdk import CfnDeletionPolicy, Fn
from aws_cdk import aws_iam as iam

from kmslab.model.naming import stack_name
from kmslab.model.outputs import LabStack
from stacks.nag import acknowledge, wildcards
from stacks.policies import ACCOUNT, allow, document, sub

if TYPE_CHECKING:
    from datetime import datetime

    from aws_cdk import Stack

    from kmslab.model.settings import LabSettings
    from stacks.policies import Json

STEP = timedelta(minutes=15)
"""How long the stacks that need another one get before it is its turn."""
LAST = (LabStack.NETWORK, LabStack.IDENTITY, LabStack.KEYS)
"""Stacks that others need, in the order in which they can go; all others go at once. An instance holds the network."""
DELETE_STACK = sub("arn:${AWS::Partition}:scheduler:::aws-sdk:cloudformation:deleteStack")
"""The universal target (EventBridge Scheduler User Guide, "Using universal targets", read 2026-11-22)."""
GROUP = sub("arn:${AWS::Partition}:scheduler:${AWS::Region}:${AWS::AccountId}:schedule-group/default")
RETRIES = 5
RETRY_SECONDS = 600


def trust() -> list[Json]:
    """Statements of the role's trust policy: Scheduler, for schedules of this account's default group."""
    return [
        allow(
            "LetSchedulesOfThisAccountUseTheRole",
            ("sts:AssumeRole",),
            principal={"Service": "scheduler.amazonaws.com"},
            resources=None,
            when={"StringEquals": {"aws:SourceAccount": ACCOUNT, "aws:SourceArn": GROUP}},
        )
    ]


def deletion(prefix: str) -> list[Json]:
    """Statements of the role: delete the lab's stacks.

    What is in them CloudFormation deletes as the role that each stack was deployed with, not as this one.
    """
    return [
        allow(
            "DeleteTheStacksOfTheLab",
            ("cloudformation:DeleteStack",),
            resources=[
                sub(
                    f"arn:${{AWS::Partition}}:cloudformation:${{AWS::Region}}:${{AWS::AccountId}}:stack/{name}/*"
                )
                for name in (stack_name(prefix, stack) for stack in LabStack)
            ],
        )
    ]


def add_time_to_live(stack: Stack, settings: LabSettings, now: datetime) -> None:
    """Add the schedules that delete the lab ``settings.ttl_hours`` after ``now``, and their role.

    Args:
        stack: the one that is deleted last.
        settings: the lab's.
        now: of the synthesis, aware.
    """
    from aws_cdk import aws_scheduler as scheduler  # a module that most labs need not load

    role = iam.CfnRole(
        stack,
        "TimeToLiveRole",
        description="KMS Lab: EventBridge Scheduler deletes the lab's stacks with it",
        assume_role_policy_document=document(trust()),
    )
    policy = iam.CfnManagedPolicy(
        stack,
        "TimeToLivePolicy",
        description="KMS Lab: delete the stacks of the lab, and nothing else",
        policy_document=document(deletion(settings.prefix)),
        roles=[role.ref],
    )
    acknowledge(
        policy,
        wildcards(
            "A stack's ARN ends in an id that is made with the stack.",
            *(
                f"Resource::arn:<AWS::Partition>:cloudformation:<AWS::Region>:<AWS::AccountId>:stack/{name}/*"
                for name in (stack_name(settings.prefix, one) for one in LabStack)
            ),
        ),
    )
    for one in LabStack:
        if one is LabStack.NETWORK and not settings.network:
            continue
        at = now + timedelta(hours=settings.ttl_hours) + STEP * (LAST.index(one) + 1 if one in LAST else 0)
        schedule = scheduler.CfnSchedule(
            stack,
            f"TimeToLive{one.capitalize()}",
            description=f"KMS Lab: deletes the stack {stack_name(settings.prefix, one)} of a forgotten lab",
            schedule_expression=f"at({at:%Y-%m-%dT%H:%M:%S})",
            schedule_expression_timezone="UTC",
            flexible_time_window=scheduler.CfnSchedule.FlexibleTimeWindowProperty(mode="OFF"),
            target=scheduler.CfnSchedule.TargetProperty(
                arn=Fn.sub(DELETE_STACK["Fn::Sub"]),
                role_arn=role.attr_arn,
                input=json.dumps({"StackName": stack_name(settings.prefix, one)}),
                retry_policy=scheduler.CfnSchedule.RetryPolicyProperty(
                    maximum_retry_attempts=RETRIES, maximum_event_age_in_seconds=RETRY_SECONDS
                ),
            ),
        )
        schedule.add_resource_dependency(policy)
        schedule.cfn_options.deletion_policy = CfnDeletionPolicy.DELETE
