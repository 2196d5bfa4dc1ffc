"""The register of faults: what a fault declares. How it is broken and repaired is its `Change`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kmslab.faults.change import Change
    from kmslab.model.outputs import LabOutputs, Output

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
        guide: name of the guide page it belongs to (``05-s3``).
        noticed_by: ids of the checks that must answer FAIL while it is in place.
        also: words as ``kmslab verify --only`` takes them (``s3``, ``s3.copy``, an id): checks that it affects
            too, and that may answer FAIL or ERROR. Every other check stays PASS.
        make: makes the change.
        part: name of the optional output without whose resource there is nothing to break; empty for most.
    """

    id: str
    title: str
    explanation: str
    guide: str
    noticed_by: tuple[str, ...]
    also: tuple[str, ...]
    make: FaultFunction
    part: str = ""

    @property
    def change(self) -> Change:
        """What it changes on a target, or in templates."""
        return self.make()

    def fits(self, outputs: LabOutputs) -> bool:
        """Whether what it breaks is deployed."""
        return not self.part or bool(getattr(outputs, self.part))


def fault(
    *, guide: str, noticed_by: tuple[str, ...], also: tuple[str, ...] = (), part: Output | None = None
) -> Callable[[FaultFunction], FaultFunction]:
    """Register a function as a fault; its docstring is what a learner reads once it is repaired.

    Args:
        guide: see `Fault`.
        noticed_by: see `Fault`.
        also: see `Fault`.
        part: the optional output whose resource it breaks: ``LabOutputs.kms_endpoint``.
    """

    def register(function: FaultFunction) -> FaultFunction:
        module = function.__module__.rpartition(".")[2]
        fault_id = f"{module}.{function.__name__}".replace("_", "-")
        if fault_id in REGISTRY:
            raise ValueError(f"two faults are called {fault_id}")
        title, _, rest = (function.__doc__ or "").strip().partition("\n")
        REGISTRY[fault_id] = Fault(
            fault_id,
            title,
            " ".join(rest.split()),
            guide,
            noticed_by,
            also,
            function,
            part.name if part else "",
        )
        return function

    return register
