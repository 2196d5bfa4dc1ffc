"""The register of faults: what a fault declares. How it is broken and repaired is its `Change`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kmslab.faults.change import Change

FaultFunction = Callable[[], "Change"]
"""Returns what the fault changes."""

REGISTRY: dict[str, Fault] = {}


@dataclass(frozen=True, slots=True)
class Fault:
    """One realistic way in which one control of the deployed lab breaks.

    Attributes:
        id: ``<module>.<function>`` in kebab case.
        title: first line of the docstring: what is broken, as one would find it.
        explanation: the rest of the docstring: what that leads to; may be empty.
        guide: name of the guide page it belongs to (``04-s3``).
        noticed_by: ids of the checks that must answer FAIL while it is in place.
        also: words as ``kmslab verify --only`` takes them (``s3``, ``s3.copy``, an id): checks that it affects
            too, and that may answer FAIL or ERROR. Every other check stays PASS.
        make: makes the change.
    """

    id: str
    title: str
    explanation: str
    guide: str
    noticed_by: tuple[str, ...]
    also: tuple[str, ...]
    make: FaultFunction

    @property
    def change(self) -> Change:
        """What it changes on a target, or in templates."""
        return self.make()


def fault(
    *, guide: str, noticed_by: tuple[str, ...], also: tuple[str, ...] = ()
) -> Callable[[FaultFunction], FaultFunction]:
    """Register a function as a fault; its docstring is what a learner reads once it is repaired."""

    def register(function: FaultFunction) -> FaultFunction:
        module = function.__module__.rpartition(".")[2]
        fault_id = f"{module}.{function.__name__}".replace("_", "-")
        if fault_id in REGISTRY:
            raise ValueError(f"two faults are called {fault_id}")
        title, _, rest = (function.__doc__ or "").strip().partition("\n")
        REGISTRY[fault_id] = Fault(fault_id, title, " ".join(rest.split()), guide, noticed_by, also, function)
        return function

    return register
