"""What of the lab stands on a target: its stacks, their states and outputs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kmslab.lab import DENIED
from kmslab.model.errors import ExitCode, LabError
from kmslab.model.evidence import code_of
from kmslab.model.naming import PREFIX_TAG, stack_name
from kmslab.model.outputs import LabOutputs, LabStack
from kmslab.model.persona import Persona

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kmslab.lab import Access

COMPLETE = frozenset({"CREATE_COMPLETE", "UPDATE_COMPLETE", "IMPORT_COMPLETE"})
"""States in which a stack is what its template says."""
OPTIONAL_STACKS = frozenset({LabStack.NETWORK})
"""Stacks that the settings can leave out."""


@dataclass(frozen=True, slots=True)
class Stack:
    """A CloudFormation stack as it stands.

    Attributes:
        name: its name.
        stack_id: its ARN, another one for each creation.
        status: CloudFormation's word (``CREATE_COMPLETE``).
        reason: why it is in that state; may be empty.
        tags: by key.
        outputs: by logical id.
    """

    name: str
    stack_id: str
    status: str
    reason: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    outputs: Mapping[str, str] = field(default_factory=dict)

    @property
    def complete(self) -> bool:
        """Whether it is what its template says."""
        return self.status in COMPLETE

    @property
    def in_progress(self) -> bool:
        """Whether CloudFormation is still working on it."""
        return self.status.endswith("_IN_PROGRESS") and self.status != "REVIEW_IN_PROGRESS"


def read_stacks(access: Access) -> dict[str, Stack]:
    """Read the lab's stacks, by name; one that does not exist is left out.

    Raises:
        LabError: a stack has a name of ours but is not tagged as this lab's.
    """
    names = {stack_name(access.prefix, stack) for stack in LabStack}
    found: dict[str, Stack] = {}
    pages = access.client(Persona.OPERATOR, "cloudformation").get_paginator("describe_stacks").paginate()
    for page in pages:
        for stack in page["Stacks"]:
            if stack["StackName"] in names and stack["StackStatus"] != "DELETE_COMPLETE":
                found[stack["StackName"]] = Stack(
                    stack["StackName"],
                    stack["StackId"],
                    stack["StackStatus"],
                    stack.get("StackStatusReason", ""),
                    {tag["Key"]: tag["Value"] for tag in stack.get("Tags", ())},
                    {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", ())},
                )
    _refuse_foreign(found, access.prefix)
    return found


def _refuse_foreign(stacks: Mapping[str, Stack], prefix: str) -> None:
    for stack in stacks.values():
        if stack.tags.get(PREFIX_TAG) != prefix:
            raise LabError(
                f"Stack {stack.name} exists but is not this lab's: it has no tag {PREFIX_TAG}={prefix}.",
                hint="Choose another prefix: -c kmslab.prefix=<name>.",
                exit_code=ExitCode.TARGET,
            )


def other_labs(access: Access) -> list[str]:
    """The prefixes of the other labs that stand in the account and Region, by the tags of their stacks."""
    pages = access.client(Persona.OPERATOR, "cloudformation").get_paginator("describe_stacks").paginate()
    found = {
        tag["Value"]
        for page in pages
        for stack in page["Stacks"]
        if stack["StackStatus"] != "DELETE_COMPLETE"
        for tag in stack.get("Tags", ())
        if tag["Key"] == PREFIX_TAG
    }
    return sorted(found - {access.prefix})


def refuse_foreign_user(access: Access, name: str) -> None:
    """Refuse to deploy where somebody else's IAM user has the name of the admin user, which no prefix tells apart.

    CloudFormation would find out halfway, with the keys made already.

    Raises:
        LabError: the user exists without the tag of this lab.
    """
    from botocore.exceptions import ClientError

    try:
        listed = access.client(Persona.OPERATOR, "iam").list_user_tags(UserName=name)["Tags"]
    except ClientError as error:
        if code_of(error) in {"NoSuchEntity", *DENIED}:
            return  # who may not look may still deploy, and CloudFormation looks too
        raise
    owner = {tag["Key"]: tag["Value"] for tag in listed}.get(PREFIX_TAG)
    if owner != access.prefix:
        raise LabError(
            f"The IAM user {name} exists, and {f'belongs to the lab {owner}' if owner else 'no lab made it'}.",
            hint="Give this lab's admin user another name: -c kmslab.admin_user=<name>.",
            exit_code=ExitCode.TARGET,
        )


def read_outputs(access: Access) -> LabOutputs:
    """Read what the deployed stacks export.

    Raises:
        LabError: a stack is missing, half-deployed or another lab's.
    """
    stacks = read_stacks(access)
    for stack in LabStack:
        name = stack_name(access.prefix, stack)
        if name not in stacks and stack not in OPTIONAL_STACKS:
            raise LabError(
                f"Stack {name} is not deployed in {access.target.region}.",
                hint="Run `kmslab up`, or `cdk deploy --all` in a sandbox account.",
                exit_code=ExitCode.TARGET,
            )
        if name in stacks and not stacks[name].complete:
            raise half_deployed(stacks[name])
    exported = {key: value for stack in stacks.values() for key, value in stack.outputs.items()}
    try:
        return LabOutputs({output.name: exported.get(output.logical_id, "") for output in LabOutputs.all()})
    except KeyError as missing:
        raise LabError(
            f"The deployed stacks do not export {missing.args[0]}: they are of another release.",
            hint="Run `kmslab up` to bring them up to date.",
            exit_code=ExitCode.TARGET,
        ) from missing


_GO_ON = "Run `kmslab up` again: it goes on from there. `kmslab down` removes what is left."


def half_deployed(stack: Stack, hint: str = _GO_ON) -> LabError:
    """Say that a stack is not what its template says."""
    reason = f": {' '.join(stack.reason.split())}" if stack.reason else ""
    return LabError(
        f"Stack {stack.name} is only half deployed ({stack.status}){reason}",
        hint=hint,
        exit_code=ExitCode.DEPLOYMENT,
    )
