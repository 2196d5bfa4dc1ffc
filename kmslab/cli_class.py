"""The commands of a class: what can be typed. The work is in ``kmslab.commands.classroom``."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003  # typer reads the annotations
from typing import Annotated

import typer

from kmslab.model.target import TargetKind
from kmslab.options import ContextOption, LabGroup, TargetOption, Where

class_app = typer.Typer(
    cls=LabGroup,
    no_args_is_help=True,
    help="Run a class: many seats at once, each a lab in an account of its own.",
    rich_markup_mode="rich",
)

SeatsOption = Annotated[
    list[str] | None, typer.Option("--only", metavar="SEAT", help="Only this seat; can be repeated.")
]
JobsOption = Annotated[
    int, typer.Option("--jobs", min=0, max=64, help="Seats at a time; 0: what suits the target.")
]
AnyTargetOption = Annotated[
    Where | None,
    typer.Option(
        "--target", help="Where the class is; only to make sure: `init` has chosen it.", show_default=False
    ),
]


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.add_typer(class_app, name="class")


def _kind(target: Where | None) -> TargetKind | None:
    return None if target is None else TargetKind(target)


@class_app.command()
def init(
    seats: Annotated[
        Path | None,
        typer.Argument(
            metavar="[SEATS.CSV]", help="Columns: seat,account,region,learner.", show_default=False
        ),
    ] = None,
    target: TargetOption = Where.LOCAL,
    context: ContextOption = None,
    ou: Annotated[
        str,
        typer.Option("--ou", metavar="OU", help="AWS: a seat for each account of this organizational unit."),
    ] = "",
    role: Annotated[
        str,
        typer.Option(
            "--role", metavar="NAME", help="AWS: the role that you may assume in the seats' accounts."
        ),
    ] = "OrganizationAccountAccessRole",
) -> None:
    """Say who sits where: from a file of seats, or on AWS from an organizational unit.

    On this machine a seat without an account is given one. On AWS every seat needs an account, and each account
    must be named as a sandbox. Nothing is deployed yet.
    """
    from kmslab.commands import classroom as command

    command.init(TargetKind(target), context or [], seats, ou=ou, role=role)


@class_app.command()
def deploy(
    only: SeatsOption = None,
    target: AnyTargetOption = None,
    jobs: JobsOption = 0,
) -> None:
    """Deploy the lab in every seat; what stands is left alone, so that an interrupted run goes on.

    On AWS CloudFormation StackSets deploy it. A seat that fails does not stop the others.
    """
    from kmslab.commands import classroom as command

    raise typer.Exit(command.deploy(_kind(target), only or [], jobs))


@class_app.command()
def verify(
    only: SeatsOption = None,
    target: AnyTargetOption = None,
    jobs: JobsOption = 0,
    *,
    topics: Annotated[
        list[str] | None,
        typer.Option("--topic", metavar="TOPIC|CHECK", help="A topic (s3) or a check; can be repeated."),
    ] = None,
    quick: Annotated[
        bool,
        typer.Option("--quick", help="Leave out the checks that make a key or change one, and the lengthy."),
    ] = False,
    deadline: Annotated[
        int, typer.Option("--deadline", metavar="SECONDS", min=1, help="For each seat.")
    ] = 1800,
) -> None:
    """Prove the lab's claims in every seat, and write a report for each."""
    from kmslab.commands import classroom as command

    raise typer.Exit(
        command.verify(_kind(target), only or [], jobs, topics or [], quick=quick, deadline=deadline)
    )


@class_app.command()
def reset(
    seat: Annotated[list[str], typer.Argument(metavar="SEAT...", help="Which.")],
    target: AnyTargetOption = None,
) -> None:
    """Make a seat's lab as new: repair its faults, destroy it, deploy it again."""
    from kmslab.commands import classroom as command

    raise typer.Exit(command.reset(_kind(target), seat))


@class_app.command()
def down(
    only: SeatsOption = None,
    target: AnyTargetOption = None,
    jobs: JobsOption = 0,
) -> None:
    """Destroy the lab in every seat; the keys wait out their deletion window."""
    from kmslab.commands import classroom as command

    raise typer.Exit(command.down(_kind(target), only or [], jobs))


@class_app.command()
def status(target: AnyTargetOption = None) -> None:
    """Show what the class's events say of each seat."""
    from kmslab.commands import classroom as command

    command.status(_kind(target))


@class_app.command()
def env(
    seat: Annotated[str, typer.Argument(metavar="SEAT", help="Which, of a class on the local engine.")],
) -> None:
    """Print what a shell needs to be in a seat: eval "$(kmslab class env seat-02)".

    There the AWS CLI and boto3 talk to that seat's lab, and so do verify, break, repair, who-can and the others.
    The credentials are short-lived: `eval "$(kmslab env)"` in that shell prints them again.
    """
    from kmslab.commands import classroom as command

    command.env(seat)


@class_app.command()
def board(
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="On 127.0.0.1; 0: a free one.")] = 0,
    no_browser: Annotated[
        bool, typer.Option("--no-browser", help="Print the address and open nothing.")
    ] = False,
) -> None:
    """Show the class on a screen, live: seats against topics, who is stuck where and since when.

    The page is served on 127.0.0.1 until Ctrl-C, at an address that is hard to guess: who has it can nudge
    learners and reset seats. Each learner has a page as well; the board has a file of their addresses.
    """
    from kmslab.commands import board as command

    command.run(port, browser=not no_browser)
