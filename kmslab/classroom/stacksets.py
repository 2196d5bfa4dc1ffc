"""CloudFormation StackSets: one stack set a stack of the lab, one instance a seat.

Source of calls, parameters and states: botocore's model of CloudFormation, and the CloudFormation User Guide,
"Managing stacks across accounts and Regions with StackSets", read 2026-11-22. No AWS account was at hand: the
calls are tested against that model, and unproven on AWS.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kmslab.classroom.stacks import CAPABILITIES
from kmslab.model.deployers import SELF_MANAGED_ROLE, SERVICE_MANAGED_ROLE
from kmslab.model.errors import ExitCode, LabError
from kmslab.model.naming import PREFIX_TAG
from kmslab.model.persona import Persona

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from kmslab.classroom.assembly import Template
    from kmslab.classroom.seats import Seat
    from kmslab.lab import Access

PREFERENCES = {
    "RegionConcurrencyType": "PARALLEL",
    "FailureTolerancePercentage": 100,
    "MaxConcurrentPercentage": 100,
    "ConcurrencyMode": "SOFT_FAILURE_TOLERANCE",
}
"""All seats at once as far as StackSets' quotas let it, and none stops for another one that failed."""
OPERATION_SECONDS = 4 * 3600.0
"""How long one operation may take; an interrupted command finds it again."""
_LONGEST_PAUSE_SECONDS = 15.0
_WORKING = frozenset({"RUNNING", "QUEUED", "STOPPING"})


@dataclass(frozen=True, slots=True)
class StackSets:
    """The stack sets of a class, in the trainer's account.

    Attributes:
        access: as the trainer.
        ou: with service-managed permissions: the organizational unit; empty: self-managed.
    """

    access: Access
    ou: str = ""

    @property
    def execution_role(self) -> str:
        """Name or pattern of the role as which the stacks are made; the key policies name it."""
        return SERVICE_MANAGED_ROLE if self.ou else SELF_MANAGED_ROLE

    @property
    def _client(self) -> Any:
        return self.access.client(Persona.OPERATOR, "cloudformation")

    def deploy(self, template: Template, seats: Sequence[Seat]) -> dict[str, str]:
        """Bring one stack of every seat up to date. What is CURRENT already is not touched.

        Returns: of each seat that failed, why.

        Raises:
            LabError: the stack set is not ours, or an operation takes too long.
        """
        standing = self._stack_set(template.name)
        why: dict[str, str] = {}
        if standing is None:
            self._client.create_stack_set(**self._definition(template), **self._permissions())
        else:
            self._settled(template.name)
            if standing.get("TemplateBody") != template.body:
                operation = self._client.update_stack_set(
                    **self._definition(template), **self._model(), OperationPreferences=PREFERENCES
                )
                # Where it failed the instance is not CURRENT, and is tried once more below.
                self._wait(template.name, operation["OperationId"])
        instances = self._instances(template.name)
        for region, group in _by_region(seats, self.access.target.region).items():
            missing = [seat for seat in group if instances.get((seat.account, region)) is None]
            stale = [seat for seat in group if instances.get((seat.account, region)) not in {None, "CURRENT"}]
            if missing:
                why |= self._operate("create_stack_instances", template.name, missing, region)
            if stale:
                # Of these instances alone: a template that is given would make all of them OUTDATED first.
                same = {**self._definition(template), **self._model(), "UsePreviousTemplate": True}
                del same["TemplateBody"]
                why |= self._operate("update_stack_set", template.name, stale, region, **same)
        return why

    def remove(self, name: str, seats: Sequence[Seat]) -> dict[str, str]:
        """Remove one stack of every seat, and the stack set once nobody has it.

        Returns: of each seat that failed, why.

        Raises:
            LabError: the stack set is not ours, or an operation takes too long.
        """
        if self._stack_set(name) is None:
            return {}
        self._settled(name)
        why: dict[str, str] = {}
        instances = self._instances(name)
        for region, group in _by_region(seats, self.access.target.region).items():
            if some := [seat for seat in group if (seat.account, region) in instances]:
                why |= self._operate("delete_stack_instances", name, some, region, RetainStacks=False)
        if not self._instances(name):
            self._client.delete_stack_set(StackSetName=name)
        return why

    def _operate(
        self, call: str, name: str, seats: Sequence[Seat], region: str, **more: Any
    ) -> dict[str, str]:
        """Do something with the instances of seats in one Region; return of each that failed, why."""
        started = getattr(self._client, call)(
            **{"StackSetName": name, **more},
            **self._targets(seats),
            Regions=[region],
            OperationPreferences=PREFERENCES,
        )
        return self._finished(name, started["OperationId"], seats)

    def _definition(self, template: Template) -> dict[str, Any]:
        return {
            "StackSetName": template.name,
            "TemplateBody": template.body,
            "Capabilities": CAPABILITIES,
            "Tags": [{"Key": key, "Value": value} for key, value in template.tags.items()],
        }

    def _model(self) -> dict[str, Any]:
        return {"PermissionModel": "SERVICE_MANAGED" if self.ou else "SELF_MANAGED"}

    def _permissions(self) -> dict[str, Any]:
        # Operations that do not touch the same instances need not wait for each other.
        managed = {**self._model(), "ManagedExecution": {"Active": True}}
        # A new account of the unit is no seat of this class, and is not named as a sandbox.
        return {**managed, "AutoDeployment": {"Enabled": False}} if self.ou else managed

    def _targets(self, seats: Iterable[Seat]) -> dict[str, Any]:
        accounts = [seat.account for seat in seats]
        if not self.ou:
            return {"Accounts": accounts}
        return {
            "DeploymentTargets": {
                "OrganizationalUnitIds": [self.ou],
                "Accounts": accounts,
                "AccountFilterType": "INTERSECTION",
            }
        }

    def _stack_set(self, name: str) -> Mapping[str, Any] | None:
        from botocore.exceptions import ClientError

        try:
            found: Mapping[str, Any] = self._client.describe_stack_set(StackSetName=name)["StackSet"]
        except ClientError as error:
            if error.response["Error"]["Code"] == "StackSetNotFoundException":
                return None
            raise
        tags = {tag["Key"]: tag["Value"] for tag in found.get("Tags", ())}
        if tags.get(PREFIX_TAG) != self.access.prefix:
            raise LabError(
                f"The stack set {name} exists but is not this lab's: it has no tag {PREFIX_TAG}={self.access.prefix}.",
                hint="Choose another prefix: -c kmslab.prefix=<name>.",
                exit_code=ExitCode.TARGET,
            )
        return found

    def _instances(self, name: str) -> dict[tuple[str, str], str]:
        """Return the status of each instance, by account and Region."""
        pages = self._client.get_paginator("list_stack_instances").paginate(StackSetName=name)
        return {(one["Account"], one["Region"]): one["Status"] for page in pages for one in page["Summaries"]}

    def _settled(self, name: str) -> None:
        """Wait for what an interrupted run began."""
        pages = self._client.get_paginator("list_stack_set_operations").paginate(StackSetName=name)
        for page in pages:
            for operation in page["Summaries"]:
                if operation["Status"] in _WORKING:
                    self._wait(name, operation["OperationId"])

    def _finished(self, name: str, operation: str, seats: Iterable[Seat]) -> dict[str, str]:
        """Wait for an operation; return of each seat that failed in it, why."""
        status = self._wait(name, operation)
        if status == "SUCCEEDED":
            return {}
        results: dict[str, tuple[str, str]] = {}
        pages = self._client.get_paginator("list_stack_set_operation_results").paginate(
            StackSetName=name, OperationId=operation
        )
        for page in pages:
            for one in page["Summaries"]:
                results[one["Account"]] = (one["Status"], one.get("StatusReason", ""))
        why = {}
        for seat in seats:
            said, reason = results.get(seat.account, (status, "StackSets did not come to it"))
            if said != "SUCCEEDED":
                why[seat.name] = f"stack set {name}: {said}: {' '.join(reason.split())}"
        return why

    def _wait(self, name: str, operation: str) -> str:
        pause, waited = 1.0, 0.0
        while True:
            status = str(
                self._client.describe_stack_set_operation(StackSetName=name, OperationId=operation)[
                    "StackSetOperation"
                ]["Status"]
            )
            if status not in _WORKING:
                return status
            if waited > OPERATION_SECONDS:
                raise LabError(
                    f"The stack set {name} is {status} after {OPERATION_SECONDS / 3600:.0f} hours.",
                    hint="Run the command again: it waits on.",
                    exit_code=ExitCode.DEPLOYMENT,
                )
            if self.access.stopping.wait(pause):
                raise KeyboardInterrupt
            waited += pause
            pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)


def _by_region(seats: Iterable[Seat], usual: str) -> dict[str, list[Seat]]:
    found: dict[str, list[Seat]] = defaultdict(list)
    for seat in seats:
        found[seat.region or usual].append(seat)
    return found
