"""``kmslab break``, ``kmslab repair``, ``kmslab faults``: exercises in breaking and mending the lab."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import groupby
from random import SystemRandom
from typing import TYPE_CHECKING

from kmslab.classroom.shells import tell_the_class
from kmslab.commands.settings import as_typed, context_for
from kmslab.commands.settling import until_it_counts
from kmslab.deployed import read_outputs
from kmslab.faults import REGISTRY
from kmslab.faults.cloudformation import OwnerNeededError
from kmslab.faults.ledger import Ledger, break_lab, from_the_newest, in_place, repair, with_hint
from kmslab.faults.workshop import Workshop
from kmslab.lab import Access
from kmslab.model.errors import ExitCode, LabError
from kmslab.model.settings import LabSettings
from kmslab.model.target import TargetKind
from kmslab.model.verdict import Outcome
from kmslab.project import find_project
from kmslab.targets import aws_errors_in_one_line, choose_target, owner_access, require_sandbox
from kmslab.terminal import out, print_json, say
from kmslab.turns import exclusively

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from kmslab.faults import Fault
    from kmslab.faults.ledger import Entry


PAGE = """# Faults

What can be broken in the lab to see who notices: `kmslab break <fault>`, then `kmslab verify`, then
`kmslab repair`. This page is generated: `kmslab faults --format markdown > docs/faults.md`. It spoils the
mysteries of `kmslab break --random`.

There are {count} faults, by the page of the course that they belong to.
"""


@dataclass(frozen=True, slots=True)
class Where:
    """Which lab a command is about.

    Attributes:
        kind: local or AWS.
        values: ``-c`` options.
    """

    kind: TargetKind
    values: Sequence[str]

    def typed(self, command: str, *others: str) -> str:
        """Return another command on the same lab as one would type it."""
        if self.kind is TargetKind.AWS:
            return as_typed(command, self.values, *others)
        return " ".join(("kmslab", command, *others))


@contextmanager
def _opened(where: Where, command: str, *others: str) -> Iterator[tuple[Workshop, Ledger]]:
    """Open the deployed lab for a command that changes it, alone."""
    project = find_project()
    settings = LabSettings.from_project(project.root, context_for(project, where.values))
    access = Access(choose_target(project, where.kind), settings.prefix)
    with aws_errors_in_one_line():
        require_sandbox(access, settings, as_typed(command, where.values, *others))
        with exclusively(project):
            outputs = read_outputs(access)
            try:
                yield Workshop(access, outputs, owner_access(project, access)), Ledger(access)
            finally:
                tell_the_class(project, access)


def break_one(where: Where, fault_id: str) -> None:
    """Make the fault of that name.

    Raises:
        LabError: there is none, it is in place already, or this target does not let us make it.
    """
    fault = _known(fault_id)
    with _opened(where, "break", fault_id) as (workshop, ledger), _on_record(where):
        break_lab(workshop, ledger, fault)
        _settle(workshop, fault.noticed_by, Outcome.FAIL)
    say(out, f"Broken: {fault.title}")
    say(out, f"Who notices? `{where.typed('verify')}`. Put it right: `{where.typed('repair')}`.")


def break_any(where: Where, guide: str) -> None:
    """Make a fault without saying which: one of a guide page, if that is given.

    Raises:
        LabError: no fault is left to make.
    """
    candidates = _of_guide(guide)
    SystemRandom().shuffle(candidates)
    options = ("--random", *(("--guide", guide) if guide else ()))
    with _opened(where, "break", *options) as (workshop, ledger), _on_record(where):
        broken = {entry.fault_id for entry in in_place(workshop, ledger)}
        for fault in candidates:
            if (
                fault.fits(workshop.outputs)
                and fault.id not in broken
                and _could_break(workshop, ledger, fault)
            ):
                _settle(workshop, fault.noticed_by, Outcome.FAIL)
                break
        else:
            raise LabError(
                "No fault is left that could be made here.", hint=f"`{where.typed('repair', '--all')}`."
            )
    say(out, f"Something is broken{f' that guide {guide} is about' if guide else ''}.")
    say(
        out,
        f"Find it: `{where.typed('verify')}`. A hint: `{where.typed('faults', '--hint')}`. "
        f"The solution: `{where.typed('repair')}`.",
    )


def _could_break(workshop: Workshop, ledger: Ledger, fault: Fault) -> bool:
    """Make a mystery, unless it takes the root user, whom this target does not lend."""
    try:
        break_lab(workshop, ledger, fault, mystery=True)
    except OwnerNeededError:
        return False
    return True


@contextmanager
def _on_record(where: Where) -> Iterator[None]:
    """Say on Ctrl-C how to put right what is broken by then; doing the same again would not go on from there."""
    try:
        yield
    except KeyboardInterrupt as interrupt:
        raise LabError(
            "Interrupted. What is broken by now is on record.",
            hint=f"Put it right: `{where.typed('repair', '--all')}`.",
            exit_code=ExitCode.INTERRUPTED,
        ) from interrupt


def repair_some(where: Where, fault_id: str, *, everything: bool) -> None:
    """Repair a fault and those that were made after it, the only one in place, or all of them.

    Raises:
        LabError: the fault is not in place, or several are and none is named.
    """
    if fault_id:
        _known(fault_id)
    with _opened(where, "repair", *([fault_id] if fault_id else [])) as (workshop, ledger):
        entries = in_place(workshop, ledger)
        last = _meant(entries, fault_id, where) if not everything else None
        for entry in from_the_newest(entries, last):
            repair(workshop, ledger, entry)
            say(out, f"Repaired {entry.fault_id}: {entry.fault.title} {entry.fault.explanation}".strip())
            if entry.mystery:
                say(out, f"  It is noticed by {', '.join(entry.fault.noticed_by)}.")
        repaired = {check for entry in from_the_newest(entries, last) for check in entry.fault.noticed_by}
        broken = {check for entry in in_place(workshop, ledger) for check in entry.fault.noticed_by}
        _settle(workshop, repaired - broken, Outcome.PASS)
    if not entries:
        say(out, "No fault is in place.")


def _settle(workshop: Workshop, checks: Collection[str], outcome: Outcome) -> None:
    """Wait until what was changed counts; say so where that takes longer than it should."""
    if not until_it_counts(workshop, checks, outcome):
        say(out, "Not everybody knows of the change yet: permissions settle late. Verify in a few minutes.")


def _meant(entries: Sequence[Entry], fault_id: str, where: Where) -> Entry | None:
    """The entry of a fault; without a name, the only one."""
    if fault_id:
        for entry in entries:
            if entry.fault_id == fault_id:
                return entry
        raise LabError(f"{fault_id} is not in place.", hint=f"`{where.typed('faults', '--in-place')}`.")
    if len(entries) > 1:
        raise LabError(
            f"{len(entries)} faults are in place.",
            hint=f"Name one, or repair all of them: `{where.typed('repair', '--all')}`.",
        )
    return entries[0] if entries else None


def hint(where: Where) -> None:
    """Say a little more about the newest mystery than the last time.

    Raises:
        LabError: no mystery is in place.
    """
    with _opened(where, "faults", "--hint") as (workshop, ledger):
        mysteries = [entry for entry in in_place(workshop, ledger) if entry.mystery]
        if not mysteries:
            raise LabError(
                "No mystery is in place.", hint=f"Ask for one: `{where.typed('break', '--random')}`."
            )
        fault = mysteries[-1].fault
        topic = fault.noticed_by[0].partition(".")[0]
        hints = (
            f"It belongs to the guide {fault.guide}: read lab_guides/{fault.guide}.md.",
            f"The topic {topic} notices it: `{where.typed('verify', '--only', topic)}`.",
            f"It is this: {fault.title}",
        )
        given = with_hint(ledger, mysteries[-1]).hints
    say(out, hints[min(given, len(hints)) - 1])


def show_catalogue(guide: str, *, as_json: bool) -> None:
    """Print every fault, or those of a guide page."""
    faults = _of_guide(guide)
    if as_json:
        print_json(
            [
                {
                    "id": fault.id,
                    "title": fault.title,
                    "explanation": fault.explanation,
                    "guide": fault.guide,
                    "noticed_by": fault.noticed_by,
                }
                for fault in faults
            ]
        )
        return
    _table(
        ("fault", "what is broken", "guide", "noticed by"),
        [(fault.id, fault.title, fault.guide, "\n".join(fault.noticed_by)) for fault in faults],
    )


def show_page(guide: str) -> None:
    """Print every fault as the page ``docs/faults.md``."""
    faults = _of_guide(guide)
    lines = [PAGE.format(count=len(faults))]
    for page, of_page in groupby(faults, key=lambda fault: fault.guide):
        lines += [f"## {page}", ""]
        for fault in of_page:
            noticed = ", ".join(f"`{check}`" for check in fault.noticed_by)
            lines += [f"### `{fault.id}`", "", f"{fault.title} {fault.explanation}".strip(), ""]
            lines += [f"Noticed by {noticed}.", ""]
    sys.stdout.write("\n".join(lines))


def show_in_place(where: Where, *, as_json: bool) -> None:
    """Print the faults in place; a mystery stays one."""
    with _opened(where, "faults", "--in-place") as (workshop, ledger):
        entries = in_place(workshop, ledger)
    if as_json:
        print_json(
            [{"fault": None if entry.mystery else entry.fault_id, "since": entry.since} for entry in entries]
        )
    elif entries:
        rows = [(entry.since, *named(entry)) for entry in entries]
        _table(("since", "fault", "what is broken"), rows)
    else:
        say(out, "No fault is in place.")


def named(entry: Entry) -> tuple[str, str]:
    """Return what may be said of a fault in place: its id and title, of a mystery neither."""
    if entry.mystery:
        return "a mystery", "`kmslab faults --hint` helps to find it"
    fault = REGISTRY.get(entry.fault_id)
    return entry.fault_id, fault.title if fault else "a fault of another release of kmslab"


def _known(fault_id: str) -> Fault:
    if fault_id not in REGISTRY:
        near = get_close_matches(fault_id, REGISTRY, n=3, cutoff=0.5)
        meant = f"Did you mean {' or '.join(near)}?" if near else "`kmslab faults` shows every fault."
        raise LabError(f"No fault is called {fault_id}.", hint=meant)
    return REGISTRY[fault_id]


def _of_guide(guide: str) -> list[Fault]:
    faults = sorted(REGISTRY.values(), key=lambda fault: (fault.guide, fault.id))
    found = [fault for fault in faults if guide in {"", fault.guide}]
    if not found:
        guides = dict.fromkeys(fault.guide for fault in faults)
        raise LabError(f"No fault belongs to a guide {guide}.", hint=f"Choose from {', '.join(guides)}.")
    return found


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    from rich.table import Table

    table = Table(box=None, padding=(0, 1), header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*row)
    out.print(table, markup=False, highlight=False)
