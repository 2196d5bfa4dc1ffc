"""Faults of the teardown: what would still be there, and cost, when the lab is gone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kmslab.faults.changes.objects import StrayKey
from kmslab.faults.changes.stacks import Deployed, Protected
from kmslab.faults.registry import fault
from kmslab.model.outputs import LabOutputs, LabStack

if TYPE_CHECKING:
    from kmslab.faults.change import Change

GUIDE = "18-clean-up"


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
    return Deployed(LabOutputs.data_volume, "DeletionPolicy", value="Retain")


@fault(guide=GUIDE, noticed_by=("teardown.nothing-is-retained",))
def a_volume_leaves_a_snapshot() -> Change:
    """The data volume leaves a snapshot when its stack is deleted (DeletionPolicy: Snapshot).

    Found on the bill months later, with a name that nobody knows, under a key that no longer exists.
    """
    return Deployed(LabOutputs.data_volume, "DeletionPolicy", value="Snapshot")


@fault(guide=GUIDE, noticed_by=("teardown.every-key-says-how-long-it-waits",))
def a_key_waits_a_month() -> Change:
    """The key for S3 no longer says how long it waits for its deletion.

    KMS's default is 30 days, not the lab's seven: for a month whoever destroyed the lab is asked what
    these keys are.
    """
    return Deployed(LabOutputs.key_s3, "Properties", "PendingWindowInDays")


@fault(
    guide=GUIDE,
    noticed_by=("teardown.everything-tagged-belongs-to-a-stack", "inventory.no-key-is-outside-the-stacks"),
)
def a_key_is_of_no_stack() -> Change:
    """Somebody made a key by hand and tagged it as the lab's.

    It is in every list of the lab's keys and in none of its stacks: nobody rotates it, watches it or
    deletes it, and it costs a dollar a month for ever.
    """
    return StrayKey("by-hand")
