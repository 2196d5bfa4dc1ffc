"""What a fault changes: on a target, so that it can be put back, and in templates, for those that only read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

if TYPE_CHECKING:
    from kmslab.faults.templates import Templates
    from kmslab.faults.workshop import Workshop

Json: TypeAlias = "dict[str, Any]"
"""What `json.dumps` takes and gives back equal: string keys, no tuples, no dates, no bytes."""


class Change(Protocol):
    """Something that is broken on a target and put back as it was.

    What `save` returns is kept in the target before `apply` runs, so that whoever comes later can
    repair what a crash left: nothing that `restore` needs may be known only after `apply`. What an
    `apply` makes new, `restore` finds by name or by the tag `kmslab.faults.workshop.FAULT_TAG`.
    """

    def save(self, workshop: Workshop) -> Json:
        """Read what is there now, and change nothing.

        Returns: what `apply` and `restore` need; nothing secret. The whole ledger entry has room for
            4,096 characters after compression: about 20 KB of policies.
        """
        ...

    def apply(self, workshop: Workshop, saved: Json) -> None:
        """Break it."""
        ...

    def restore(self, workshop: Workshop, saved: Json) -> None:
        """Put back what was saved: also after half an `apply`, and also when it has been put back already."""
        ...

    def in_template(self, templates: Templates) -> bool:
        """Make the same change in synthesized templates.

        Returns: whether it could; False: templates do not hold what this changes.
        """
        ...


class NothingSaved:
    """Half of a change that adds something, or does what is undone without knowing how things were.

    Nothing is saved; and what stacks are made from does not say it, unless a class says otherwise.
    """

    __slots__ = ()

    def save(self, workshop: Workshop) -> Json:
        """Save nothing."""
        del workshop
        return {}

    def in_template(self, templates: Templates) -> bool:
        """Leave templates alone."""
        del templates
        return False


class Both:
    """Several changes that make one fault together; put back in reverse order."""

    def __init__(self, *changes: Change) -> None:
        self.changes = changes

    def save(self, workshop: Workshop) -> Json:
        """Read what each of them needs."""
        return {"changes": [change.save(workshop) for change in self.changes]}

    def apply(self, workshop: Workshop, saved: Json) -> None:
        """Make one after the other."""
        for change, own in zip(self.changes, saved["changes"], strict=True):
            change.apply(workshop, own)

    def restore(self, workshop: Workshop, saved: Json) -> None:
        """Put all of them back, the last one first."""
        for change, own in reversed([*zip(self.changes, saved["changes"], strict=True)]):
            change.restore(workshop, own)

    def in_template(self, templates: Templates) -> bool:
        """Make all of them, or none: with one missing it would be another fault."""
        changed = templates.copy()
        if not all(change.in_template(changed) for change in self.changes):
            return False
        templates.by_stack.update(changed.by_stack)
        return True
