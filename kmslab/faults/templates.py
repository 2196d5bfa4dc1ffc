"""The lab's synthesized templates, for making a fault's change where linters look."""

from __future__ import annotations

import json
from copy import deepcopy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from kmslab.model.naming import stack_name
from kmslab.model.outputs import LabOutputs, LabStack, Output

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from kmslab.faults.change import Json
    from kmslab.model.persona import Persona


@dataclass(frozen=True, slots=True)
class Resource:
    """One resource of a template; changing ``body`` changes the template.

    Attributes:
        stack: whose template holds it.
        logical_id: its name in the template.
        body: ``Type``, ``Properties``, ...
    """

    stack: LabStack
    logical_id: str
    body: Json

    @property
    def type(self) -> str:
        """``AWS::S3::Bucket``."""
        return str(self.body["Type"])

    @property
    def properties(self) -> Json:
        """Its properties, to read and to change."""
        properties: Json = self.body.setdefault("Properties", {})
        return properties


class Templates:
    """The templates of one lab, to be changed in place.

    Attributes:
        prefix: the lab's prefix.
        by_stack: the template of each deployed stack.
    """

    def __init__(self, prefix: str, by_stack: Mapping[LabStack, Json]) -> None:
        self.prefix = prefix
        self.by_stack = dict(by_stack)

    @classmethod
    def read(cls, assembly: Path, prefix: str) -> Self:
        """Read them from a cloud assembly."""
        found = {}
        for stack in LabStack:
            file = assembly / f"{stack_name(prefix, stack)}.template.json"
            if file.is_file():
                found[stack] = json.loads(file.read_text(encoding="utf-8"))
        return cls(prefix, found)

    def write(self, folder: Path) -> None:
        """Write them, named as in a cloud assembly."""
        for stack, template in self.by_stack.items():
            file = folder / f"{stack_name(self.prefix, stack)}.template.json"
            file.write_text(json.dumps(template, indent=1), encoding="utf-8")

    def copy(self) -> Templates:
        """Return templates that can be changed without changing these."""
        return Templates(self.prefix, deepcopy(self.by_stack))

    def resource(self, what: Output | str, stack: LabStack | None = None) -> Resource:
        """Return the resource that an output exports, or that has a logical id.

        Args:
            what: an output of the lab (``LabOutputs.data_bucket``), or a logical id.
            stack: for a logical id: where to look, unless only one stack has it.

        Raises:
            KeyError: there is none, or more than one.
        """
        if isinstance(what, Output):
            exported = self.by_stack[what.stack]["Outputs"][what.logical_id]["Value"]
            return self.resource(_referred(exported), what.stack)
        found = [one for one in self._all(stack) if one.logical_id == what]
        return _only(found, what)

    def of_type(self, kind: str, stack: LabStack | None = None) -> list[Resource]:
        """Return every resource of a type (``AWS::S3::Bucket``), of one stack or of all."""
        return [one for one in self._all(stack) if one.type == kind]

    def about(self, what: Output, kind: str, by: str) -> Resource:
        """Return the one resource of a type, in the same stack, whose property refers to an output's resource.

        For example a bucket's policy: ``about(LabOutputs.data_bucket, "AWS::S3::BucketPolicy", "Bucket")``,
        or a key's alias: ``about(LabOutputs.key_app, "AWS::KMS::Alias", "TargetKeyId")``.

        Raises:
            KeyError: there is none, or more than one.
        """
        logical_id = self.resource(what).logical_id
        found = [
            one
            for one in self.of_type(kind, what.stack)
            if isinstance(one.properties.get(by), dict) and _referred(one.properties[by]) == logical_id
        ]
        return _only(found, f"{kind} of {what.name}")

    def role(self, persona: Persona) -> Resource:
        """Return a persona's role."""
        return self.resource(self._role_output(persona))

    def role_arn(self, persona: Persona) -> Json:
        """Return what stands for a persona's role ARN in every stack of the lab."""
        name = f"{self.prefix}-{persona}"
        return {"Fn::Sub": f"arn:${{AWS::Partition}}:iam::${{AWS::AccountId}}:role/{name}"}

    def value(self, what: Output, within: LabStack) -> Json:
        """Return what stands for an output's value in a template.

        Args:
            what: the output.
            within: the stack whose template will hold it: in its own, the resource; in another, an import.

        Raises:
            KeyError: its stack exports no such value.
        """
        exported = self.by_stack[what.stack]["Outputs"][what.logical_id]["Value"]
        if within is what.stack:
            return deepcopy(exported)
        for output in self.by_stack[what.stack]["Outputs"].values():
            if output["Value"] == exported and "Export" in output:
                return {"Fn::ImportValue": output["Export"]["Name"]}
        raise KeyError(f"{what.name} is not exported to other stacks")

    def _all(self, stack: LabStack | None) -> list[Resource]:
        return [
            Resource(one, logical_id, body)
            for one, template in self.by_stack.items()
            if stack in {None, one}
            for logical_id, body in template["Resources"].items()
        ]

    @staticmethod
    def _role_output(persona: Persona) -> Output:
        name = f"role_{persona.replace('-', '_')}"
        return next(output for output in LabOutputs.all() if output.name == name)


def _referred(value: Any) -> str:
    """The logical id that ``Ref`` or ``Fn::GetAtt`` names; empty for anything else."""
    if "Fn::GetAtt" in value:
        return str(value["Fn::GetAtt"][0])
    return str(value.get("Ref", ""))


def _only(found: list[Resource], what: str) -> Resource:
    if len(found) != 1:
        raise KeyError(f"{len(found)} resources are {what}")
    return found[0]
