"""What a deleted stack owned is told for as long as the stack is: MiniStack forgets it with the resource.

CloudFormation API Reference, "ListStackResources": for deleted stacks it returns resource information for up to
90 days; they are named by their id.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ministack.services import cloudformation
from ministack.services.cloudformation import handlers, helpers

from kmslab.engine.hooks import extend_entry

if TYPE_CHECKING:
    from collections.abc import Callable

    from kmslab.engine.cloudformation.resources import Response

GONE = "DELETE_COMPLETE"


def _list_stack_resources(stock: Callable[[Any], Response], params: dict[str, Any]) -> Response:
    """Tell what a deleted stack owned, from its events."""
    stack = handlers._resolve_stack(helpers._p(params, "StackName"))
    if stack is None or stack.get("StackStatus") != GONE or stack.get("_resources"):
        return stock(params)
    stack["_resources"] = _from_events(cloudformation._stack_events.get(stack["StackId"], []))
    try:
        return stock(params)
    finally:
        stack["_resources"] = {}


def _from_events(events: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        event["LogicalResourceId"]: {
            "PhysicalResourceId": event.get("PhysicalResourceId", ""),
            "ResourceType": event["ResourceType"],
            "ResourceStatus": event["ResourceStatus"],
            "Timestamp": event["Timestamp"],
        }
        for event in events
        if event["ResourceStatus"] == GONE and event["ResourceType"] != "AWS::CloudFormation::Stack"
    }


def install() -> None:
    """Apply the hook."""
    extend_entry(handlers, "_ACTION_HANDLERS", "ListStackResources", "params")(_list_stack_resources)
