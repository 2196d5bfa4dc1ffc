"""A shell in one seat of a class on the local engine: in it every command is about that seat's lab.

``kmslab class env`` makes the seat's folder the lab's home of that shell, by ``KMSLAB_HOME``. The folder has the
seat's lock, and no engine: the engine is the class's, and credentials are asked for anew by each command.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from kmslab.model.errors import ExitCode, LabError
from kmslab.model.persona import Persona
from kmslab.model.target import TargetKind
from kmslab.project import Project

if TYPE_CHECKING:
    from kmslab.lab import Access
    from kmslab.model.target import Target


@dataclass(frozen=True, slots=True)
class Shell:
    """Whose folder a home is.

    Attributes:
        trainer: the class's project, with the engine.
        seat: the seat's name.
    """

    trainer: Project
    seat: str


def shell_of(project: Project) -> Shell | None:
    """Return whose shell this is; None: nobody's, as usual."""
    from kmslab.classroom.seats import class_file, class_folder, seat_folder

    home = project.home
    trainer = Project(project.root, home.parents[2]) if len(home.parents) > 2 else project  # noqa: PLR2004  # class/seats/<name>
    if home != seat_folder(class_folder(trainer), home.name) or not class_file(trainer).is_file():
        return None
    return Shell(trainer, home.name)


def target_of(shell: Shell) -> Target:
    """Return the seat's lab, with the operator's credentials in the seat's account, for an hour.

    Raises:
        LabError: the class is on AWS, its engine does not run, or it has no such seat any more.
    """
    from kmslab.classroom.classes import kept, open_class
    from kmslab.classroom.seats import choose, load_seats
    from kmslab.targets import aws_errors_in_one_line

    chosen = kept(shell.trainer)
    if chosen.kind is not TargetKind.LOCAL:
        raise LabError(
            "This class is on AWS: whoever sits there signs in to the seat's account.",
            hint="With credentials of that account: `kmslab verify --target aws`.",
            exit_code=ExitCode.TARGET,
        )
    (seat,) = choose(load_seats(shell.trainer), [shell.seat])
    with aws_errors_in_one_line():
        classroom = open_class(shell.trainer, chosen)
        access = classroom.sit(classroom.desk(), seat)
        return replace(access.target, credentials=access.credentials(Persona.OPERATOR))


def refuse_engine(project: Project) -> None:
    """Refuse to start an engine in a seat's shell: it would be another one, without the seat's lab.

    Raises:
        LabError: this is a seat's shell.
    """
    if shell := shell_of(project):
        raise LabError(
            f"This shell is in seat {shell.seat} of a class: deploying and destroying are the class's.",
            hint=f"In another shell: `kmslab class deploy --only {shell.seat}`, `kmslab class reset {shell.seat}`.",
            exit_code=ExitCode.ENGINE,
        )


def tell_the_class(project: Project, access: Access) -> None:
    """In a seat's shell, tell the class what is broken and repaired there; elsewhere do nothing.

    What cannot be told now is told by the seat's next verification.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    shell = shell_of(project)
    if shell is None:
        return
    from kmslab.classroom.seats import class_folder
    from kmslab.classroom.verifying import tell_faults

    with suppress(OSError, LabError, ClientError, BotoCoreError):
        tell_faults(access, class_folder(shell.trainer), shell.seat)
