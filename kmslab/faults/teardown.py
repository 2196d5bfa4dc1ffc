"""Faults of the teardown: what would still be there, and cost, when the lab is gone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kmslab.faults.changes.stacks import DeletionPolicy, Protected
from kmslab.faults.registry import fault
from kmslab.model.outputs import LabOutputs, LabStack

if TYPE_CHECKING:
    from kmslab.faults.change import Change

GUIDE = "01-orientation"


@fault(guide=GUIDE, noticed_by=("teardown.no-stack-is-protected",))
def a_stack_is_protected() -> Change:
    """The stack of the buckets is protected from being deleted.

    A good habit in production. Here `kmslab down` stops half way, and the buckets and their keys
    stay on the bill.
    """
    return Protected(LabStack.STORAGE)


@fault(guide=GUIDE, noticed_by=("teardown.nothing-is-retained",))
def a_volume_is_retained() -> Change:
    """The data volume outlives its stack (DeletionPolicy: Retain).

    Its key does not: it is scheduled for deletion with its own stack. What stays is a volume that costs and
    that nobody can ever read.
    """
    return DeletionPolicy(LabOutputs.data_volume, "Retain")


@fault(guide=GUIDE, noticed_by=("teardown.nothing-is-retained",))
def a_volume_leaves_a_snapshot() -> Change:
    """The data volume leaves a snapshot when its stack is deleted (DeletionPolicy: Snapshot).

    Found on the bill months later, with a name that nobody knows, under a key that no longer exists.
    """
    return DeletionPolicy(LabOutputs.data_volume, "Snapshot")
