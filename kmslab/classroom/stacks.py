"""One seat's stacks, deployed and destroyed straight through CloudFormation, without the CDK CLI.

Node.js for each of 200 seats would take longer than everything else. All but that is `kmslab.deployment`'s: faults
are repaired first, what stands is left alone, the SecureString is made, residue is removed.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from kmslab.classroom.assembly import EXECUTION_ROLE, waves
from kmslab.deployed import half_deployed, read_stacks
from kmslab.deployment import Deployment
from kmslab.model.errors import ExitCode, LabError
from kmslab.model.naming import PREFIX_TAG
from kmslab.model.persona import Persona
from kmslab.project import write_private
from kmslab.residue.clearing import empty_failed_buckets
from kmslab.residue.stacks import read_membership

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from kmslab.classroom.assembly import Template
    from kmslab.deployed import Stack

STACK_SECONDS = 900.0
"""How long one stack may take."""
LONGEST_PAUSE_SECONDS = 2.0
CAPABILITIES = ["CAPABILITY_NAMED_IAM"]
_UPDATABLE = frozenset(
    {"CREATE_COMPLETE", "UPDATE_COMPLETE", "IMPORT_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "ROLLBACK_FAILED"}
)
_TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": "cloudformation.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }
    ],
}


class Quiet:
    """Progress of one seat among many: the class's bar tells of whole seats."""

    def begin(self, what: str, doing: str) -> None:
        """Say nothing."""

    def advance(self, what: str, done: int, total: int) -> None:
        """Say nothing."""

    def end(self, what: str, outcome: str) -> None:
        """Say nothing."""


@dataclass(frozen=True, slots=True)
class SeatDeployment(Deployment):
    """The lab of one seat.

    Attributes:
        templates: as `kmslab.classroom.assembly.read` returns them.
        inputs: their digest.
    """

    templates: tuple[Template, ...] = field(kw_only=True)
    inputs: str = field(kw_only=True)

    def _digest(self) -> str:
        return self.inputs

    @property
    def _cloudformation(self) -> Any:
        return self.access.client(Persona.OPERATOR, "cloudformation")

    def _deploy(self, digest: str) -> None:
        standing = read_stacks(self.access)
        role = self._ensure_execution_role()
        for wave in waves(self.templates):
            self._wait([self._begin(one, standing.get(one.name), role) for one in wave])
        self._keep_record(digest)

    def _keep_record(self, digest: str) -> None:
        stacks = {stack.name: stack.stack_id for stack in read_stacks(self.access).values()}
        write_private(self._record, json.dumps({"inputs": digest, "stacks": stacks}))

    def _destroy(self, stacks: Mapping[str, Stack]) -> None:
        needs = {one.name: one.needs for one in self.templates}
        left = dict(stacks)
        while left:
            # What no other stack needs: those that the templates do not know go first.
            needed = {name for one in left for name in needs.get(one, ())}
            wave = [stack for name, stack in left.items() if name not in needed] or list(left.values())
            try:
                self._delete(wave)
            except LabError:
                # Log files that came after a bucket was emptied: this time nobody else empties it.
                if not list(empty_failed_buckets(self.access, read_membership(self.access))):
                    raise
                self._delete(wave)
            for stack in wave:
                del left[stack.name]

    def _delete(self, stacks: Iterable[Stack]) -> None:
        for stack in stacks:
            self._cloudformation.delete_stack(StackName=stack.stack_id)
        self._wait([stack.stack_id for stack in stacks], gone=True)

    def _begin(self, template: Template, standing: Stack | None, role: str) -> str:
        """Have a stack created or brought up to date; return its id."""
        from botocore.exceptions import ClientError

        request = {
            "TemplateBody": template.body,
            "Capabilities": CAPABILITIES,
            "RoleARN": role,
            "Tags": [{"Key": key, "Value": value} for key, value in template.tags.items()],
        }
        if standing and standing.status not in _UPDATABLE:
            self._delete([standing])
            standing = None
        if standing is None:
            made = self._cloudformation.create_stack(
                StackName=template.name, OnFailure="DO_NOTHING", **request
            )
            return str(made["StackId"])
        try:
            self._cloudformation.update_stack(StackName=standing.stack_id, **request)
        except ClientError as error:
            if "No updates are to be performed" not in str(error):
                raise
        return standing.stack_id

    def _wait(self, stack_ids: Iterable[str], *, gone: bool = False) -> None:
        """Return once every stack is done.

        Raises:
            LabError: one failed, or takes too long.
        """
        deadline = time.monotonic() + STACK_SECONDS
        for stack_id in stack_ids:
            pause = 0.05
            while (stack := self._look(stack_id)).in_progress:
                if time.monotonic() > deadline:
                    raise LabError(
                        f"Stack {stack.name} is {stack.status} after {STACK_SECONDS:.0f} s.",
                        hint="Run the command again: it goes on from there.",
                        exit_code=ExitCode.DEPLOYMENT,
                    )
                if self.access.stopping.wait(pause):
                    raise KeyboardInterrupt
                pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
            if not (stack.status == "DELETE_COMPLETE" if gone else stack.complete):
                raise half_deployed(self._with_reason(stack), "Run the command again: it goes on from there.")

    def _look(self, stack_id: str) -> Stack:
        from kmslab.deployed import Stack

        found = self._cloudformation.describe_stacks(StackName=stack_id)["Stacks"][0]
        return Stack(
            found["StackName"], found["StackId"], found["StackStatus"], found.get("StackStatusReason", "")
        )

    def _with_reason(self, stack: Stack) -> Stack:
        """Return the stack with the reason of the first resource that failed."""
        from kmslab.deployed import Stack

        events = self._cloudformation.describe_stack_events(StackName=stack.stack_id)["StackEvents"]
        failed = [
            f"{one['LogicalResourceId']}: {one['ResourceStatusReason']}"
            for one in reversed(events)
            if one.get("ResourceStatus", "").endswith("_FAILED")
            and one.get("ResourceStatusReason")
            and one["PhysicalResourceId"] != stack.stack_id
        ]
        return Stack(stack.name, stack.stack_id, stack.status, failed[0] if failed else stack.reason)

    def _ensure_execution_role(self) -> str:
        """Return the role as which CloudFormation acts, which the key policies name; make it if need be.

        It is what the standard bootstrap makes of it: CloudFormation's, with AdministratorAccess. It stays when
        the lab is destroyed, as the bootstrap does.
        """
        from botocore.exceptions import ClientError

        access = self.access
        name = EXECUTION_ROLE.replace("${AWS::AccountId}", access.account).replace(
            "${AWS::Region}", access.target.region
        )
        iam = access.client(Persona.OPERATOR, "iam")
        try:
            iam.create_role(
                RoleName=name,
                AssumeRolePolicyDocument=json.dumps(_TRUST),
                Description="KMS Lab, a seat of a class: as whom CloudFormation acts",
                Tags=[{"Key": PREFIX_TAG, "Value": access.prefix}],
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != "EntityAlreadyExists":
                raise
        else:
            iam.attach_role_policy(
                RoleName=name, PolicyArn=f"arn:{access.partition}:iam::aws:policy/AdministratorAccess"
            )
        return f"arn:{access.partition}:iam::{access.account}:role/{name}"
