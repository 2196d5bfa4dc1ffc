"""What others notice of a fault: a scanner reports on the lab before and after, and what is new counts.

A scanner that reads templates gets those of the lab with the same change made in them; one that asks
the target gets the lab while the fault is in place. A fault that templates do not hold (an object under
another key, a grant left behind) cannot be noticed there: it counts as not noticed, as it would in practice.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from kmslab.faults.ledger import Ledger, break_lab, repair

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from kmslab.faults import Fault
    from kmslab.faults.templates import Templates
    from kmslab.faults.workshop import Workshop


class Reads(StrEnum):
    """What a scanner looks at."""

    TEMPLATES = "templates"
    LAB = "lab"


@dataclass(frozen=True, slots=True)
class Subject:
    """What a scanner is given.

    Attributes:
        templates: folder with one ``<stack>.template.json`` for each stack.
        environment: variables with which the AWS SDKs reach the lab as its operator (`kmslab env`).
    """

    templates: Path
    environment: Mapping[str, str]


class Scanner(Protocol):
    """A tool that reports findings.

    Attributes:
        name: of the tool, as its authors write it.
        version: which release is run.
        reads: what it looks at.
    """

    name: str
    version: str
    reads: Reads

    def findings(self, subject: Subject) -> frozenset[str]:
        """Return what it reports: each finding in one line that says rule and thing, the same every time."""
        ...


@dataclass(frozen=True, slots=True)
class Noticed:
    """What a scanner notices.

    Attributes:
        scanner: its name.
        version: its release.
        reads: what it looks at.
        faults: for each fault that it notices, the findings that are new with it.
    """

    scanner: str
    version: str
    reads: Reads
    faults: Mapping[str, tuple[str, ...]]


def noticed_by(
    scanner: Scanner,
    faults: Sequence[Fault],
    workshop: Workshop,
    templates: Templates,
    environment: Mapping[str, str],
    note: Callable[[str], None],
) -> Noticed:
    """Show a scanner every fault and return what it notices; the lab is left as it was found.

    Args:
        scanner: the tool.
        faults: to be shown.
        workshop: where they are made and repaired.
        templates: the lab's, without a fault.
        environment: of the lab, for scanners that ask it.
        note: told of each fault.
    """
    with tempfile.TemporaryDirectory(prefix="kmslab-score-") as folder:
        whole = Subject(Path(folder), environment)
        templates.write(whole.templates)
        before = scanner.findings(whole)
        new: dict[str, tuple[str, ...]] = {}
        for fault in faults:
            found = tuple(sorted(_with(fault, scanner, workshop, templates, whole) - before))
            if found:
                new[fault.id] = found
            note(f"{scanner.name}: {fault.id}: {len(found)} new")
    return Noticed(scanner.name, scanner.version, scanner.reads, new)


def _with(
    fault: Fault, scanner: Scanner, workshop: Workshop, templates: Templates, whole: Subject
) -> frozenset[str]:
    """The findings while the fault is in place."""
    if scanner.reads is Reads.LAB:
        ledger = Ledger(workshop.access)
        entry = break_lab(workshop, ledger, fault)
        try:
            return scanner.findings(whole)
        finally:
            repair(workshop, ledger, entry)
    changed = templates.copy()
    if not fault.change.in_template(changed):
        return frozenset()
    with tempfile.TemporaryDirectory(prefix="kmslab-score-") as folder:
        changed.write(Path(folder))
        return scanner.findings(Subject(Path(folder), whole.environment))


SCANNERS: tuple[Scanner, ...] = ()
"""Those that are compared with the verifier."""
