"""``kmslab doctor``: can this machine run the lab?"""

from __future__ import annotations

from rich.markup import escape
from rich.table import Table

from kmslab.doctor import examine
from kmslab.model.errors import ExitCode
from kmslab.project import find_project
from kmslab.terminal import out


def run() -> ExitCode:
    """Print every finding with its remedy; return TOOLCHAIN if anything is not fine."""
    findings = examine(find_project())
    table = Table(box=None, padding=(0, 1), show_header=False)
    for finding in findings:
        mark = "[green]✓[/]" if finding.fine else "[red]✗[/]"
        table.add_row(mark, finding.what, escape(finding.seen))
        if finding.remedy:
            table.add_row("", "", f"[dim]{escape(finding.remedy)}[/]")
    out.print(table, highlight=False)
    return ExitCode.OK if all(finding.fine for finding in findings) else ExitCode.TOOLCHAIN
