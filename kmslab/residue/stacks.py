"""What the lab's stacks own or owned, as CloudFormation tells it: membership, never names.

CloudFormation tells of a deleted stack for 90 days, by its id (API Reference, ListStacks and
ListStackResources, read 2026-11-22). That is how the keys of a destroyed lab are still known.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from kmslab.checks.membership import DELETED, READERS
from kmslab.model.naming import PREFIX_TAG, stack_name
from kmslab.model.outputs import LabStack
from kmslab.model.persona import Persona

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from kmslab.lab import Access

MEMORY = timedelta(days=31)
"""How old a deleted stack may be to be asked: no key of it waits longer than 30 days."""
FUNCTION, BUCKET, ALIAS = "AWS::Lambda::Function", "AWS::S3::Bucket", "AWS::KMS::Alias"
LOG_GROUP = "/aws/lambda/"
"""How the name of a function's log group begins, which Lambda makes by itself (Lambda Developer Guide,
"Configuring CloudWatch log groups")."""


@dataclass(frozen=True, slots=True)
class Owned:
    """A resource of a stack of the lab.

    Attributes:
        physical_id: as CloudFormation names it: a key's id, a bucket's name, a topic's ARN.
        kind: its CloudFormation type.
        status: CloudFormation's word (``DELETE_COMPLETE``).
        changed: when that was, in UTC; None where the target does not say.
        logical_id: its name in the template.
        stack_id: ARN of the stack.
        standing: whether the stack stands.
    """

    physical_id: str
    kind: str
    status: str
    changed: datetime | None
    logical_id: str
    stack_id: str
    standing: bool


@dataclass(frozen=True, slots=True)
class Membership:
    """What the lab's stacks own, and what those owned that were deleted in the last weeks.

    Attributes:
        standing: the status of each stack that stands, by its ARN.
        owned: resources by type and physical id; what stands wins over what was.
    """

    standing: Mapping[str, str] = field(default_factory=dict)
    owned: Mapping[tuple[str, str], Owned] = field(default_factory=dict)

    def find(self, kind: str, physical_id: str) -> Owned | None:
        """The resource of that CloudFormation type and id; None: no stack of the lab has or had it."""
        return self.owned.get((kind, physical_id))

    def of(self, kind: str) -> Iterator[Owned]:
        """Every resource of one CloudFormation type."""
        return (one for one in self.owned.values() if one.kind == kind)

    def and_before(self, earlier: Membership) -> Membership:
        """This one, and what only an earlier look knew."""
        was = {name: _no_longer(one) for name, one in earlier.owned.items()}
        return Membership(self.standing, {**was, **self.owned})


def read_membership(access: Access) -> Membership:
    """Ask CloudFormation for every stack of the lab, standing or deleted lately, and for its resources.

    A stack counts by its name and its tag together: of another's stack nothing is read.

    Raises:
        ClientError, BotoCoreError: CloudFormation does not answer.
    """
    cloudformation = access.client(Persona.OPERATOR, "cloudformation")
    names = {stack_name(access.prefix, stack) for stack in LabStack}
    since = datetime.now(UTC) - MEMORY
    stacks = [
        one
        for page in cloudformation.get_paginator("list_stacks").paginate()
        for one in page["StackSummaries"]
        if one["StackName"] in names and one.get("DeletionTime", since) >= since
    ]
    with ThreadPoolExecutor(READERS, thread_name_prefix="stacks") as pool:
        read = list(pool.map(lambda one: _resources(cloudformation, one, access.prefix), stacks))
    standing: dict[str, str] = {}
    owned: dict[tuple[str, str], Owned] = {}
    for stack, resources in zip(stacks, read, strict=True):
        if resources is None:
            continue
        if stack["StackStatus"] != DELETED:
            standing[stack["StackId"]] = stack["StackStatus"]
        for one in resources:
            known = owned.get((one.kind, one.physical_id))
            if known is None or one.standing or not known.standing:
                owned[one.kind, one.physical_id] = one
    return Membership(standing, owned)


def _resources(cloudformation: Any, stack: Mapping[str, Any], prefix: str) -> list[Owned] | None:
    """What one stack owns or owned; None: it is not this lab's."""
    stack_id = stack["StackId"]
    described = cloudformation.describe_stacks(StackName=stack_id)["Stacks"][0]
    if {"Key": PREFIX_TAG, "Value": prefix} not in described.get("Tags", []):
        return None
    standing = stack["StackStatus"] != DELETED
    pages = cloudformation.get_paginator("list_stack_resources").paginate(StackName=stack_id)
    return [
        Owned(
            one["PhysicalResourceId"],
            one["ResourceType"],
            one["ResourceStatus"],
            one.get("LastUpdatedTimestamp"),
            one["LogicalResourceId"],
            stack_id,
            standing and one["ResourceStatus"] != DELETED,
        )
        for page in pages
        for one in page["StackResourceSummaries"]
        if one.get("PhysicalResourceId")
    ]


def _no_longer(one: Owned) -> Owned:
    return Owned(
        one.physical_id, one.kind, one.status, one.changed, one.logical_id, one.stack_id, standing=False
    )
