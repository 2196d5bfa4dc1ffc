"""What others notice of a fault: a scanner reports on the lab before and after, and what is new counts.

A linter reads templates: it gets those of the lab with the same change made in them. A fault that templates do
not hold (an object under another key, a grant left behind) cannot be noticed there: it counts as not noticed,
as it would in practice. A prober asks the target: it gets the lab while the fault is in place.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from kmslab.faults.ledger import Ledger, break_lab, repair

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from kmslab.faults import Fault
    from kmslab.faults.templates import Templates
    from kmslab.faults.workshop import Workshop


class Linter(Protocol):
    """A tool that reads templates.

    Attributes:
        name: of the tool, as its authors write it.
        version: which release is run.
    """

    name: str
    version: str

    def findings(self, folders: Sequence[Path]) -> list[frozenset[str]]:
        """Return what it reports of each folder of ``<stack>.template.json``.

        Each finding is a line that names stack, thing and rule, and is the same every time.
        """
        ...


class Prober(Protocol):
    """A tool that asks the target; its attributes are a linter's."""

    name: str
    version: str

    def findings(self, environment: Mapping[str, str]) -> frozenset[str]:
        """Return what it reports of the lab.

        Args:
            environment: variables with which the AWS SDKs reach the lab as its operator (`kmslab env`).
        """
        ...


@dataclass(frozen=True, slots=True)
class Noticed:
    """What a scanner notices.

    Attributes:
        scanner: its name.
        version: its release.
        reads: what it looks at: ``templates`` or ``lab``.
        shown: how many faults it was shown.
        faults: for each fault that it notices, the findings that are new with it.
    """

    scanner: str
    version: str
    reads: str
    shown: int
    faults: Mapping[str, tuple[str, ...]]


def noticed_by_linter(linter: Linter, faults: Sequence[Fault], templates: Templates) -> Noticed:
    """Give a linter the templates with each fault, all at once, and return what it notices.

    Args:
        linter: the tool.
        faults: to be shown; those that templates do not hold count as shown and not noticed.
        templates: the lab's, without a fault.
    """
    with tempfile.TemporaryDirectory(prefix="kmslab-score-") as root:
        whole = Path(root, "whole")
        whole.mkdir()
        templates.write(whole)
        folders = {fault.id: Path(root, fault.id) for fault in faults if _write(fault, templates, root)}
        before, *after = linter.findings([whole, *folders.values()])
    new = {name: tuple(sorted(found - before)) for name, found in zip(folders, after, strict=True)}
    noticed = {name: found for name, found in new.items() if found}
    return Noticed(linter.name, linter.version, "templates", len(faults), noticed)


def _write(fault: Fault, templates: Templates, root: str) -> bool:
    """Write the templates that a fault changes; False: it changes none."""
    changed = templates.copy()
    if not fault.change.in_template(changed):
        return False
    for stack, template in templates.by_stack.items():
        if changed.by_stack[stack] == template:
            del changed.by_stack[stack]
    folder = Path(root, fault.id)
    folder.mkdir()
    changed.write(folder)
    return True


def noticed_by_prober(
    prober: Prober,
    faults: Sequence[Fault],
    workshop: Workshop,
    environment: Mapping[str, str],
    note: Callable[[str], None],
) -> Noticed:
    """Make each fault in the lab, let a prober look, and repair it.

    Args:
        prober: the tool.
        faults: to be shown.
        workshop: where they are made and repaired.
        environment: of the lab.
        note: told of each fault.
    """
    ledger = Ledger(workshop.access)
    before = prober.findings(environment)
    noticed: dict[str, tuple[str, ...]] = {}
    for fault in faults:
        entry = break_lab(workshop, ledger, fault)
        try:
            found = tuple(sorted(prober.findings(environment) - before))
        finally:
            repair(workshop, ledger, entry)
        if found:
            noticed[fault.id] = found
        note(f"{prober.name}: {fault.id}: {len(found)} new")
    return Noticed(prober.name, prober.version, "lab", len(faults), noticed)
