"""What can be changed about the lab's stacks themselves, so that they do not go when the lab goes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from kmslab.faults.changes.setting import Setting
from kmslab.faults.templates import Templates
from kmslab.model.naming import stack_name

if TYPE_CHECKING:
    from kmslab.faults.change import Json
    from kmslab.faults.workshop import Workshop
    from kmslab.model.outputs import LabStack, Output

BETWEEN_LOOKS = 2
"""Seconds between two looks at a stack that is being updated."""


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


class Deployed(Setting):
    """A stack was deployed with another template: a member of one resource is different, or gone."""

    def __init__(self, what: Output, *path: str, value: Any = None) -> None:
        """Say what is different.

        Args:
            what: the output that exports the resource.
            path: of the member: ``"DeletionPolicy"``, or ``"Properties", "PendingWindowInDays"``.
            value: JSON; None: the member is gone.
        """
        self.what = what
        self.path = path
        self.value = value

    def read(self, workshop: Workshop) -> Any:
        """Return the member; None: it is not there."""
        parent, name = self._place(self._templates(workshop))
        return parent.get(name)

    def write(self, workshop: Workshop, value: Any) -> None:
        """Deploy the stack with another one."""
        templates = self._templates(workshop)
        parent, name = self._place(templates)
        if parent.get(name) == value:
            return
        _put(parent, name, value)
        described, client = _described(workshop, self.what.stack), workshop.client("cloudformation")
        client.update_stack(
            StackName=described["StackName"],
            TemplateBody=json.dumps(templates.by_stack[self.what.stack], separators=(",", ":")),
            Capabilities=["CAPABILITY_NAMED_IAM"],
            Parameters=[
                {"ParameterKey": one["ParameterKey"], "UsePreviousValue": True}
                for one in described.get("Parameters", ())
            ],
        )
        waiter = client.get_waiter("stack_update_complete")
        waiter.wait(StackName=described["StackName"], WaiterConfig={"Delay": BETWEEN_LOOKS})

    def broken(self, workshop: Workshop, value: Any) -> Any:
        """Return the other one."""
        del workshop, value
        return self.value

    def in_template(self, templates: Templates) -> bool:
        """Put the other one."""
        _put(*self._place(templates), self.value)
        return True

    def _place(self, templates: Templates) -> tuple[Json, str]:
        parent = templates.resource(self.what).body
        for name in self.path[:-1]:
            parent = parent[name]
        return parent, self.path[-1]

    def _templates(self, workshop: Workshop) -> Templates:
        """The template with which the stack was deployed."""
        stack = self.what.stack
        found = workshop.client("cloudformation").get_template(StackName=stack_name(workshop.prefix, stack))
        return Templates(workshop.prefix, {stack: found["TemplateBody"]})


def _put(parent: Json, name: str, value: Any) -> None:
    parent[name] = value
    if value is None:
        del parent[name]


def _described(workshop: Workshop, stack: LabStack) -> Any:
    name = stack_name(workshop.prefix, stack)
    return workshop.client("cloudformation").describe_stacks(StackName=name)["Stacks"][0]
