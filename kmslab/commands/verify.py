"""``kmslab verify``: run the checks, show what they saw, write the reports."""

from __future__ import annotations

import shlex
import shutil
import sys
import time
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from rich.markup import escape

from kmslab.commands.settings import as_typed, context_for
from kmslab.deployed import read_outputs
from kmslab.inventory import read_inventory
from kmslab.lab import Access
from kmslab.model.errors import ExitCode, LabError
from kmslab.model.naming import faults_path
from kmslab.model.persona import Persona
from kmslab.model.settings import LabSettings
from kmslab.model.target import TargetKind
from kmslab.model.verdict import Outcome
from kmslab.progress import counted
from kmslab.project import find_project, unwritable
from kmslab.reports.report import Report, Result
from kmslab.reports.table import STYLES
from kmslab.targets import aws_errors_in_one_line, capabilities_of, choose_target, gave_out, require_sandbox
from kmslab.terminal import err, out, say
from kmslab.turns import exclusively, unfinished

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from kmslab.checks.registry import Check
    from kmslab.checks.sweep import Swept
    from kmslab.model.capability import Capability
    from kmslab.model.matrix import AccessMatrix
    from kmslab.model.outputs import LabOutputs
    from kmslab.model.verdict import Verdict

FILES = {"html": "report.html", "json": "report.json", "junit": "report.xml", "ocsf": "report.ocsf.json"}
"""Where each format that is not for the terminal goes."""

WHOLE = frozenset({"html", "json"})
"""Formats that show keys and access too, which are read for them only."""

PATIENCE_SECONDS = 120.0
"""How long to wait for another command on the same lab."""

NEXT_STEPS = """
[bold]Next[/]
  open [cyan]{report}[/]: every claim with its evidence
  [cyan]eval "$({kmslab} env)"[/] and [cyan]aws kms list-aliases[/]: the lab in your own shell
  [cyan]{guides}[/]: the course; each step works on this lab
  [cyan]{kmslab} down[/]: destroy the lab and stop the engine"""


def run(
    kind: TargetKind,
    endpoint_url: str,
    values: Sequence[str],
    only: Sequence[str],
    formats: frozenset[str],
    folder: Path,
    *,
    quick: bool,
    deadline: float,
) -> ExitCode:
    """Run the checks and report; return NOT_PROVEN if any answered FAIL or ERROR."""
    from kmslab.checks import runner

    checks = runner.catalogue(only, quick=quick)
    project = find_project()
    settings = LabSettings.from_project(project.root, context_for(project, values))
    target = choose_target(project, kind, endpoint_url)
    access = Access(target, settings.prefix)
    started, clock = datetime.now(UTC), time.monotonic()
    with aws_errors_in_one_line():
        topics = [part for name in only for part in ("--only", name)]
        require_sandbox(access, settings, as_typed("verify", values, *topics))
        outputs = read_outputs(access)
        checks = runner.claimed(checks, outputs)
        # What a run makes for itself, the next one sweeps: two at a time would sweep each other's.
        with (
            exclusively(project, patience=PATIENCE_SECONDS),
            unfinished(project),
            _shown(len(checks)) as on_verdict,
        ):
            capabilities = _capabilities(access)
            verdicts = runner.run_all(
                access,
                outputs,
                capabilities,
                only,
                on_verdict,
                quick=quick,
                on_sweep=_tell_swept,
                deadline_seconds=deadline,
            )
            inventory = read_inventory(access, outputs) if formats & WHOLE else None
            matrix, unread = _matrix(access, outputs) if formats & WHOLE else (None, ())
        report = Report(
            version=version("kmslab"),
            target=target.kind,
            endpoint=target.endpoint_url or "",
            region=target.region,
            account=access.account,
            prefix=settings.prefix,
            started=started,
            seconds=time.monotonic() - clock,
            results=tuple(Result.of(check, verdict) for check, verdict in verdicts),
            capabilities=capabilities,
            matrix=matrix,
            inventory=inventory,
            unread=unread,
        )
    _write(report, formats, folder)
    if target.kind is TargetKind.LOCAL:
        _keep_progress(project.home, only, verdicts, quick=quick)
    _tell_what_gave_out(verdicts)
    if target.kind is not TargetKind.ENDPOINT:
        _tell_faults(access)
    if formats >= {"table", "html"} and not report.failed and kind is TargetKind.LOCAL:
        out.print(_next_steps(folder / FILES["html"], project.root / "lab_guides"), highlight=False)
    return ExitCode.NOT_PROVEN if report.failed else ExitCode.OK


def _keep_progress(
    home: Path, only: Sequence[str], verdicts: Sequence[tuple[Check, Verdict]], *, quick: bool
) -> None:
    """Keep what passed, for the checkpoints that `kmslab guide` shows; a disk that is full stops no verdict."""
    from kmslab.guides import progress

    seen = [(check.id, check.guide, verdict.outcome is Outcome.PASS) for check, verdict in verdicts]
    with suppress(OSError):
        progress.save(home, progress.load(home).with_run(only, seen, quick=quick))


def _tell_what_gave_out(verdicts: Sequence[tuple[Check, Verdict]]) -> None:
    """Say once why checks could not look, where it was the credentials or the clock."""
    unclear = [verdict for _, verdict in verdicts if verdict.outcome is Outcome.ERROR]
    why = [found for verdict in unclear if (found := _what_gave_out(verdict))]
    if why:
        checks = "1 check" if len(why) == 1 else f"{len(why)} checks"
        line = f"{why[0].message} So {checks} could not look. {why[0].hint}"
        say(err, line, "yellow")


def _what_gave_out(verdict: Verdict) -> LabError | None:
    if verdict.evidence and (found := gave_out(verdict.evidence[-1].result, verdict.evidence[-1].detail)):
        return found
    return gave_out("", verdict.summary)  # a persona that could not be assumed has made no call


def _tell_faults(access: Access) -> None:
    """Say how many faults are in place, but not which: one may be a mystery."""
    ssm = access.client(Persona.OPERATOR, "ssm")
    try:
        with aws_errors_in_one_line():
            # The ledger knows which, and all that can break: for a number it is not worth its import.
            pages = ssm.get_paginator("get_parameters_by_path").paginate(Path=faults_path(access.prefix))
            count = sum(len(page["Parameters"]) for page in pages)
    except LabError as error:
        line = f"Could not look whether faults are in place: {error.message}"
    else:
        if not count:
            return
        faults = "1 fault is" if count == 1 else f"{count} faults are"
        line = (
            f"{faults} in place, put there by `kmslab break`; `kmslab repair --all` removes what is broken."
        )
    say(err, line, "yellow")


def _next_steps(report: Path, guides: Path) -> str:
    """What to do now, as one would type it in the current folder."""
    script = Path(sys.executable).with_name("kmslab")
    found = shutil.which("kmslab")
    by_name = found is not None and Path(found).absolute() == script.absolute()
    typed = "kmslab" if by_name else shlex.quote(_from_here(script))
    return NEXT_STEPS.format(
        report=escape(str(report)), kmslab=escape(typed), guides=escape(_from_here(guides))
    )


def _from_here(path: Path) -> str:
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


def _matrix(access: Access, outputs: LabOutputs) -> tuple[AccessMatrix | None, tuple[str, ...]]:
    """The access matrix, or None and the reason in one line: a report without it is still a report."""
    from kmslab.access import matrix
    from kmslab.access.reader import UnreadableError

    try:
        return matrix.build(access, outputs), ()
    except UnreadableError as error:
        return None, (f"access matrix: {' '.join(str(error).split())}",)


def _capabilities(access: Access) -> frozenset[Capability]:
    """What the target enforces; of an endpoint that is not ours nothing is taken for granted."""
    if access.target.kind is TargetKind.ENDPOINT:
        from kmslab.probe.capabilities import of_target

        return of_target(access.target, access.prefix)
    return capabilities_of(access.target.kind)


@contextmanager
def _shown(total: int) -> Iterator[Callable[[Check, Verdict], None]]:
    """Show a moving bar with the latest verdict; in a log, nothing before the table."""
    with counted(err, "verifying", total) as bar:

        def told(check: Check, verdict: Verdict) -> None:
            bar(f"[{STYLES[verdict.outcome]}]{verdict.outcome}[/] [dim]{check.id}[/]")

        yield told


def _tell_swept(swept: Swept) -> None:
    for problem in swept.problems:
        say(err, f"could not clean up: {problem}", "yellow")


def _write(report: Report, formats: frozenset[str], folder: Path) -> None:
    """Write the reports that were asked for, each module imported only for its own.

    Raises:
        LabError: a file cannot be written.
    """
    if "table" in formats:
        from kmslab.reports import table

        table.show(report, out)
    for name in sorted(formats & FILES.keys()):
        file = folder / FILES[name]
        try:
            file.write_text(_render(report, name), encoding="utf-8")
        except OSError as error:
            raise unwritable(file, error) from error
        err.print(f"wrote {file}", style="dim", highlight=False)


def _render(report: Report, name: str) -> str:
    if name == "html":
        from kmslab.reports import html

        return html.render(report)
    if name == "junit":
        from kmslab.reports import junit

        return junit.render(report)
    if name == "ocsf":
        from kmslab.reports import ocsf

        return ocsf.render(report)
    from kmslab.reports import json_report

    return json_report.render(report)
