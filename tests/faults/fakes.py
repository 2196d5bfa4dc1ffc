"""A fake Parameter Store for the ledger of faults, and a fault that breaks something in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kmslab.faults.ledger import Entry
from kmslab.faults.registry import Fault
from tests.checks.fakes import OUTPUTS, Refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from kmslab.faults.change import Change, Json
    from kmslab.faults.templates import Templates
    from kmslab.faults.workshop import Workshop
    from tests.checks.fakes import Request, World


def an_entry(**other: Any) -> Entry:
    """A ledger entry of a fault that exists."""
    given: dict[str, Any] = {
        "number": 1,
        "fault_id": "tags.a-key-has-lost-its-tag",
        "lab": OUTPUTS.key_app,
        "since": "2026-11-22T01:00:00Z",
        "mystery": False,
        "hints": 0,
        "saved": {"value": "kms-lab"},
    }
    return Entry(**{**given, **other})


def parameter_store(world: World, kept: dict[str, str] | None = None) -> World:
    """Let a world answer what the ledger asks of SSM.

    Args:
        world: to be told.
        kept: the parameters by name, to look into.
    """
    parameters = {} if kept is None else kept

    def put(request: Request) -> Mapping[str, Any]:
        name = request["Name"]
        if (name in parameters) is not request.get("Overwrite", False):
            raise Refusal("ParameterAlreadyExists", name)
        parameters[name] = request["Value"]
        return {"Version": 1}

    def read(request: Request) -> Mapping[str, Any]:
        path = request["Path"] + "/"
        found = [{"Name": n, "Value": v} for n, v in parameters.items() if n.startswith(path)]
        return {"Parameters": found}

    def delete(request: Request) -> Mapping[str, Any]:
        return {"DeletedParameters": [name for name in request["Names"] if parameters.pop(name, None)]}

    world.answers("ssm:PutParameter", put)
    world.answers("ssm:GetParametersByPath", read)
    return world.answers("ssm:DeleteParameters", delete)


class Setting:
    """A `Change` of one value in a dictionary that stands for the lab."""

    def __init__(self, lab: dict[str, Any], name: str, value: Any) -> None:
        self.lab = lab
        self.name = name
        self.value = value
        self.on_apply: Callable[[], None] = lambda: None
        self.on_restore: Callable[[], None] = lambda: None

    def save(self, workshop: Workshop) -> Json:
        del workshop
        return {"value": self.lab[self.name]}

    def apply(self, workshop: Workshop, saved: Json) -> None:
        del workshop, saved
        self.lab[self.name] = self.value
        self.on_apply()

    def restore(self, workshop: Workshop, saved: Json) -> None:
        del workshop
        self.on_restore()
        self.lab[self.name] = saved["value"]

    def in_template(self, templates: Templates) -> bool:
        del templates
        return False


def a_fault(name: str, change: Change, **other: Any) -> Fault:
    """A fault that is in no register."""
    given: dict[str, Any] = {
        "title": f"The {name} is wrong.",
        "explanation": "",
        "guide": "05-s3",
        "noticed_by": ("s3.copy-encrypts-anew",),
        "also": (),
    }
    return Fault(id=f"fake.{name}", make=lambda: change, **{**given, **other})
