"""The ledger of faults in place, kept in the target: what a crash leaves broken can be repaired from anywhere.

One SSM parameter a fault, written before the fault is made and deleted after it is repaired. Its name is
random and its value is packed, so that nobody who lists parameters learns by accident what a mystery is.
"""

from __future__ import annotations

import base64
import binascii
import json
import secrets
import zlib
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from kmslab.faults.registry import REGISTRY
from kmslab.model.errors import ExitCode, LabError
from kmslab.model.naming import PREFIX_TAG, faults_path
from kmslab.model.persona import Persona

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from kmslab.faults.change import Json
    from kmslab.faults.registry import Fault
    from kmslab.faults.workshop import Workshop
    from kmslab.lab import Access

ROOM = 4096
"""Characters that the value of a standard parameter holds (SSM User Guide, "Managing parameter tiers")."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A fault in place.

    Attributes:
        number: one more than that of the fault before it; repairs go the other way.
        fault_id: which fault.
        lab: ARN of the app key: a lab that is destroyed and deployed again has another, and is not broken.
        since: when it was broken, ISO 8601 in UTC.
        mystery: whether it is for somebody to find out.
        hints: how many hints were given.
        saved: what was there before, as the fault's `Change` wants it.
    """

    number: int
    fault_id: str
    lab: str
    since: str
    mystery: bool
    hints: int
    saved: Json

    @property
    def fault(self) -> Fault:
        """The fault.

        Raises:
            LabError: this release has none of that name.
        """
        if self.fault_id not in REGISTRY:
            raise LabError(
                f"The fault {self.fault_id} is in place, but this release of kmslab does not know it.",
                hint="Repair it with the release that broke it.",
                exit_code=ExitCode.TARGET,
            )
        return REGISTRY[self.fault_id]


class Ledger:
    """The parameters of one lab that name its faults in place."""

    def __init__(self, access: Access) -> None:
        self._path = faults_path(access.prefix)
        self._prefix = access.prefix
        self._access = access
        self._names: dict[int, str] = {}

    @property
    def _ssm(self) -> Any:
        return self._access.client(Persona.OPERATOR, "ssm")

    def entries(self) -> list[Entry]:
        """Return the faults in place, the oldest first.

        Raises:
            LabError: a parameter is not what this class wrote.
        """
        found = []
        for page in self._pages():
            for parameter in page["Parameters"]:
                entry = _unpack(parameter["Name"], parameter["Value"])
                self._names[entry.number] = parameter["Name"]
                found.append(entry)
        return sorted(found, key=lambda entry: entry.number)

    def write(self, entry: Entry) -> None:
        """Record a fault that is about to be made, or a changed entry of one in place.

        Raises:
            LabError: what must be kept is too long for a parameter; nothing is written.
        """
        value = _pack(entry)
        if len(value) > ROOM:
            raise LabError(
                f"To repair {entry.fault_id} takes {len(value)} characters; the ledger has room for {ROOM}.",
                exit_code=ExitCode.FAULT,
            )
        known = self._names.get(entry.number)
        if known:
            self._ssm.put_parameter(Name=known, Value=value, Type="String", Overwrite=True)
            return
        name = f"{self._path}/{secrets.token_hex(6)}"
        self._ssm.put_parameter(
            Name=name,
            Description="KMS Lab: a fault is in place; `kmslab repair` removes it",
            Value=value,
            Type="String",
            Tags=[{"Key": PREFIX_TAG, "Value": self._prefix}],
        )
        self._names[entry.number] = name

    def delete(self, entry: Entry) -> None:
        """Strike out a fault that is repaired."""
        self._ssm.delete_parameters(Names=[self._names.pop(entry.number)])

    def clear(self) -> None:
        """Strike out everything, readable or not: the lab is gone."""
        for page in self._pages():
            for parameter in page["Parameters"]:
                self._ssm.delete_parameters(Names=[parameter["Name"]])

    def _pages(self) -> Iterator[Any]:
        pages = self._ssm.get_paginator("get_parameters_by_path").paginate(Path=self._path)
        return iter(pages)


def in_place(workshop: Workshop, ledger: Ledger) -> list[Entry]:
    """Return the faults in place, the oldest first; strike out those of a lab that no longer exists."""
    entries = ledger.entries()
    for entry in entries:
        if entry.lab != workshop.outputs.key_app:
            ledger.delete(entry)
    return [entry for entry in entries if entry.lab == workshop.outputs.key_app]


def break_lab(workshop: Workshop, ledger: Ledger, fault: Fault, *, mystery: bool = False) -> Entry:
    """Make a fault, on record from before it is made.

    What cannot be put back is not broken: the repair is tried first, when it has nothing to do yet.

    Raises:
        LabError: it is in place already, what it breaks is not deployed, or this target lets us not make it;
            the lab is as it was.
        ClientError, BotoCoreError: likewise.
        KeyboardInterrupt: it is on record, and may be made in part.
    """
    entries = in_place(workshop, ledger)
    if any(entry.fault_id == fault.id for entry in entries):
        raise LabError(f"{fault.id} is in place already.", hint=f"Put it right: `kmslab repair {fault.id}`.")
    if not fault.fits(workshop.outputs):
        raise LabError(
            f"{fault.id} breaks what this lab was deployed without: {fault.part.replace('_', ' ')}.",
            hint="docs/settings.md says how to deploy it.",
        )
    change = fault.change
    saved = change.save(workshop)
    change.restore(workshop, saved)
    number = max((entry.number for entry in entries), default=0) + 1
    since = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
    entry = Entry(number, fault.id, workshop.outputs.key_app, since, mystery, 0, saved)
    ledger.write(entry)
    try:
        change.apply(workshop, saved)
    except Exception:
        repair(workshop, ledger, entry)
        raise
    return entry


def repair(workshop: Workshop, ledger: Ledger, entry: Entry) -> None:
    """Put back what a fault changed, and strike it out. If this is interrupted, do it again.

    Faults that were made after it must be repaired before: see `from_the_newest`.
    """
    entry.fault.change.restore(workshop, entry.saved)
    ledger.delete(entry)


def from_the_newest(entries: Sequence[Entry], down_to: Entry | None = None) -> Iterator[Entry]:
    """Yield entries in the order of repair: the newest first.

    A fault saved what it found, and that is what the ones before it had left: put back in another order,
    two faults of one thing would leave it broken for good.

    Args:
        entries: the faults in place, the oldest first.
        down_to: the last to yield; None: all of them.
    """
    for entry in reversed(entries):
        yield entry
        if entry == down_to:
            return


def with_hint(ledger: Ledger, entry: Entry) -> Entry:
    """Record that one more hint to a mystery was given, and return the entry as it is then."""
    hinted = replace(entry, hints=entry.hints + 1)
    ledger.write(hinted)
    return hinted


def _pack(entry: Entry) -> str:
    text = json.dumps(asdict(entry), separators=(",", ":"))
    return base64.b64encode(zlib.compress(text.encode(), level=9)).decode()


def _unpack(name: str, value: str) -> Entry:
    try:
        return Entry(**json.loads(zlib.decompress(base64.b64decode(value))))
    except (binascii.Error, zlib.error, ValueError, TypeError) as error:
        raise LabError(
            f"The parameter {name} should name a fault in place, but cannot be read.",
            hint="If nothing is broken, delete it; else deploy the lab anew: `kmslab down`, `kmslab up`.",
            exit_code=ExitCode.TARGET,
        ) from error
