"""Stacks that StackSets made, by the names that the lab gives its stacks.

StackSets names a stack ``StackSet-<name of the stack set>-<a UUID>`` (CloudFormation User Guide, "StackSets
concepts"; seen in every stack set's instances, and no parameter changes it). The stack sets of a class have the
names of the lab's stacks, so that the one follows from the other: whatever asks CloudFormation for
``kms-lab-keys`` gets the stack that the stack set of this name made in the account.
"""

from __future__ import annotations

import re
from typing import Any

from kmslab.model.naming import stack_name
from kmslab.model.outputs import LabStack

_MADE = re.compile(r"StackSet-(?P<name>.+)-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def lab_name(name: str, prefix: str) -> str:
    """Return the lab's name of a stack; any other stack's stays as it is."""
    found = _MADE.fullmatch(name)
    return found["name"] if found and found["name"] in _names(prefix) else name


def use_lab_names(client: Any, prefix: str) -> None:
    """Have a client of CloudFormation take and give the lab's names.

    Args:
        client: of an account in which StackSets made the lab's stacks.
        prefix: the lab's.
    """
    names = _Names(client, prefix)
    client.meta.events.register("provide-client-params.cloudformation", names.ask_by_theirs)
    client.meta.events.register("after-call.cloudformation", names.answer_by_ours)


def _names(prefix: str) -> frozenset[str]:
    return frozenset(stack_name(prefix, stack) for stack in LabStack)


class _Names:
    """Of one client."""

    def __init__(self, client: Any, prefix: str) -> None:
        self._client, self._prefix = client, prefix

    def ask_by_theirs(self, params: dict[str, Any], **_: Any) -> dict[str, Any] | None:
        """Put the made stack's id in the place of the lab's name: a handler of ``provide-client-params``."""
        wanted = params.get("StackName")
        if wanted not in _names(self._prefix):
            return None
        for page in self._client.get_paginator("describe_stacks").paginate():
            for stack in page["Stacks"]:
                if stack["StackName"] == wanted and _MADE.search(stack["StackId"]):
                    return {**params, "StackName": stack["StackId"]}
        return None

    def answer_by_ours(self, parsed: dict[str, Any], **_: Any) -> None:
        """Put the lab's names in the place of the made stacks': a handler of ``after-call``."""
        self._rename(parsed)

    def _rename(self, value: Any) -> None:
        if isinstance(value, dict):
            if isinstance(name := value.get("StackName"), str):
                value["StackName"] = lab_name(name, self._prefix)
            for inner in value.values():
                self._rename(inner)
        elif isinstance(value, list):
            for inner in value:
                self._rename(inner)
