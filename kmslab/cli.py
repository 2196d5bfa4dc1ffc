"""The command line: what can be typed and what its help says. The work is in ``kmslab.commands``."""

from __future__ import annotations

import gc
import signal
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kmslab import (
    cli_class,
    cli_cost,
    cli_faults,
    cli_guides,
    cli_probe,
    cli_questions,
    cli_reports,
    cli_residue,
)
from kmslab.model.errors import ExitCode, LabError
from kmslab.model.persona import Persona
from kmslab.model.target import TargetKind
from kmslab.options import ContextOption, EndpointOption, LabGroup, PortOption, TargetOption, Where

if TYPE_CHECKING:
    from types import FrameType

EXIT_CODES = """[bold]Exit codes[/]  0 done, nothing failed · 1 a check answered FAIL or ERROR, something got worse (diff), could not be seen (doctor), or is left (residue, down) · 2 wrong option, setting or file · 3 Node.js, CDK CLI or virtual environment missing, or no network to bring them · 4 local engine did not start, died, or its port is taken · 5 credentials missing or expired, or account or stack not ours to touch · 6 deployment or destruction did not finish, or would not (doctor) · 70 a fault of kmslab itself · 130 Ctrl-C"""

FIRST_STEPS = """Without an AWS account, everything happens on this machine:

  [cyan]kmslab up[/]                   start the local engine and deploy the lab with the real CDK CLI
  [cyan]kmslab verify[/]               prove every claim of the lab, as its personas
  [cyan]eval "$(kmslab env)"[/]        use the AWS CLI, boto3 and cdk against it
  [cyan]kmslab down[/]                 destroy the lab and stop the engine

In a sandbox account: [cyan]cdk deploy --all[/], then [cyan]kmslab verify --target aws[/]."""

app = typer.Typer(
    cls=LabGroup,
    help=f"Provision AWS KMS encryption with AWS CDK, and prove it end to end.\n\n{FIRST_STEPS}",
    epilog=EXIT_CODES,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)
engine_app = typer.Typer(
    cls=LabGroup,
    no_args_is_help=True,
    help="Start, stop and look at the local engine.",
    rich_markup_mode="rich",
)
app.add_typer(engine_app, name="engine")


class Format(StrEnum):
    """Values of ``--format``."""

    TABLE = "table"
    JSON = "json"
    HTML = "html"
    JUNIT = "junit"
    OCSF = "ocsf"


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"kmslab {version('kmslab')}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    del version


@app.command()
def doctor(target: TargetOption = Where.LOCAL, context: ContextOption = None) -> None:
    """Look whether this machine can run the lab, and say what to do where it cannot.

    With --target aws: whether the account of your credentials can, before anything is deployed there. It
    changes nothing. Exits with the code of the first thing that is wrong, else with 1 if something could
    not be looked at.
    """
    from kmslab.commands import doctor as command

    raise typer.Exit(command.run(TargetKind(target), context or []))


@app.command()
def up(
    target: TargetOption = Where.LOCAL,
    context: ContextOption = None,
    port: PortOption = 0,
) -> None:
    """Deploy the lab, or bring it up to date; what is done already is not done again.

    On this machine: starts the local engine, bootstraps it and deploys every stack with the real CDK
    CLI. With --target aws: the same in your sandbox account, which must be named in the setting
    sandbox_accounts.
    """
    from kmslab.commands import lab

    lab.up(TargetKind(target), context or [], port=port)


@app.command()
def down(
    target: TargetOption = Where.LOCAL,
    context: ContextOption = None,
    keep_engine: Annotated[
        bool, typer.Option("--keep-engine", help="Leave the local engine running.")
    ] = False,
    forget: Annotated[
        bool,
        typer.Option(
            "--forget", help="Also delete the local engine's state: the way out when nothing else helps."
        ),
    ] = False,
    at: Annotated[
        str, typer.Option("--at", metavar="HH:MM", help="Wait here until this local time, then destroy it.")
    ] = "",
) -> None:
    """Destroy the lab and prove what is left: every stack goes, the keys wait out their deletion window.

    With the stacks go what no stack knows: MFA devices of the admin user, what checks and faults left, log
    groups of the lab's functions, and what was changed of the account's settings for EBS. Exits with 1 when
    `kmslab residue` would. With --target aws the account must be named in the setting sandbox_accounts.
    """
    from kmslab.commands import lab

    raise typer.Exit(
        lab.down(TargetKind(target), context or [], keep_engine=keep_engine, forget=forget, at=at)
    )


@app.command()
def status(target: TargetOption = Where.LOCAL) -> None:
    """Show the engine and the stacks as they stand."""
    from kmslab.commands import lab

    lab.status(TargetKind(target))


@app.command()
def verify(
    target: TargetOption = Where.LOCAL,
    endpoint_url: EndpointOption = "",
    context: ContextOption = None,
    *,
    only: Annotated[
        list[str] | None,
        typer.Option(
            "--only", metavar="TOPIC|CHECK", help="A topic (s3) or a check (keys.rotation); can be repeated."
        ),
    ] = None,
    formats: Annotated[
        str, typer.Option("--format", metavar="FORMATS", help=f"Comma-separated: {', '.join(Format)}.")
    ] = "table",
    folder: Annotated[
        Path,
        typer.Option(
            "--output",
            metavar="FOLDER",
            help="Where report.html, report.json, report.xml, report.ocsf.json go.",
        ),
    ] = Path(),
    quick: Annotated[
        bool,
        typer.Option(
            "--quick",
            help="Leave out the checks that make a key or change one, or try the access matrix cell by cell.",
        ),
    ] = False,
    deadline: Annotated[
        int,
        typer.Option(
            "--deadline", metavar="SECONDS", min=1, help="What has not been observed by then is ERROR."
        ),
    ] = 1800,
    list_checks: Annotated[
        bool,
        typer.Option(
            "--list",
            help="List the checks with their controls and run none; --format table, json or markdown.",
        ),
    ] = False,
) -> None:
    """Prove the lab's claims: every check acts as the lab's personas and shows its evidence.

    PASS and FAIL were observed. ERROR could not be. UNPROVABLE: this target does not enforce what the
    check needs; it never counts as proven.

    Checks make keys, volumes and queues of their own and remove them again. With --target aws they do
    so only in an account that is named in the setting sandbox_accounts.
    """
    from kmslab.commands import verify as command

    if list_checks:
        _list(only or [], formats)
        return
    raise typer.Exit(
        command.run(
            TargetKind(target),
            endpoint_url,
            context or [],
            only or [],
            _formats(formats),
            folder,
            quick=quick,
            deadline=deadline,
        )
    )


def _list(only: list[str], form: str) -> None:
    from kmslab.commands import catalogue

    if form not in catalogue.FORMATS:
        raise LabError(f"--list does not print {form}.", hint=f"Choose from {', '.join(catalogue.FORMATS)}.")
    catalogue.FORMATS[form](only)


def _formats(given: str) -> frozenset[str]:
    wanted = frozenset(part.strip() for part in given.split(",") if part.strip())
    if unknown := sorted(wanted - set(Format)):
        raise LabError(f"--format {unknown[0]} is not known.", hint=f"Choose from {', '.join(Format)}.")
    return wanted


@app.command()
def env(
    persona: Annotated[
        Persona,
        typer.Option(
            "--persona", help="Whose credentials: the operator's, or those of a persona of the lab."
        ),
    ] = Persona.OPERATOR,
    neighbour: Annotated[
        bool,
        typer.Option(
            "--neighbour",
            help="The administrator of a second account on the same engine, for use across accounts.",
        ),
    ] = False,
) -> None:
    """Print what a shell needs to use the local lab: eval "$(kmslab env)".

    The credentials are short-lived; print them again when they have expired.
    """
    from kmslab.commands import env as command

    command.run(persona, neighbour=neighbour)


cli_questions.register(app)
cli_faults.register(app)
cli_reports.register(app)
cli_guides.register(app)
cli_probe.register(app)
cli_residue.register(app)
cli_cost.register(app)
cli_class.register(app)


@engine_app.command("start")
def engine_start(
    port: PortOption = 0,
    settle: Annotated[
        float,
        typer.Option(
            "--settle",
            min=0.0,
            max=60.0,
            help="Seconds until a changed permission counts, as on AWS; 0: at once.",
        ),
    ] = 0.0,
) -> None:
    """Start the engine, or say where it runs already."""
    from kmslab.commands import engine

    engine.start(port, settle)


@engine_app.command("stop")
def engine_stop() -> None:
    """Stop the engine; its state is kept for the next start."""
    from kmslab.commands import engine

    engine.stop()


@engine_app.command("status")
def engine_status() -> None:
    """Say whether the engine runs, and where."""
    from kmslab.commands import engine

    engine.status()


@engine_app.command("logs")
def engine_logs(
    lines: Annotated[int, typer.Option("--lines", "-n", min=1, help="How many of the last lines.")] = 50,
) -> None:
    """Print the last lines of the engine's log."""
    from kmslab.commands import engine

    engine.logs(lines)


@engine_app.command("at-rest")
def engine_at_rest(
    name: Annotated[
        str,
        typer.Argument(
            help="s3://bucket/key, a snapshot, a volume, or the name or ARN of a secret or parameter."
        ),
    ],
) -> None:
    """Show what the engine's disk holds of something: ciphertext, its data key and the KMS key that opens it."""
    from kmslab.commands import at_rest

    at_rest.at_rest(name)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def main() -> None:
    """Entry point of the console script."""
    signal.signal(signal.SIGTERM, _interrupt)  # a polite kill cleans up as Ctrl-C does
    gc.disable()  # a short process that keeps what it makes (decision 0027)
    try:
        app(prog_name="kmslab")
    except KeyboardInterrupt:
        sys.exit(ExitCode.INTERRUPTED)
    except Exception as error:  # noqa: BLE001  # a fault of ours: one line for the user, the rest in a file
        sys.exit(_unforeseen(error))
    finally:
        gc.freeze()  # Python's last collection would look at all of it once more


def _unforeseen(error: Exception) -> int:
    import tempfile
    import traceback

    with tempfile.NamedTemporaryFile(
        "w", prefix="kmslab-", suffix=".log", delete=False, encoding="utf-8"
    ) as kept:
        kept.writelines(traceback.format_exception(error))
    typer.echo(f"error: {type(error).__name__}: {' '.join(str(error).split())}", err=True)
    typer.echo(f"  This is a fault of kmslab. Please report it with {kept.name}.", err=True)
    return ExitCode.FAULT
