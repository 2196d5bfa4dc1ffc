"""``kmslab diff``: two runs compared, on the terminal or as JSON."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from kmslab.model.errors import ExitCode
from kmslab.reports.comparison import Kind, compare, read_run
from kmslab.reports.table import STYLES
from kmslab.terminal import out, say

if TYPE_CHECKING:
    from pathlib import Path

    from kmslab.model.verdict import Outcome
    from kmslab.reports.comparison import CellChange, Comparison, Run, RunCell

SCHEMA_VERSION = 1
"""Version of the JSON that is printed."""


def run(old_file: Path, new_file: Path, *, as_json: bool) -> ExitCode:
    """Print what differs; return NOT_PROVEN if anything got worse.

    Raises:
        LabError: one of the files is not a report.
    """
    old, new = read_run(old_file), read_run(new_file)
    found = compare(old, new)
    if as_json:
        text = json.dumps(_document(old, new, found), indent=2, ensure_ascii=False)
        say(out, text)
    else:
        _show(old, new, found)
    return ExitCode.NOT_PROVEN if found.worse else ExitCode.OK


def _show(old: Run, new: Run, found: Comparison) -> None:
    for name, one in (("old", old), ("new", new)):
        lab = one.lab
        say(
            out,
            f"{name}  {one.started}  {lab.prefix} on {lab.target}, account {lab.account}, {lab.region}, "
            f"{len(one.results)} checks in {one.seconds:.1f} s",
            "dim",
        )
    for kind in Kind:
        changes = [change for change in found.changes if change.kind is kind]
        rows = [(_went(_outcome(c.old), _outcome(c.new)), c.id, c.summary) for c in changes]
        _print(f"{kind}: {len(rows)}", rows)
    cells = [
        (_went(_access(c.old), _access(c.new)), _question(c.cell), c.cell.reason) for c in found.cells or ()
    ]
    _print(f"access: {len(cells)}", cells)
    slower = [(Text(f"{s.old:.2f} → {s.new:.2f} s"), s.id, "") for s in found.slower]
    _print(f"slower, for information: {len(slower)}", slower)
    out.print(_conclusion(found), highlight=False, soft_wrap=True)


def _conclusion(found: Comparison) -> Text:
    worse = sum(change.worse for change in found.changes) + sum(cell.worse for cell in found.cells or ())
    text = Text(
        f"{worse} got worse" if worse else "Nothing got worse", style="bold red" if worse else "green"
    )
    if found.cells is None:
        text.append("; access was not compared: a report has no matrix", style="yellow")
    return text.append(".")


def _print(title: str, rows: list[tuple[Text, str, str]]) -> None:
    """Print what changed under its title: how it went, what it is about, and below it what was seen."""
    if not rows:
        return
    table = Table(box=None, padding=(0, 1), show_header=False, title=title, title_justify="left")
    table.add_column("went", no_wrap=True)
    table.add_column("what", ratio=1, overflow="fold")
    for went, what, seen in rows:
        table.add_row(went, Text(what).append(f"\n{seen}" if seen else "", style="dim"))
    out.print(table)


def _went(old: Text, new: Text) -> Text:
    return Text(" → ").join([old, new])


def _outcome(outcome: Outcome | None) -> Text:
    return Text(outcome, style=STYLES[outcome]) if outcome else Text("not there", style="dim")


def _access(cell: RunCell | None) -> Text:
    if cell is None:
        return Text("not there", style="dim")
    text = Text("allowed" if cell.allowed else "refused")
    return text.append(", but went otherwise", style="bold red") if cell.differs else text


def _question(cell: RunCell) -> str:
    through = f" through {cell.route}" if cell.route else ""
    return f"{cell.principal}: {cell.operation} with {cell.key}{through}"


def _document(old: Run, new: Run, found: Comparison) -> dict[str, Any]:
    return {
        "schema_version": SCHEMA_VERSION,
        "worse": found.worse,
        "old": _run(old),
        "new": _run(new),
        "checks": [
            {
                "id": change.id,
                "change": str(change.kind),
                "old": change.old,
                "new": change.new,
                "worse": change.worse,
                "summary": change.summary,
            }
            for change in found.changes
        ],
        "access": None if found.cells is None else [_cell(change) for change in found.cells],
        "slower": [{"id": slow.id, "old": slow.old, "new": slow.new} for slow in found.slower],
    }


def _run(one: Run) -> dict[str, Any]:
    return {
        **one.lab.model_dump(),
        "started": one.started,
        "checks": len(one.results),
        "seconds": one.seconds,
    }


def _cell(change: CellChange) -> dict[str, Any]:
    cell = change.cell
    return {
        "principal": cell.principal,
        "key": cell.key,
        "operation": cell.operation,
        "route": cell.route,
        "old": change.old.allowed if change.old else None,
        "new": change.new.allowed if change.new else None,
        "worse": change.worse,
        "reason": cell.reason,
    }
