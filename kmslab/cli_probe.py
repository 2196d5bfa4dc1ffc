"""The command that holds an emulator to its word: what can be typed. The work is in ``kmslab.commands``."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from kmslab.options import ContextOption  # noqa: TC001  # typer reads the annotations


class ProbeFormat(StrEnum):
    """Values of ``--format``."""

    TABLE = "table"
    JSON = "json"
    MARKDOWN = "markdown"


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command()(probe)


def probe(
    endpoint_url: Annotated[
        str,
        typer.Option(
            "--endpoint-url", metavar="URL", help="An emulator other than the local engine; never AWS."
        ),
    ] = "",
    context: ContextOption = None,
    *,
    only: Annotated[
        list[str] | None,
        typer.Option(
            "--only", metavar="AREA|PROBE", help="An area (grants) or a probe (states.*); can be repeated."
        ),
    ] = None,
    form: Annotated[
        ProbeFormat,
        typer.Option("--format", help="table for people, json for programs, markdown for a page."),
    ] = ProbeFormat.TABLE,
    folder: Annotated[
        Path, typer.Option("--output", metavar="FOLDER", help="Where fidelity.json and fidelity.md go.")
    ] = Path(),
    test_credentials: Annotated[
        bool,
        typer.Option(
            "--test-credentials",
            help="With --endpoint-url: sign as test/test, as most emulators take it, and as 222222222222/test in "
            "another account. Otherwise your own credentials are used.",
        ),
    ] = False,
    list_probes: Annotated[
        bool, typer.Option("--list", help="List the probes with their sources and run none.")
    ] = False,
) -> None:
    """Ask an emulator what AWS documents: every behaviour with what was expected and what was seen.

    Each probe looks from both sides: something works, and the same thing is refused or different where AWS
    says so. A target that says yes to everything passes none of them. Without --endpoint-url the local
    engine is asked. AWS itself is not: the probes are for emulators.

    Probes need no deployed lab: they make what they look at and remove it again. Exits with 0 if everything
    is as documented, else with 1.
    """
    from kmslab.commands import probe as command

    if list_probes:
        command.list_probes(only or [], form)
        return
    raise typer.Exit(
        command.run(endpoint_url, context or [], only or [], form, folder, static=test_credentials)
    )
