"""Whether a thing is of a stack, whosever: then it is CloudFormation's to delete, whatever its other tags say."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

from kmslab.model.persona import Persona

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from kmslab.lab import Access

    Described = TypeVar("Described", bound=Mapping[str, Any])

STACK_OF_TAG = "aws:cloudformation:stack-name"
"""Tag with which CloudFormation says which stack a thing is of."""
DELETED = "DELETE_COMPLETE"
KEY, REPLICA = "AWS::KMS::Key", "AWS::KMS::ReplicaKey"
READERS = 8
"""Calls at a time."""


def of_no_stack(found: Iterable[Described]) -> Iterator[Described]:
    """Those that have no tag of CloudFormation's, of what a service describes with its ``Tags``."""
    return (one for one in found if all(tag["Key"] != STACK_OF_TAG for tag in one.get("Tags", ())))


def keys_of_stacks(access: Access) -> frozenset[str]:
    """Ids of the keys of every stack that stands, whosever: a key does not tell, it has no tag of CloudFormation's.

    Raises:
        ClientError, BotoCoreError: CloudFormation does not answer.
    """
    cloudformation = access.client(Persona.OPERATOR, "cloudformation")
    standing = [
        one["StackId"]
        for page in cloudformation.get_paginator("list_stacks").paginate()
        for one in page["StackSummaries"]
        if one["StackStatus"] != DELETED
    ]

    def keys(stack_id: str) -> list[str]:
        pages = cloudformation.get_paginator("list_stack_resources").paginate(StackName=stack_id)
        return [
            one["PhysicalResourceId"]
            for page in pages
            for one in page["StackResourceSummaries"]
            if one["ResourceType"] in {KEY, REPLICA} and one.get("PhysicalResourceId")
        ]

    with ThreadPoolExecutor(READERS, thread_name_prefix="stacks") as pool:
        return frozenset(key for some in pool.map(keys, standing) for key in some)
