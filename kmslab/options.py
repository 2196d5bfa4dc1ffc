"""What the modules of the command line share: the options of more than one command, and how a command ends."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from kmslab.model.errors import ExitCode, LabError


class LabGroup(TyperGroup):
    """Ends every command with one line and a documented exit code, whatever goes wrong in it."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except LabError as error:
            from kmslab.terminal import show_error

            show_error(error)
            raise typer.Exit(error.exit_code) from error
        except KeyboardInterrupt as interrupt:
            _show_interrupt()
            raise typer.Exit(ExitCode.INTERRUPTED) from interrupt


def _show_interrupt() -> None:
    from kmslab.commands.engine import runs
    from kmslab.terminal import err

    err.print("\nInterrupted; the lab is usable. Run the command again to go on.", style="yellow")
    if runs():
        err.print("  The engine keeps running; `kmslab engine stop` stops it.", style="dim", highlight=False)


class Where(StrEnum):
    """Values of ``--target``."""

    LOCAL = "local"
    AWS = "aws"


TargetOption = Annotated[
    Where, typer.Option("--target", help="local: the engine on this machine; aws: your own credentials.")
]
EndpointOption = Annotated[
    str,
    typer.Option("--endpoint-url", metavar="URL", help="Another emulator instead of --target; never AWS."),
]
ContextOption = Annotated[
    list[str] | None,
    typer.Option(
        "--context",
        "-c",
        metavar="KEY=VALUE",
        help="A setting of the lab, as for cdk: -c kmslab.prefix=class-7. Can be repeated.",
    ),
]
PortOption = Annotated[
    int, typer.Option("--port", min=0, max=65535, help="Port of the engine; 0: a free one.")
]
