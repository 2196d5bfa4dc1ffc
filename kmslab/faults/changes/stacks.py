"""What can be changed about the lab's stacks themselves, so that they do not go when the lab goes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from kmslab.faults.changes.setting import Setting
from kmslab.faults.templates import Templates
from kmslab.model.naming import stack_name

if TYPE_CHECKING:
    from kmslab.faults.workshop import Workshop
    from kmslab.model.outputs import LabStack, Output


class Protected(Setting):
    """A stack is protected from being deleted."""

    def __init__(self, stack: LabStack) -> None:
        self.stack = stack

    def read(self, workshop: Workshop) -> Any:
        """Return whether it is."""
        return _described(workshop, self.stack).get("EnableTerminationProtection", False)

    def write(self, workshop: Workshop, value: Any) -> None:
        """Protect it, or not."""
        workshop.client("cloudformation").update_termination_protection(
            StackName=stack_name(workshop.prefix, self.stack), EnableTerminationProtection=value
        )

    def broken(self, workshop: Workshop, value: Any) -> Any:
        """Return yes."""
        del workshop, value
        return True

    def in_template(self, templates: Templates) -> bool:
        """A template says nothing of it."""
        del templates
        return False


class DeletionPolicy(Setting):
    """A resource outlives its stack; the value is its deletion policy."""

    def __init__(self, what: Output, policy: str) -> None:
        """Take the resource that an output exports, and ``Retain`` or ``Snapshot``."""
        self.what = what
        self.policy = policy

    def read(self, workshop: Workshop) -> Any:
        """Return the deletion policy."""
        return self._templates(workshop).resource(self.what).body.get("DeletionPolicy")

    def write(self, workshop: Workshop, value: Any) -> None:
        """Deploy the stack with another one."""
        if value == self.read(workshop):
            return
        templates = self._templates(workshop)
        self._put(templates, value)
        described = _described(workshop, self.what.stack)
        name, client = described["StackName"], workshop.client("cloudformation")
        client.update_stack(
            StackName=name,
            TemplateBody=json.dumps(templates.by_stack[self.what.stack]),
            Capabilities=["CAPABILITY_NAMED_IAM"],
            Parameters=[
                {"ParameterKey": one["ParameterKey"], "UsePreviousValue": True}
                for one in described.get("Parameters", ())
            ],
        )
        client.get_waiter("stack_update_complete").wait(StackName=name, WaiterConfig={"Delay": 1})

    def broken(self, workshop: Workshop, value: Any) -> Any:
        """Return the other one."""
        del workshop, value
        return self.policy

    def in_template(self, templates: Templates) -> bool:
        """Put the other one."""
        self._put(templates, self.policy)
        return True

    def _put(self, templates: Templates, policy: str | None) -> None:
        body = templates.resource(self.what).body
        body["DeletionPolicy"] = policy
        if policy is None:
            del body["DeletionPolicy"]

    def _templates(self, workshop: Workshop) -> Templates:
        """The template with which the stack was deployed."""
        stack = self.what.stack
        found = workshop.client("cloudformation").get_template(StackName=stack_name(workshop.prefix, stack))
        return Templates(workshop.prefix, {stack: found["TemplateBody"]})


def _described(workshop: Workshop, stack: LabStack) -> Any:
    name = stack_name(workshop.prefix, stack)
    return workshop.client("cloudformation").describe_stacks(StackName=name)["Stacks"][0]
