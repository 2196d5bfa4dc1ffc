"""The report on a terminal: a table by topic, and the counts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from kmslab.model.verdict import Outcome

if TYPE_CHECKING:
    from rich.console import Console

    from kmslab.reports.report import Report, Result

STYLES = {
    Outcome.PASS: "green",
    Outcome.FAIL: "bold red",
    Outcome.ERROR: "bold yellow",
    Outcome.UNPROVABLE: "blue",
}
"""How a verdict looks; never colour alone: the word is always there."""

LOG_COLUMNS = 160
"""Width of the table where there is no terminal to ask."""


def show(report: Report, console: Console) -> None:
    """Print every verdict with its evidence in one line, then the counts."""
    table = Table(box=None, padding=(0, 1), show_header=False)
    table.add_column("verdict", no_wrap=True)
    table.add_column("check", no_wrap=True)
    table.add_column("seen", ratio=1)
    for topic, results in report.topics.items():
        table.add_row("", Text(topic, style="bold"), "")
        for result in results:
            table.add_row(*_cells(result))
    width = None if console.is_terminal else LOG_COLUMNS
    console.print(table, width=width)
    console.print(summary(report), highlight=False, soft_wrap=True)


def _cells(result: Result) -> tuple[Text, Text, Text]:
    outcome = result.verdict.outcome
    # What went wrong is shown whole, what went well in one line.
    wrong = outcome in {Outcome.FAIL, Outcome.ERROR}
    seen = Text(result.verdict.summary, no_wrap=not wrong, overflow="fold" if wrong else "ellipsis")
    return Text(outcome, style=STYLES[outcome]), Text(result.id.partition(".")[2]), seen


def summary(report: Report) -> Text:
    """Return the counts in one line: ``48 PASS, 1 FAIL, 2 UNPROVABLE of 51 checks in 3.1 s``."""
    line = Text()
    for outcome, count in report.counts.items():
        if count:
            line.append(f"{count} {outcome}", style=STYLES[outcome])
            line.append(", ")
    line = line[:-2] if line else Text("nothing")
    line.append(f" of {len(report.results)} checks in {report.seconds:.1f} s")
    line.append(f" · {report.target}, account {report.account}, {report.region}", style="dim")
    return line
