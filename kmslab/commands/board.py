"""``kmslab class board``: the class on the trainer's screen, and a page for each learner."""

from __future__ import annotations

import gc
import webbrowser
from contextlib import suppress
from typing import TYPE_CHECKING

from kmslab.checks.catalogue import catalogue, topic
from kmslab.classroom.board.course import Claim, Course, Rates
from kmslab.classroom.classes import kept
from kmslab.classroom.seats import class_folder, load_seats
from kmslab.commands.serving import announce, cannot_listen
from kmslab.cost import estimate
from kmslab.cost.estimating import total
from kmslab.faults import REGISTRY as FAULTS
from kmslab.model.settings import LabSettings
from kmslab.model.target import TargetKind
from kmslab.project import Project, find_project, write_private
from kmslab.terminal import err

if TYPE_CHECKING:
    from pathlib import Path


def run(port: int, *, browser: bool) -> None:
    """Serve the board of the class until Ctrl-C.

    Args:
        port: on 127.0.0.1; 0: a free one.
        browser: open it.

    Raises:
        LabError: there is no class, its folder cannot be written, or the port is taken.
    """
    from kmslab.classroom.board.serving import listen, serve

    project = find_project()
    folder = class_folder(project)
    load_seats(project)  # no class: said before anything is begun
    try:
        listening = listen(port)
    except OSError as error:
        raise cannot_listen(port, error) from error

    def ready(address: str) -> None:
        announce(address)
        err.print(
            "  Whoever has this address can reset seats. The page itself does not show it.",
            style="dim",
            highlight=False,
        )
        if browser:
            _open(folder / "board.html", address)

    gc.enable()  # this command stays (decision 0027)
    try:
        serve(project, course(project), listening, ready)
    finally:
        (folder / "board.html").unlink(missing_ok=True)
    err.print("\nThe board is closed.", style="dim")


def _open(page: Path, address: str) -> None:
    """Open an address by way of a page: what a browser is called with, everybody on the machine can read."""
    with suppress(OSError):  # the address was printed
        write_private(page, f'<!doctype html><meta http-equiv="refresh" content="0; url={address}">\n')
        webbrowser.open(page.as_uri())


def course(project: Project) -> Course:
    """What the board shows of the checks, the faults and the prices.

    Raises:
        LabError: there is no class, or a setting of it is wrong.
    """
    chosen = kept(project)
    settings = LabSettings.from_project(project.root, chosen.context)
    checks = catalogue()
    topics: dict[str, str] = {}
    for check in checks:
        if settings.network or not check.part:  # of a part that is not deployed, nothing is claimed
            topics.setdefault(topic(check), check.guide)
    found = estimate(settings)
    charged = chosen.kind is TargetKind.AWS
    return Course(
        topics,
        {check.id: Claim(check.title, check.guide) for check in checks},
        {fault.id: fault.title for fault in FAULTS.values()},
        Rates(found.per_hour, total(found.deployment), total(found.verify) / len(checks), charged=charged),
    )
