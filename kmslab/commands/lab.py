"""``kmslab up``, ``kmslab down``, ``kmslab status``: the lab as a whole."""

from __future__ import annotations

import shutil
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING

from kmslab.bootstrapping import TOOLKIT_STACK
from kmslab.classroom.shells import refuse_engine
from kmslab.commands.engine import start_engine
from kmslab.commands.faults import named
from kmslab.commands.later import next_time, wait_until
from kmslab.commands.residue import show
from kmslab.commands.settings import (
    as_typed,
    context_for,
    deployed_context,
    forget_context,
    keep_context,
    load_settings,
    parse_context,
)
from kmslab.deployed import OPTIONAL_STACKS, other_labs, read_stacks, refuse_foreign_user
from kmslab.deployment import Deployment
from kmslab.faults.ledger import Ledger
from kmslab.lab import Access
from kmslab.model.errors import ExitCode, LabError
from kmslab.model.naming import stack_name
from kmslab.model.outputs import LabStack
from kmslab.model.settings import LabSettings
from kmslab.model.target import TargetKind
from kmslab.progress import shown_on
from kmslab.project import find_project
from kmslab.residue.proof import read_residue
from kmslab.targets import aws_errors_in_one_line, choose_target, owner_access, require_sandbox
from kmslab.terminal import err, out, say
from kmslab.turns import UNFINISHED, exclusively

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from kmslab.progress import Progress
    from kmslab.project import Project


LEFT_ON_AWS = f"Left in the account: the stack {TOOLKIT_STACK} with its bucket, which other CDK apps may use."
"""What belongs to the account and not to the lab."""
FORGOTTEN = "forgotten"
"""Folder in the lab's home where `down --forget` puts what it deletes."""
STAY = "Keep this terminal open, the machine awake and your credentials valid until then."


def up(kind: TargetKind, values: Sequence[str], *, port: int) -> None:
    """Deploy the lab, or bring it up to date."""
    project = find_project()
    context = parse_context(values) or deployed_context(project)
    settings = LabSettings.from_project(project.root, context)
    project.ensure_home()
    with shown_on(err) as progress, aws_errors_in_one_line():
        if kind is TargetKind.LOCAL:
            _start_engine(project, port, progress)
        access = Access(choose_target(project, kind), settings.prefix)
        require_sandbox(
            access, settings, as_typed("up", [f"{key}={value}" for key, value in context.items()])
        )
        refuse_foreign_user(access, settings.admin_user)
        keep_context(project, context)
        changed = Deployment(project, access, context, progress).up()
    say(
        out,
        f"The lab {settings.prefix} stands in account {access.account}, {access.target.region}"
        f"{'' if changed else '; nothing had changed'}.",
    )


def _start_engine(project: Project, port: int, progress: Progress) -> None:
    from kmslab.engine import control

    _clear_forgotten(project)
    if control.status(project.home) is None:
        progress.begin("engine", "starting")
        info = start_engine(project, port)
        progress.end("engine", f"{'had died; ' if info.recovered else ''}listens at {info.endpoint_url}")


def down(
    kind: TargetKind, values: Sequence[str], *, keep_engine: bool, forget: bool, at: str = ""
) -> ExitCode:
    """Destroy the lab, now or at a time of the day, and prove what is left; NOT_PROVEN if that is not nothing."""
    project = find_project()
    if forget:
        if kind is not TargetKind.LOCAL or at:
            raise LabError(
                "--forget deletes the local engine's state; there is none on AWS."
                if kind is not TargetKind.LOCAL
                else "--forget is done at once: leave --at out.",
                hint="To destroy the lab there: `kmslab down --target aws`." if not at else "",
            )
        _forget(project)
        return ExitCode.OK
    moment = next_time(at, datetime.now().astimezone()) if at else None
    context = context_for(project, values)
    settings = LabSettings.from_project(project.root, context)
    with shown_on(err) as progress, aws_errors_in_one_line():
        if moment:
            # What would refuse at the end refuses now.
            if kind is not TargetKind.LOCAL:
                require_sandbox(
                    Access(choose_target(project, kind), settings.prefix), settings, as_typed("down", values)
                )
                say(err, STAY)
            wait_until(moment, progress)
        if kind is TargetKind.LOCAL:
            _start_engine(project, 0, progress)
        access = Access(choose_target(project, kind), settings.prefix)
        require_sandbox(access, settings, as_typed("down", values))
        before = Deployment(project, access, context, progress).down()
        progress.begin("residue", "asking every service")
        residue = read_residue(access, before, owner=owner_access(project, access))
        progress.end("residue", "every service was asked")
    if load_settings(project).prefix == settings.prefix:
        forget_context(project)
    out.print(f"The lab {settings.prefix} is destroyed.", highlight=False)
    show(residue)
    if kind is TargetKind.AWS:
        say(out, LEFT_ON_AWS)
    if kind is TargetKind.LOCAL and not keep_engine:
        _stop_engine(project, other_labs(access))
    return ExitCode.OK if residue.clean else ExitCode.NOT_PROVEN


def _stop_engine(project: Project, others: Sequence[str]) -> None:
    if others:
        stand = "stands" if len(others) == 1 else "stand"
        out.print(f"The engine keeps running: {', '.join(others)} {stand} on it.", highlight=False)
        return
    from kmslab.engine import control

    control.stop(project.home)
    out.print("The engine is stopped.")


def _forget(project: Project) -> None:
    """Stop the engine and delete everything it knows, whatever state the stacks are in."""
    from kmslab.engine import control

    refuse_engine(project)
    with exclusively(project):
        control.stop(project.home)
        gone = _clear_forgotten(project)
        gone.mkdir(mode=0o700)
        for name in ("engine", "cdk", "cdk.out"):
            # Away at once: whoever is killed while it is deleted leaves no half of an engine's state.
            with suppress(FileNotFoundError):
                (project.home / name).rename(gone / name)
        for name in ("deployed-local.json", "context.json", UNFINISHED):
            (project.home / name).unlink(missing_ok=True)
        _clear_forgotten(project)
    out.print("The engine is stopped and its state deleted; `kmslab up` starts afresh.")


def _clear_forgotten(project: Project) -> Path:
    """Delete what `down --forget` put aside, also one that was killed; return where it was."""
    gone = project.home / FORGOTTEN
    shutil.rmtree(gone, ignore_errors=True)
    return gone


def status(kind: TargetKind) -> None:
    """Show where the lab is and how its stacks stand."""
    from rich.table import Table

    project = find_project()
    settings = load_settings(project)
    target = choose_target(project, kind)
    access = Access(target, settings.prefix)
    with aws_errors_in_one_line():
        stacks = read_stacks(access)
        account = access.account
    table = Table(title=f"{settings.prefix} in account {account}, {target.region}", title_justify="left")
    for column in ("stack", "state", "outputs"):
        table.add_column(column)
    for stack in LabStack:
        name = stack_name(settings.prefix, stack)
        if name in stacks:
            standing = stacks[name]
            style = "green" if standing.complete else "yellow"
            table.add_row(name, f"[{style}]{standing.status}[/]", str(len(standing.outputs)))
        elif stack not in OPTIONAL_STACKS:
            table.add_row(name, "[red]not deployed[/]", "")
    out.print(f"Endpoint: {target.endpoint_url or 'AWS'}", highlight=False)
    out.print(table)
    with aws_errors_in_one_line():
        for entry in Ledger(access).entries():
            line = f"Broken since {entry.since}: {': '.join(named(entry))}"
            say(out, line)
