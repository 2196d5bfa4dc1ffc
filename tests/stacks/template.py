"""Reads synthesized templates, and writes the names in policies the short way."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kmslab.model.naming import stack_name

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Json = dict[str, Any]

ACCOUNT = {"AWS": {"Fn::Sub": "arn:${AWS::Partition}:iam::${AWS::AccountId}:root"}}
"""The account as a principal."""
ROOT_USER = {"Fn::Sub": "arn:${AWS::Partition}:iam::${AWS::AccountId}:root"}
CLOUDFORMATION = {
    "Fn::Sub": "arn:${AWS::Partition}:iam::${AWS::AccountId}:role/"
    "cdk-hnb659fds-cfn-exec-role-${AWS::AccountId}-${AWS::Region}"
}


def role(persona: str) -> Json:
    """ARN of a persona's role."""
    return {"Fn::Sub": f"arn:${{AWS::Partition}}:iam::${{AWS::AccountId}}:role/kms-lab-{persona}"}


def endpoint(service: str) -> Json:
    """Name of a service's endpoint, as in ``kms:ViaService``."""
    return {"Fn::Sub": f"{service}.${{AWS::Region}}.amazonaws.com"}


@dataclass(frozen=True)
class Assembly:
    """A synthesized cloud assembly."""

    folder: Path

    def stacks(self) -> list[str]:
        """The stacks' names without the prefix."""
        return sorted(
            file.name.removeprefix("kms-lab-").removesuffix(".template.json")
            for file in self.folder.glob("kms-lab-*.template.json")
        )

    def file(self, stack: str) -> Path:
        """The stack's template as a file."""
        return self.folder / f"{stack_name('kms-lab', stack)}.template.json"

    def template(self, stack: str) -> Json:
        """The stack's template."""
        read: Json = json.loads(self.file(stack).read_text(encoding="utf-8"))
        return read

    def resources(self, kind: str, stack: str = "") -> dict[str, Json]:
        """The resources of a type by logical id, with all their attributes."""
        return {
            name: resource
            for where in ([stack] if stack else self.stacks())
            for name, resource in self.template(where)["Resources"].items()
            if resource["Type"] == kind
        }

    def properties(self, stack: str, name: str) -> Json:
        """The properties of one resource."""
        found: Json = self.template(stack)["Resources"][name]["Properties"]
        return found

    def only(self, kind: str, stack: str) -> Json:
        """The properties of the stack's one resource of a type."""
        (found,) = self.resources(kind, stack).values()
        properties: Json = found["Properties"]
        return properties

    def statements(self) -> Iterator[tuple[str, Json]]:
        """Every statement of every policy, with a name for where it stands."""
        for stack in self.stacks():
            for name, resource in self.template(stack)["Resources"].items():
                for found in _statements(resource.get("Properties", {})):
                    yield f"{stack}/{name}", found


def actions(statement: Json) -> list[str]:
    """The statement's actions as a list."""
    found = statement.get("Action", [])
    return [found] if isinstance(found, str) else list(found)


def _statements(value: Any) -> Iterator[Json]:
    if isinstance(value, dict):
        for key, inner in value.items():
            if key == "Statement":
                yield from inner
            else:
                yield from _statements(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _statements(inner)
