"""What can be typed about money: ``kmslab cost``."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from kmslab.options import ContextOption  # noqa: TC001  # typer reads the annotation at run time

MOST_SEATS = 100_000
MOST_DAYS = 3_650


class CostFormat(StrEnum):
    """Values of ``--format``."""

    TABLE = "table"
    JSON = "json"


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command()(cost)


def cost(
    context: ContextOption = None,
    *,
    seats: Annotated[
        int, typer.Option("--seats", min=1, max=MOST_SEATS, help="Labs, one for each learner.")
    ] = 1,
    days: Annotated[int, typer.Option("--days", min=1, max=MOST_DAYS, help="Days of the class.")] = 1,
    hours: Annotated[
        int,
        typer.Option(
            "--hours", min=1, max=24, help="Hours of each day; below 24 the labs are destroyed each evening."
        ),
    ] = 24,
    runs: Annotated[
        int, typer.Option("--runs", min=0, max=10_000, help="Full runs of kmslab verify at each seat.")
    ] = 6,
    form: Annotated[
        CostFormat, typer.Option("--format", help="For people, or for programs.")
    ] = CostFormat.TABLE,
) -> None:
    """Price the lab in an AWS account: per hour, per day, and for a class.

    Prices are from a dated table in kmslab/cost/prices.toml, requests were counted on the local engine.
    Nothing is asked of AWS. On this machine the lab costs nothing.
    """
    from kmslab.commands import cost as command

    command.run(context or [], seats, days, hours, runs, as_json=form is CostFormat.JSON)
