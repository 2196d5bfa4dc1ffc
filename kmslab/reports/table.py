"""The report on a terminal: a table by topic, and the counts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group
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

NARROW = 110
"""Columns below which what was seen stands under the check instead of beside it."""


def show(report: Report, console: Console) -> None:
    """Print every verdict with its evidence in one line, then the counts."""
    beside = console.width >= NARROW
    table = Table(box=None, padding=(0, 1), show_header=False)
    table.add_column("verdict", no_wrap=True)
    table.add_column("check", ratio=None if beside else 1)
    if beside:
        table.add_column("seen", ratio=1)
    for topic, results in report.topics.items():
        table.add_row("", Text(topic, style="bold"))
        for result in results:
            outcome = result.verdict.outcome
            claim, seen = Text(result.id.partition(".")[2], no_wrap=True), _seen(result)
            what = (claim, seen) if beside else (Group(claim, seen),)
            table.add_row(Text(outcome, style=STYLES[outcome]), *what)
    console.print(table)
    console.print(summary(report), highlight=False, soft_wrap=True)


def _seen(result: Result) -> Text:
    """What went wrong is shown whole, what went well in one line."""
    if result.verdict.outcome in {Outcome.FAIL, Outcome.ERROR}:
        return Text(result.verdict.summary, overflow="fold")
    return Text(result.verdict.summary, style="dim", no_wrap=True, overflow="ellipsis")


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
