"""A class as a command has it at hand: which seats, on which target, entered as whom."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kmslab.classroom.desk import ENTRY_ROLE, Desk
from kmslab.classroom.seats import class_file, class_folder, seat_folder
from kmslab.lab import Access
from kmslab.model.errors import LabError
from kmslab.model.settings import LabSettings
from kmslab.model.target import TargetKind
from kmslab.project import Project, unwritable, write_private
from kmslab.targets import choose_target, require_sandbox

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from kmslab.classroom.desk import SeatAccess
    from kmslab.classroom.seats import Seat


@dataclass(frozen=True, slots=True)
class Chosen:
    """What was chosen about a class, kept in its folder. Picklable: each worker process opens the class for itself.

    Attributes:
        kind: where the seats' accounts are.
        context: ``-c`` values, for every seat.
        entry_role: the role that the trainer assumes in the seats' accounts.
        ou: the organizational unit that the seats were read from; may be empty.
    """

    kind: TargetKind
    context: Mapping[str, str]
    entry_role: str = ENTRY_ROLE
    ou: str = ""


def keep(project: Project, chosen: Chosen) -> None:
    """Keep what was chosen.

    Raises:
        LabError: the folder cannot be written.
    """
    project.ensure_home()
    file = class_file(project)
    text = {
        "target": chosen.kind,
        "context": dict(chosen.context),
        "role": chosen.entry_role,
        "ou": chosen.ou,
    }
    try:
        file.parent.mkdir(mode=0o700, exist_ok=True)
        write_private(file, json.dumps(text))
    except OSError as error:
        raise unwritable(file, error) from error


def kept(project: Project) -> Chosen:
    """Return what was chosen when the class was made.

    Raises:
        LabError: there is no class.
    """
    try:
        text = json.loads(class_file(project).read_text(encoding="utf-8"))
        return Chosen(TargetKind(text["target"]), text["context"], text["role"], text["ou"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise LabError("There is no class here.", hint="Begin with `kmslab class init seats.csv`.") from error


@dataclass(frozen=True, slots=True)
class Classroom:
    """An open class.

    Attributes:
        project: the checkout and the trainer's home.
        chosen: see `Chosen`.
        settings: of the lab of every seat.
        hub: access as the trainer, in the trainer's own account.
    """

    project: Project
    chosen: Chosen
    settings: LabSettings
    hub: Access

    @property
    def folder(self) -> Path:
        """The class's folder."""
        return class_folder(self.project)

    @property
    def templates_project(self) -> Project:
        """Where the templates of the class are synthesized: apart from the trainer's own lab."""
        return Project(self.project.root, self.folder)

    def seat_project(self, seat: Seat) -> Project:
        """The home of one seat's lab: its lock, and what was deployed."""
        return Project(self.project.root, seat_folder(self.folder, seat.name))

    def desk(self) -> Desk:
        """A desk of one's own: for one thread that works on seats, one after the other."""
        return Desk(self.hub, self.chosen.entry_role)

    def sit(self, desk: Desk, seat: Seat) -> SeatAccess:
        """Return access to a seat, whose account is one that may be touched.

        Raises:
            LabError: it cannot be entered, or it is no sandbox.
        """
        access = desk.sit(seat)
        require_sandbox(access, self.settings, "kmslab class deploy", reader=self.hub)
        return access


def open_class(project: Project, chosen: Chosen) -> Classroom:
    """Open a class.

    Raises:
        LabError: the target or the settings are not usable.
    """
    settings = LabSettings.from_project(project.root, chosen.context)
    hub = Access(choose_target(project, chosen.kind), settings.prefix)
    return Classroom(project, chosen, settings, hub)
