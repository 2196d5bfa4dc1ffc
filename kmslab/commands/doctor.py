"""``kmslab doctor``: can this machine run the lab, or this account of AWS?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.markup import escape
from rich.table import Table

from kmslab.commands.settings import as_typed, context_for
from kmslab.doctor import examine
from kmslab.lab import Access
from kmslab.model.errors import LabError
from kmslab.model.finding import State, exit_code, fine, refused
from kmslab.model.settings import LabSettings
from kmslab.model.target import TargetKind
from kmslab.project import find_project
from kmslab.targets import aws_errors_in_one_line, choose_target
from kmslab.terminal import err, out

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from kmslab.model.errors import ExitCode
    from kmslab.model.finding import Finding

MARKS = {State.FINE: "[green]✓[/]", State.WRONG: "[red]✗[/]", State.UNSEEN: "[yellow]?[/]"}


def run(kind: TargetKind, values: Sequence[str]) -> ExitCode:
    """Print every finding with its remedy; return the code that fits what is wrong.

    Args:
        kind: local: this machine; AWS: the account of the caller's credentials.
        values: ``-c`` options, for an account only.

    Raises:
        LabError: the settings are wrong.
    """
    if kind is TargetKind.LOCAL:
        if values:
            raise LabError("-c is for an account.", hint=f"Add --target aws: `{as_typed('doctor', values)}`.")
        return show(examine(find_project()))
    return show(_account(values))


def show(findings: Iterable[Finding]) -> ExitCode:
    """Print findings as a table; return the code that fits them."""
    found = list(findings)
    table = Table(box=None, padding=(0, 1), show_header=False)
    for finding in found:
        table.add_row(MARKS[finding.state], finding.what, escape(finding.seen))
        if finding.remedy:
            table.add_row("", "", f"[dim]{escape(finding.remedy)}[/]")
    out.print(table, highlight=False)
    return exit_code(found)


def _account(values: Sequence[str]) -> list[Finding]:
    from kmslab.account import caller, examination, refusals

    project = find_project()
    settings = LabSettings.from_project(project.root, context_for(project, values))
    try:
        target = choose_target(project, TargetKind.AWS)
    except LabError as error:
        return [refused("Configuration", error)]
    access = Access(target, settings.prefix)
    with err.status("Looking at the account"):
        try:
            with aws_errors_in_one_line():
                _ = access.caller
        except LabError as error:
            if off := caller.region_off(access, error.__cause__):
                return [refused("Region", off)]
            what = "Endpoint" if refusals.never_arrived(error.__cause__) else "Credentials"
            return [refused(what, error)]
        found = examination.examine(access, settings, as_typed("up", values))
    return [*found, _cost(settings)]


def _cost(settings: LabSettings) -> Finding:
    from kmslab.cost import estimate

    found = estimate(settings)
    return fine(
        "Cost",
        f"about {found.per_day:.2f} USD a day while the lab stands (prices of {found.region}, {found.seen})",
        "`kmslab cost` prices it item by item.",
    )
