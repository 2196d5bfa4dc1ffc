"""The commands that break and repair the lab: what can be typed. The work is in ``kmslab.commands.faults``."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from kmslab.model.errors import LabError
from kmslab.model.target import TargetKind
from kmslab.options import ContextOption, TargetOption, Where


class Format(StrEnum):
    """Values of ``kmslab faults --format``."""

    TABLE = "table"
    JSON = "json"
    MARKDOWN = "markdown"


GuideOption = Annotated[
    str, typer.Option("--guide", metavar="PAGE", help="Only faults of one page of the course: 05-s3.")
]


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command("break")(break_)
    app.command("repair")(repair)
    app.command("faults")(faults)


def break_(
    fault: Annotated[str, typer.Argument(metavar="[FAULT]", help="Which, as `kmslab faults` names it.")] = "",
    random: Annotated[bool, typer.Option("--random", help="Any fault, and do not say which.")] = False,
    guide: GuideOption = "",
    target: TargetOption = Where.LOCAL,
    context: ContextOption = None,
) -> None:
    """Break one control of the lab, to see who notices.

    What was there is kept in the target, and `kmslab repair` puts it back. With --random the fault is
    a mystery: `kmslab verify` shows its traces, `kmslab faults --hint` helps.

    With --target aws only in an account that is named in the setting sandbox_accounts.
    """
    from kmslab.commands import faults as command

    where = command.Where(TargetKind(target), context or [])
    if bool(fault) is random:
        raise LabError(
            "Name one fault, or say --random." if not fault else "--random chooses the fault: name none.",
            hint="`kmslab faults` shows every fault.",
        )
    if guide and not random:
        raise LabError("--guide is for --random.", hint=f"`kmslab break --random --guide {guide}`.")
    if random:
        command.break_any(where, guide)
    else:
        command.break_one(where, fault)


def repair(
    fault: Annotated[
        str, typer.Argument(metavar="[FAULT]", help="Which; not needed when only one is in place.")
    ] = "",
    everything: Annotated[bool, typer.Option("--all", help="Every fault in place.")] = False,
    target: TargetOption = Where.LOCAL,
    context: ContextOption = None,
) -> None:
    """Put back what a fault broke, and say what it was.

    Faults are repaired in reverse order: those that were made after the one named go first.
    """
    from kmslab.commands import faults as command

    if fault and everything:
        raise LabError("--all repairs every fault: name none.", hint="`kmslab repair --all`.")
    command.repair_some(command.Where(TargetKind(target), context or []), fault, everything=everything)


def faults(
    guide: GuideOption = "",
    in_place: Annotated[
        bool, typer.Option("--in-place", help="Those that are in place now, instead of every fault.")
    ] = False,
    hint: Annotated[
        bool, typer.Option("--hint", help="A hint to the newest mystery; the next one says more.")
    ] = False,
    wanted: Annotated[Format, typer.Option("--format", help="markdown: docs/faults.md.")] = Format.TABLE,
    target: TargetOption = Where.LOCAL,
    context: ContextOption = None,
) -> None:
    """List the faults that the lab can be given, each with the checks that notice it."""
    from kmslab.commands import faults as command

    where = command.Where(TargetKind(target), context or [])
    if hint:
        command.hint(where)
    elif in_place:
        command.show_in_place(where, as_json=wanted is Format.JSON)
    elif wanted is Format.MARKDOWN:
        command.show_page(guide)
    else:
        command.show_catalogue(guide, as_json=wanted is Format.JSON)
