"""``kmslab class``: many seats at once, each a lab in an account of its own."""

from __future__ import annotations

import os
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.table import Table

from kmslab import synthesis
from kmslab.cdk import LOCK, CdkCli, left_running
from kmslab.classroom import assembly, pool, shells, work
from kmslab.classroom.classes import Chosen, Classroom, keep, kept, open_class
from kmslab.classroom.events import read
from kmslab.classroom.seats import (
    choose,
    class_folder,
    keep_seats,
    load_seats,
    read_seats,
    seat_folder,
    seats_file,
)
from kmslab.commands.engine import start_engine
from kmslab.commands.env import show
from kmslab.commands.settings import keep_context, parse_context
from kmslab.deployment import ORPHAN, SETTLE_SECONDS
from kmslab.lab import Access
from kmslab.model.errors import ExitCode, LabError
from kmslab.model.settings import LabSettings
from kmslab.model.target import TargetKind
from kmslab.progress import counted
from kmslab.project import HOME_VARIABLE, Project, find_project
from kmslab.targets import aws_errors_in_one_line, choose_target
from kmslab.terminal import err, out, say
from kmslab.turns import exclusively

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from kmslab.classroom.pool import Done
    from kmslab.classroom.seats import Seat

LOCAL_JOBS = 6
"""Seats deployed or destroyed at a time on the local engine: enough that it never waits."""
AWS_JOBS = 16
"""Seats verified, or looked after, at a time on AWS: they mostly wait for answers."""
PAUSE_SECONDS = 0.2
"""Between two looks whether a killed command's CDK CLI has ended."""
_SHOWN = 30
"""Seats that a table shows one by one; of more, only those that failed."""


def init(kind: TargetKind, values: Sequence[str], file: Path | None, *, ou: str, role: str) -> None:
    """Read the seats and keep them."""
    project = _trainers()
    context = parse_context(values)
    settings = LabSettings.from_project(project.root, context)
    if (file is None) is (not ou):
        raise LabError(
            "Name a file of seats, or on AWS an organizational unit with --ou.",
            hint="`kmslab class init seats.csv`; its columns are seat,account,region,learner.",
        )
    if ou and kind is not TargetKind.AWS:
        raise LabError("--ou is for AWS.", hint="`kmslab class init --target aws --ou ou-...`.")
    if file is None:
        from kmslab.classroom.organization import seats_of

        with aws_errors_in_one_line():
            seats = seats_of(Access(choose_target(project, kind), settings.prefix), ou)
    else:
        seats = read_seats(file, invent=kind is TargetKind.LOCAL)
    _refuse_to_forget(project, seats)
    keep_seats(project, seats)
    keep(project, Chosen(kind, context, role, ou))
    say(out, f"The class has {work.names(seats)} ({seats_file(project)}). Next: `kmslab class deploy`.")
    unnamed = [seat.account for seat in seats if seat.account not in settings.sandbox_accounts]
    if kind is TargetKind.AWS and unnamed:
        say(
            out,
            f"{len(unnamed)} of the accounts are not named as sandboxes in cdk.json (kmslab.sandbox_accounts): "
            f"{', '.join(unnamed[:5])}{', ...' if len(unnamed) > 5 else ''}. They will be left alone "  # noqa: PLR2004  # a few examples
            "unless their organization's tag names them.",
            "yellow",
        )


def _refuse_to_forget(project: Project, seats: Sequence[Seat]) -> None:
    """Refuse a file without a seat that stands: nobody would destroy its lab any more."""
    if not seats_file(project).is_file():
        return
    for seat in load_seats(project):
        if seat in seats or not list(seat_folder(class_folder(project), seat.name).glob("deployed-*.json")):
            continue
        raise LabError(
            f"Seat {seat.name} stands in account {seat.account}, and the new class does not have it there.",
            hint=f"Destroy it first: `kmslab class down --only {seat.name}`.",
        )


def deploy(kind: TargetKind | None, only: Sequence[str], jobs: int) -> ExitCode:
    """Deploy the seats that are named, or all."""
    return _change(kind, only, jobs, "deploying", "deployed", lambda way: way.deploy)


def down(kind: TargetKind | None, only: Sequence[str], jobs: int) -> ExitCode:
    """Destroy the seats that are named, or all."""
    return _change(kind, only, jobs, "destroying", "destroyed", lambda way: way.down)


def reset(kind: TargetKind | None, only: Sequence[str]) -> ExitCode:
    """Make the seats that are named as new."""
    return _change(kind, only, 0, "resetting", "reset", lambda way: way.reset)


def _change(
    kind: TargetKind | None,
    only: Sequence[str],
    jobs: int,
    doing: str,
    word: str,
    what: Callable[[Any], Callable[..., Any]],
) -> ExitCode:
    """Do the same to many seats; ``what`` is asked of `on_aws`, or of a local seat's `work.Bench`."""
    with _opened(kind, only) as (classroom, seats):
        templates = _templates(classroom)
        if classroom.chosen.kind is TargetKind.AWS:
            from kmslab.classroom import on_aws

            with _told(doing, seats) as told:
                done = what(on_aws)(on_aws.Run(classroom, seats, templates, jobs or AWS_JOBS, told))
            return _tell(word, done)
        return _each(doing, word, classroom, seats, templates, jobs, what)


def verify(
    kind: TargetKind | None,
    only: Sequence[str],
    jobs: int,
    topics: Sequence[str],
    *,
    quick: bool,
    deadline: int,
) -> ExitCode:
    """Verify the seats that are named, or all."""
    from kmslab.checks import runner

    runner.catalogue(topics, quick=quick)  # a wrong word is refused once, not by every seat
    catalogue = work.Catalogue(tuple(topics), quick, float(deadline))
    with _opened(kind, only) as (classroom, seats):
        # The engine takes one processor, and no check keeps another one busy all the time.
        usual = AWS_JOBS if classroom.chosen.kind is TargetKind.AWS else max(2, os.cpu_count() or 1)
        arguments = (classroom.project, classroom.chosen, catalogue)
        with _told("verifying", seats) as told:
            done = pool.in_processes(seats, jobs or usual, work.verifier, arguments, told)
    return _tell("verified", done)


def status(kind: TargetKind | None) -> None:
    """Show what the events say of each seat."""
    project = _trainers()
    _chosen(project, kind)
    last: dict[str, tuple[str, str]] = {}
    for one in read(class_folder(project))[0]:
        if (
            one["kind"].partition(".")[0] in {"deploy", "verify", "reset", "down"}
            and one["kind"] != "verify.topic"
        ):
            last[one["seat"]] = (one["kind"].replace(".", ": "), one["at"])
    table = Table(title=f"The class: {work.names(load_seats(project))}", title_justify="left")
    for column in ("seat", "account", "learner", "last", "at"):
        table.add_column(column)
    for seat in load_seats(project):
        table.add_row(seat.name, seat.account, seat.learner, *last.get(seat.name, ("nothing yet", "")))
    out.print(table)


def env(name: str) -> None:
    """Print what a shell needs to be in a seat of a class on the local engine: the lab's home there, and the rest."""
    project = _trainers()
    chosen = _chosen(project, None)
    (seat,) = choose(load_seats(project), [name])
    shell = shells.Shell(project, seat.name)
    target = shells.target_of(shell)
    home = Project(project.root, seat_folder(class_folder(project), seat.name))
    # What the class was made with, for the commands of that shell.
    keep_context(home, dict(chosen.context))
    show(target, {HOME_VARIABLE: str(home.home)})


@contextmanager
def _opened(kind: TargetKind | None, only: Sequence[str]) -> Iterator[tuple[Classroom, tuple[Seat, ...]]]:
    """Open the class for a command; its local engine is started, and told of the seats' accounts."""
    project = _trainers()
    chosen = _chosen(project, kind)
    seats = choose(load_seats(project), only)
    with aws_errors_in_one_line():
        if chosen.kind is TargetKind.LOCAL:
            from kmslab.engine import identity

            start_engine(project, 0)
            identity.add_members(project.home / "engine", [seat.account for seat in seats])
        yield open_class(project, chosen), seats


def _trainers() -> Project:
    """Return the trainer's project.

    Raises:
        LabError: this is a seat's shell.
    """
    project = find_project()
    if shell := shells.shell_of(project):
        raise LabError(
            f"This shell is in seat {shell.seat}: the class is the trainer's.",
            hint=f"Use another shell, or `unset {HOME_VARIABLE} AWS_ENDPOINT_URL`.",
        )
    return project


def _chosen(project: Project, kind: TargetKind | None) -> Chosen:
    chosen = kept(project)
    if kind is not None and kind is not chosen.kind:
        raise LabError(
            f"This class is on {'AWS' if chosen.kind is TargetKind.AWS else 'the local engine'}.",
            hint=f"Leave out --target, or make another class: `kmslab class init --target {kind}`.",
        )
    return chosen


def _templates(classroom: Classroom) -> tuple[assembly.Template, ...]:
    """Return the lab's templates; synthesized only when something that goes into them has changed.

    Raises:
        LabError: another command, or the CDK CLI of one that was killed, does not end; or the app failed.
    """
    project, context = classroom.templates_project, classroom.chosen.context
    digest = synthesis.inputs_digest(project, context, "a class")
    with exclusively(project, patience=SETTLE_SECONDS):
        if not synthesis.is_fresh(project, digest):
            _wait_for_the_killed(project)
            err.print("  app.py writes the templates ...", highlight=False)
            with CdkCli(project, classroom.hub.target) as cli:
                synthesis.synthesize(project, cli, context, digest)
        return assembly.read(project.assembly)


def _wait_for_the_killed(project: Project) -> None:
    """Wait until the CDK CLI of a killed command has ended: it writes where the next one does.

    Raises:
        LabError: it does not end.
    """
    deadline, told = time.monotonic() + SETTLE_SECONDS, False
    while left_running(project.home):
        if time.monotonic() > deadline:
            raise LabError(
                f"{ORPHAN} has been running for {SETTLE_SECONDS:.0f} s.",
                hint=f"Wait and try again, or end the process that holds {project.home / LOCK}.",
                exit_code=ExitCode.DEPLOYMENT,
            )
        if not told:
            err.print(f"  {ORPHAN} is still running: waiting ...", highlight=False)
        told = True
        time.sleep(PAUSE_SECONDS)


def _each(
    doing: str,
    did: str,
    classroom: Classroom,
    seats: Sequence[Seat],
    templates: tuple[assembly.Template, ...],
    jobs: int,
    what: Callable[[work.Bench], Callable[[Seat], str]],
) -> ExitCode:
    """Do something with each seat on the local engine."""
    inputs = assembly.digest(templates)

    def worker() -> Callable[[Seat], str]:
        return what(work.Bench(classroom, classroom.desk(), templates, inputs))

    with _told(doing, seats) as told:
        done = pool.in_threads(seats, jobs or LOCAL_JOBS, worker, told)
    return _tell(did, done)


@contextmanager
def _told(doing: str, seats: Sequence[Seat]) -> Iterator[Callable[[Done], None]]:
    """Show one moving bar, a seat a step."""
    with counted(err, doing, len(seats)) as bar:
        yield lambda done: bar(
            f"[red]{done.seat}[/] [dim]failed[/]"
            if done.why
            else f"[green]{done.seat}[/] [dim]{done.outcome}[/]"
        )


def _tell(did: str, done: Sequence[Done]) -> ExitCode:
    """Show what became of the seats."""
    failed = [one for one in done if one.why]
    rows = sorted(done if len(done) <= _SHOWN else failed, key=lambda one: one.seat)
    if rows:
        table = Table(title_justify="left")
        for column in ("seat", "outcome", "seconds"):
            table.add_column(column, overflow="fold")
        for one in rows:
            said = f"[red]{one.outcome}[/]" if one.why else f"[green]{one.outcome}[/]"
            table.add_row(one.seat, f"{said} {one.why}" if one.why else said, f"{one.seconds:.1f}")
        out.print(table)
    summary = f"{len(done) - len(failed)} of {len(done)} seats {did}"
    out.print(f"{summary}; {len(failed)} failed." if failed else f"{summary}.", highlight=False)
    return ExitCode.NOT_PROVEN if failed else ExitCode.OK
