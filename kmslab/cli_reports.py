"""What can be typed about reports that were written: ``kmslab diff``."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path  # noqa: TC003  # typer reads the annotations
from typing import Annotated

import typer


class DiffFormat(StrEnum):
    """Values of ``--format`` of ``kmslab diff``."""

    TABLE = "table"
    JSON = "json"


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command()(diff)


def diff(
    old: Annotated[Path, typer.Argument(metavar="OLD.JSON", help="The report.json of an earlier run.")],
    new: Annotated[Path, typer.Argument(metavar="NEW.JSON", help="The report.json of a later run.")],
    form: Annotated[
        DiffFormat, typer.Option("--format", help="table for people, json for programs.")
    ] = DiffFormat.TABLE,
) -> None:
    """Compare two runs: which claims fail or pass that did not before, and who may do what they could not.

    Exits with 0 if nothing got worse and with 1 if something did: a claim is not proven any more, a new one does
    not hold, somebody may do more than before. Slower checks are shown for information.
    """
    from kmslab.commands import diff as command

    raise typer.Exit(command.run(old, new, as_json=form is DiffFormat.JSON))
