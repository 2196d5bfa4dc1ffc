"""The seats of a class: who sits in which account, read from CSV and kept in the lab's home."""

from __future__ import annotations

import csv
import hashlib
import io
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kmslab.model.errors import LabError
from kmslab.project import unwritable, write_private

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from kmslab.project import Project

COLUMNS = ("seat", "account", "region", "learner")
"""Columns of ``seats.csv``; the last two may be left out."""
_NEEDED = COLUMNS[:2]
_NAME = re.compile(r"[a-z0-9-]{1,20}")
_ACCOUNT = re.compile(r"[0-9]{12}")
_REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-[0-9]")
_LONGEST_LEARNER = 80
_SHOWN = 5
"""Wrong lines that one error tells of."""


@dataclass(frozen=True, slots=True)
class Seat:
    """One place in the class.

    Attributes:
        name: ``[a-z0-9-]{1,20}``, unique in the class.
        account: 12 digits, unique in the class; it exists on AWS, or the local engine plays it.
        region: where its lab is; empty: the target's own Region.
        learner: who sits there; may be empty.
    """

    name: str
    account: str
    region: str = ""
    learner: str = ""


def class_folder(project: Project) -> Path:
    """The class's folder in the lab's home: seats, events, reports."""
    return project.home / "class"


def class_file(project: Project) -> Path:
    """Where what was chosen for the class is kept, by ``kmslab class init``."""
    return class_folder(project) / "class.json"


def seats_file(project: Project) -> Path:
    """Where the seats of the class are kept, by ``kmslab class init``."""
    return class_folder(project) / "seats.csv"


def seat_folder(folder: Path, name: str) -> Path:
    """Where the class keeps what it knows of one seat.

    Args:
        folder: the class's.
        name: the seat's.
    """
    return folder / "seats" / name


def load_seats(project: Project) -> tuple[Seat, ...]:
    """Return the seats of the class, in the order of the file.

    Raises:
        LabError: there is no class, or its file has been damaged.
    """
    file = seats_file(project)
    if not file.is_file():
        raise LabError("There is no class here.", hint="Begin with `kmslab class init seats.csv`.")
    return read_seats(file)


def read_seats(file: Path, *, invent: bool = False) -> tuple[Seat, ...]:
    """Read and check a file of seats.

    Args:
        file: CSV in UTF-8 with a heading; a spreadsheet's byte order mark does no harm.
        invent: give a seat without an account one, for the local engine to play.

    Raises:
        LabError: it cannot be read, or lines of it are wrong; each is named by its number.
    """
    try:
        text = file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise LabError(f"{file} is not UTF-8.", hint="Save it as CSV UTF-8.") from error
    except OSError as error:
        raise LabError(
            f"Cannot read {file}: {(error.strerror or str(error)).lower()}.",
            hint=f"A file of seats has the columns {','.join(COLUMNS)}.",
        ) from error
    rows = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    try:
        _check_heading(file, rows.fieldnames or ())
        seats: list[Seat] = []
        wrong: list[str] = []
        for row in rows:
            seat, problem = _seat(row, seats, invent=invent)
            if problem:
                wrong.append(f"line {rows.line_num}: {problem}")
            seats.append(seat)
    except csv.Error as error:
        raise LabError(f"{file}, line {rows.line_num + 1}: {error}.", hint="Save it as CSV.") from error
    if wrong:
        more = f"; and {len(wrong) - _SHOWN} more" if len(wrong) > _SHOWN else ""
        raise LabError(f"{file}, {'; '.join(wrong[:_SHOWN])}{more}.", hint="Correct the file and try again.")
    if not seats:
        raise LabError(f"{file} has no seats.", hint="Below the heading, write one line for each seat.")
    return tuple(seats)


def _check_heading(file: Path, found: Sequence[str]) -> None:
    if set(_NEEDED) <= set(found) <= set(COLUMNS) and len(set(found)) == len(found):
        return
    raise LabError(
        f"{file}, line 1: the columns are {','.join(found) or 'missing'}.",
        hint=f"They must be {','.join(COLUMNS)}, separated by commas; region and learner may be left out.",
    )


def _seat(row: dict[str, str | None], before: Sequence[Seat], *, invent: bool) -> tuple[Seat, str]:
    """Return the line's seat and what is wrong with it; empty: nothing."""
    # csv puts what is beyond the heading under None, and None where the line ends early.
    surplus = None in row
    given = {name: (row.get(name) or "").strip() for name in COLUMNS}
    name = given["seat"]
    account = given["account"] or (made_up_account(name) if invent else "")
    seat = Seat(name, account, given["region"], given["learner"])
    problem = ""
    if surplus:
        problem = "more values than columns"
    elif not _NAME.fullmatch(name):
        problem = f"the seat {name!r} is not 1 to 20 of a-z, 0-9 and -"
    elif not account:
        problem = f"seat {name} has no account"
    elif not _ACCOUNT.fullmatch(account):
        problem = f"the account {account!r} is not 12 digits"
    elif seat.region and not _REGION.fullmatch(seat.region):
        problem = f"{seat.region!r} is not a Region"
    elif len(seat.learner) > _LONGEST_LEARNER or not seat.learner.isprintable():
        problem = f"the learner is longer than {_LONGEST_LEARNER} characters, or has unprintable ones"
    else:
        for other in before:
            if other.name == name:
                problem = f"seat {name} is there twice"
            elif other.account == account:
                problem = f"account {account} is also that of seat {other.name}"
    return seat, problem


def made_up_account(name: str) -> str:
    """The account number that a seat of this name has on the local engine, always the same one.

    A leading 7 makes it as easy to tell apart as the lab's 9 and its neighbour's 8 (`kmslab.engine.identity`).
    """
    digits = int.from_bytes(hashlib.sha256(f"seat {name}".encode()).digest()) % 10**11
    return f"7{digits:011d}"


def keep_seats(project: Project, seats: Iterable[Seat]) -> Path:
    """Write the seats of the class into its folder, for nobody else to read, and return the file.

    Raises:
        LabError: the folder cannot be written.
    """
    project.ensure_home()
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows((seat.name, seat.account, seat.region, seat.learner) for seat in seats)
    file = seats_file(project)
    try:
        file.parent.mkdir(mode=0o700, exist_ok=True)
        write_private(file, text.getvalue())
    except OSError as error:
        raise unwritable(file, error) from error
    return file


def choose(seats: Sequence[Seat], only: Sequence[str]) -> tuple[Seat, ...]:
    """Return the seats that are named, in the order of the class; all of them when none is.

    Raises:
        LabError: a name is no seat of the class.
    """
    names = {seat.name for seat in seats}
    if unknown := [name for name in only if name not in names]:
        raise LabError(
            f"There is no seat {unknown[0]} in this class.", hint="`kmslab class status` shows the seats."
        )
    return tuple(seat for seat in seats if not only or seat.name in only)
