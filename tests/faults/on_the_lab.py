"""What every building block of faults is held to on the deployed lab."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kmslab.deployed import read_outputs
from kmslab.engine import control
from kmslab.faults.workshop import Workshop
from kmslab.lab import Access
from kmslab.project import Project
from kmslab.targets import owner_access

if TYPE_CHECKING:
    from collections.abc import Callable

    from kmslab.faults.change import Change
    from tests.conftest import DeployedLab


def open_workshop(deployed_lab: DeployedLab) -> Workshop:
    """The deployed lab in the hands of who breaks it."""
    access = Access(control.target(deployed_lab.home), "kms-lab")
    owner = owner_access(Project(deployed_lab.root, deployed_lab.home), access)
    return Workshop(access, read_outputs(access), owner)


def breaks_and_puts_back(workshop: Workshop, change: Change, look: Callable[[Workshop], Any]) -> None:
    """What a change breaks is seen, and put back exactly: also when nothing was broken, and also twice."""
    before = look(workshop)
    saved = change.save(workshop)
    assert look(workshop) == before, "reading changed something"
    change.restore(workshop, saved)
    assert look(workshop) == before, "a repair of what was never broken changed something"
    try:
        change.apply(workshop, saved)
        assert look(workshop) != before, "nothing was broken"
    finally:
        change.restore(workshop, saved)
    assert look(workshop) == before
    change.restore(workshop, saved)
    assert look(workshop) == before, "the second repair changed something"
