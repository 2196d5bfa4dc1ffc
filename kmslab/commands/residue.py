"""``kmslab residue``: what is left of a lab, on the terminal or as JSON; ``kmslab down`` ends with the same."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich.markup import escape

from kmslab.commands.settings import context_for
from kmslab.lab import Access
from kmslab.model.errors import ExitCode
from kmslab.model.settings import LabSettings
from kmslab.progress import shown_on
from kmslab.project import find_project
from kmslab.residue.model import State
from kmslab.residue.proof import read_residue
from kmslab.targets import aws_errors_in_one_line, choose_target, owner_access
from kmslab.terminal import err, out, print_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kmslab.model.target import TargetKind
    from kmslab.residue.model import Found, Residue

SCHEMA_VERSION = 1
"""Version of the JSON that is printed."""
WITNESSES = {"cloudtrail": "the trail", "cloudformation": "CloudFormation", "kms": "KMS"}
NAMES = {"kms:key": "key", "secretsmanager:secret": "secret"}
"""What has a deletion window, in a word."""
STYLES = {State.LEFT: "red", State.UNSEEN: "yellow", State.STANDS: "yellow", State.GOING: "green"}


def run(kind: TargetKind, values: Sequence[str], *, as_json: bool) -> ExitCode:
    """Look, print what was found, and return NOT_PROVEN unless nothing is left but what waits out its window.

    Raises:
        LabError: the target does not answer.
    """
    project = find_project()
    settings = LabSettings.from_project(project.root, context_for(project, values))
    access = Access(choose_target(project, kind), settings.prefix)
    with shown_on(err) as progress, aws_errors_in_one_line():
        progress.begin("residue", "asking every service")
        residue = read_residue(access, owner=owner_access(project, access))
        progress.end("residue", "every service was asked")
    if as_json:
        print_json(_document(residue))
    else:
        show(residue)
    return ExitCode.OK if residue.clean else ExitCode.NOT_PROVEN


def show(residue: Residue) -> None:
    """Print everything that was found, and one line that sums it up."""
    for line in _lines(residue):
        out.print(line, highlight=False, emoji=False, soft_wrap=True)


def _lines(residue: Residue) -> list[str]:
    lines = [
        _line(thing) for thing in residue.things if not thing.temporary or thing.state is not State.GOING
    ]
    ended = [thing for thing in residue.of(State.GOING) if thing.temporary]
    if ended:
        last = max(thing.until for thing in ended)
        lines.append(
            f" [green]going[/]     kms:key  {len(ended)} that checks made for themselves  the last until {last}"
        )
    lines += [f" [yellow]not seen[/]  {escape(line)}" for line in residue.unseen]
    where = f"{residue.prefix} in account {residue.account}, {residue.region}"
    return [*lines, f"{_summary(residue)} ({where}, {residue.at})"]


def _line(thing: Found) -> str:
    told = [f"by {' and '.join(thing.why)}"]
    if thing.until:
        told.append(f"until {thing.until}, says {WITNESSES.get(thing.said_by, thing.said_by)}")
    elif thing.state is State.GOING:
        told.append(f"says {WITNESSES.get(thing.said_by, thing.said_by)}")
    if thing.note:
        told.append(thing.note)
    state = f"[{STYLES[thing.state]}]{thing.state}[/]{' ' * (8 - len(thing.state))}"
    return f" {state}  {thing.kind}  {escape(thing.id)}  {escape('; '.join(told))}"


def _summary(residue: Residue) -> str:
    count = Counter(thing.state for thing in residue.things)
    parts = [
        f"{count[State.LEFT]} left" if count[State.LEFT] else "",
        f"{count[State.STANDS]} of stacks that stand" if count[State.STANDS] else "",
        f"{count[State.UNSEEN]} of which nobody tells" if count[State.UNSEEN] else "",
        f"{_counted(len(residue.unseen), 'look')} that failed" if residue.unseen else "",
    ]
    waiting = Counter(thing.kind for thing in residue.of(State.GOING))
    kinds = " and ".join(_counted(number, NAMES.get(kind, kind)) for kind, number in sorted(waiting.items()))
    going = f"{kinds} in the deletion window, at no cost" if kinds else ""
    if residue.clean:
        return f"Nothing is left but {going}" if going else "Nothing is left"
    return f"Not proven empty: {', '.join(part for part in (*parts, going) if part)}"


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _document(residue: Residue) -> dict[str, Any]:
    return {"schema_version": SCHEMA_VERSION, "clean": residue.clean, **asdict(residue)}
