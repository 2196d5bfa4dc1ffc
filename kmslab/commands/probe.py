"""``kmslab probe``: run the probe suite on an endpoint, show and keep the fidelity table."""

from __future__ import annotations

import json
import time
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import version
from typing import TYPE_CHECKING

from rich.text import Text

from kmslab.commands.settings import context_for
from kmslab.engine import control
from kmslab.model.errors import ExitCode
from kmslab.model.settings import LabSettings
from kmslab.model.target import Credentials, TargetKind
from kmslab.probe import runner
from kmslab.probe.failures import refusals
from kmslab.probe.leftovers import sweep
from kmslab.probe.model import AREAS, Outcome
from kmslab.probe.table import Fidelity, as_json, as_markdown, by_area, entry
from kmslab.probe.world import World
from kmslab.progress import counted
from kmslab.project import find_project, unwritable
from kmslab.targets import aws_errors_in_one_line, choose_target
from kmslab.terminal import err, out, say
from kmslab.turns import exclusively

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from kmslab.probe.model import Result

FILES = {"fidelity.json": as_json, "fidelity.md": as_markdown}
ELSEWHERE = "Name another folder in --output."
"""What is kept of every run, and what writes it."""
STYLES = {
    Outcome.AS_DOCUMENTED: "green",
    Outcome.NOT_AS_DOCUMENTED: "bold red",
    Outcome.COULD_NOT_LOOK: "bold yellow",
}
PATIENCE_SECONDS = 120.0
"""How long to wait for another command on the same lab."""
SHOWN_PROBLEMS = 5
STATIC = Credentials("test", "test")
OTHER_STATIC = Credentials("222222222222", "test")
"""What emulators take from everybody; a key id of 12 digits is the account that is meant."""


def run(
    endpoint_url: str, values: Sequence[str], only: Sequence[str], form: str, folder: Path, *, static: bool
) -> ExitCode:
    """Run the probes and report; return NOT_PROVEN unless everything is as documented.

    Args:
        endpoint_url: the emulator's; empty for the local engine.
        values: settings that were typed.
        only: areas and ids.
        form: ``table``, ``json`` or ``markdown``: what is printed.
        folder: where the files go.
        static: sign with ``test`` and ``test``, as most emulators take it.
    """
    probes = runner.catalogue(only)
    _make(folder)
    project = find_project()
    settings = LabSettings.from_project(project.root, context_for(project, values))
    target = choose_target(project, TargetKind.LOCAL, endpoint_url)
    other = None
    if endpoint_url and static:
        target, other = replace(target, credentials=STATIC), OTHER_STATIC
    elif not endpoint_url:
        other = control.neighbour(project.home).credentials
    started, clock = datetime.now(UTC), time.monotonic()
    with aws_errors_in_one_line():
        world = World(target, settings.prefix, other)
        _greet(world)
        # What a run makes for itself, the next one sweeps: two at a time would sweep each other's.
        with exclusively(project, patience=PATIENCE_SECONDS), _shown(len(probes)) as on_result:
            problems = [] if endpoint_url else sweep(world)
            results = runner.run_all(world, probes, on_result)
    fidelity = Fidelity(
        version=version("kmslab"),
        target=str(target.kind),
        endpoint=target.endpoint_url or "",
        region=target.region,
        started=started,
        seconds=time.monotonic() - clock,
        results=results,
    )
    _print(fidelity, form)
    _tell_left([*problems, *world.problems])
    _keep(fidelity, folder)
    return ExitCode.OK if fidelity.faithful else ExitCode.NOT_PROVEN


def _greet(world: World) -> None:
    """Ask once whether anybody is there: nobody is one line, and not as many as there are probes.

    Any answer will do, since an emulator of KMS alone has no STS.
    """
    from botocore.parsers import ResponseParserError

    with suppress(*refusals(), ResponseParserError):
        world.client("sts").get_caller_identity()


def _tell_left(problems: Sequence[str]) -> None:
    """Say what could not be removed: all of it on an emulator that breaks, so the first ones and how many."""
    for problem in problems[:SHOWN_PROBLEMS]:
        say(err, f"could not clean up: {' '.join(problem.split())[:200]}", "yellow")
    if len(problems) > SHOWN_PROBLEMS:
        err.print(f"could not clean up {len(problems) - SHOWN_PROBLEMS} more things", style="yellow")


def list_probes(only: Sequence[str], form: str) -> None:
    """Print the catalogue: ids, behaviours and sources."""
    probes = runner.catalogue(only)
    if form == "json":
        say(out, json.dumps([entry(one) for one in probes], indent=1, ensure_ascii=False))
        return
    if form == "markdown":
        say(out, "| probe | behaviour | expected | source |\n|---|---|---|---|")
        for one in probes:
            say(out, f"| `{one.id}` | {one.behaviour} | {one.expected} | [AWS]({one.source}) |")
        return
    for one in probes:
        out.print(Text.assemble((one.id, "cyan"), "  ", one.behaviour), soft_wrap=True)
    out.print(f"{len(probes)} probes in {len({one.area for one in probes})} areas.", highlight=False)


def _print(fidelity: Fidelity, form: str) -> None:
    if form != "table":
        say(out, (as_json if form == "json" else as_markdown)(fidelity).rstrip("\n"))
        return
    from rich.table import Table

    table = Table(box=None, padding=(0, 1), show_header=False)
    for area, results in by_area(fidelity.results).items():
        good = sum(one.outcome is Outcome.AS_DOCUMENTED for one in results)
        title = Text.assemble((AREAS[area], "bold"), f"  {good} of {len(results)} as documented")
        table.add_row("", title, "")
        for one in results:
            if one.outcome is not Outcome.AS_DOCUMENTED:
                what = Text(f"{one.probe.id}\n{one.probe.expected}\n{one.probe.source}", overflow="fold")
                table.add_row(
                    Text(one.outcome, style=STYLES[one.outcome]), what, Text(one.seen, overflow="fold")
                )
    out.print(table)
    line = Text()
    for outcome, count in fidelity.counts.items():
        line.append(f"{count} {outcome}, ", style=STYLES[outcome] if count else "dim")
    line.append(f"of {len(fidelity.results)} behaviours in {fidelity.seconds:.1f} s · {fidelity.endpoint}")
    out.print(line, highlight=False, soft_wrap=True)


def _make(folder: Path) -> None:
    """Make the folder of the files before the probes run: what cannot be kept is not worth minutes."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(folder, error, ELSEWHERE) from error


def _keep(fidelity: Fidelity, folder: Path) -> None:
    for name, render in FILES.items():
        file = folder / name
        try:
            file.write_text(render(fidelity), encoding="utf-8")
        except OSError as error:
            raise unwritable(file, error, ELSEWHERE) from error
        err.print(f"wrote {file}", style="dim", highlight=False)


@contextmanager
def _shown(total: int) -> Iterator[Callable[[Result], None]]:
    """Show a moving bar with the latest outcome; in a log, nothing before the table."""
    with counted(err, "probing", total) as bar:

        def told(result: Result) -> None:
            style = STYLES[result.outcome]
            bar(f"[{style}]{result.outcome}[/] [dim]{result.probe.id}[/]")

        yield told
