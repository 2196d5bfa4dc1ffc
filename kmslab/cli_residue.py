"""What can be typed about what is left of a lab: ``kmslab residue``. The work is in ``kmslab.commands.residue``."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from kmslab.model.target import TargetKind
from kmslab.options import ContextOption, TargetOption, Where


class ResidueFormat(StrEnum):
    """Values of ``--format`` of ``kmslab residue``."""

    TABLE = "table"
    JSON = "json"


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command()(residue)


def residue(
    target: TargetOption = Where.LOCAL,
    context: ContextOption = None,
    form: Annotated[
        ResidueFormat, typer.Option("--format", help="table for people, json for programs.")
    ] = ResidueFormat.TABLE,
) -> None:
    """Prove what is left of the lab: by tag, by stack and by key, from each service. Changes nothing.

    Exits with 0 when nothing is left but what waits out its deletion window, and with 1 when something is, or
    when something could not be looked at. The lab's stacks of the last 31 days count, also those that are gone.
    """
    from kmslab.commands import residue as command

    raise typer.Exit(command.run(TargetKind(target), context or [], as_json=form is ResidueFormat.JSON))
