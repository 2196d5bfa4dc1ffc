"""Kill commands at a random moment, run `up` or `down`, and look: nothing lost, nothing left.

``python -m benchmarks.interruptions --runs 200 --seed 1``: a lab of its own on an engine of its own. Each run
sends SIGKILL to ``up``, ``verify``, ``break``, ``repair`` or ``down`` at a moment that the seed chooses, to the
command alone, to its children too, or to the engine as well. Then ``up`` or ``down`` goes to its end, and everything
in the account is compared with what was there before (`benchmarks.whole_account`), whoever's it is.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.killing import (
    CHANGES,
    GIVE_UP_SECONDS,
    LOOK_SECONDS,
    PROJECT,
    RUN,
    VICTIMS,
    WORK,
    Ended,
    Killer,
    Moment,
    descendants,
    processes,
)
from benchmarks.progress import note
from benchmarks.whole_account import differences, look, shape
from kmslab.commands.engine import start_engine
from kmslab.deployed import read_outputs
from kmslab.engine import control
from kmslab.faults import REGISTRY
from kmslab.faults.changes.secrets import SecretKey, SecureString
from kmslab.faults.ledger import Ledger
from kmslab.lab import Access
from kmslab.model.errors import LabError
from kmslab.model.naming import secure_string_name
from kmslab.model.persona import Persona
from kmslab.project import Project
from kmslab.residue.model import State
from kmslab.residue.proof import read_residue
from kmslab.synthesis import STAMP
from kmslab.targets import owner_access

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from kmslab.faults import Fault

PREFIX = "killed"
SETTINGS = ("-c", f"kmslab.prefix={PREFIX}")
FAULTS = tuple(one for one in REGISTRY.values() if not one.part)
"""What ``break`` is given: every fault of what the lab has without further settings."""
OBJECT = "kept/across-every-interruption"
BUSY = 6
"""Exit code while another command works on the lab: an orphan of the killed one may."""
ATTEMPTS = 3
"""For each run that is interrupted: some commands are through before their moment."""
LAST_WORDS_SECONDS = 30.0
"""How long an engine that was stopped, or an orphan of the CDK CLI, may take to be gone."""
FIRST_GUESS = Ended(0, seconds=15.0, until_work=1.0, changes=100, said="")
"""How a command ends that has not been through yet."""
VARIATIONS: Mapping[tuple[str, bool], tuple[str, ...]] = {
    ("up", False): ("", "", "engine stopped", "engine stopped", "templates stale", "engine forgotten"),
    ("up", True): ("fault in place", "engine stopped", "other settings"),
    ("verify", True): ("", "", "quick"),
    ("break", True): ("",),
    ("repair", True): ("",),
    ("down", True): ("", "fault in place", "stops the engine", "", "stops the engine", "forgets"),
}
"""What is different about a command that is killed, by the command and by whether the lab stands."""


def changed_by(fault: Fault) -> tuple[str, ...]:
    """Return how the lines begin that say what a fault and its repair change for good.

    The SecureString is made with another value: nobody may read the one that it had. A secret under another key gets
    versions under that one.
    """
    change = fault.change
    if isinstance(change, SecureString):
        return (f"changed: ssm:value {secure_string_name(PREFIX)}",)
    return ("changed: secretsmanager:versions ",) if isinstance(change, SecretKey) else ()


@dataclass
class Tally:
    """What happened.

    Attributes:
        killed: runs by what was killed, and how.
        ended: runs in which the command was through before its moment came.
        seconds: of each recovery.
        wrong: what was lost or left, one line each.
    """

    killed: Counter[str] = field(default_factory=Counter)
    ended: Counter[str] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)


class Killed:
    """One lab, again and again."""

    def __init__(self, home: Path, seed: int) -> None:
        """Take an empty folder and the seed of every choice."""
        self.home = home
        self.tally = Tally()
        self._project = Project(PROJECT, home)
        self._random = random.Random(seed)  # noqa: S311  # moments, no secrets
        self._took: dict[tuple[str, str], Ended] = {}
        self._go = Killer(home).run
        self._whole: dict[str, str] = {}
        self._empty: dict[str, str] = {}
        self._files: set[str] = set()
        self._before: dict[str, str] = {}
        """What there is while the lab stands; empty while it does not."""

    def prepare(self) -> None:
        """Run each command once to its end, to know how long it takes, and see the account with the lab and without."""
        self._through("up", *SETTINGS)
        self._through("verify")
        self._through("down", "--keep-engine", *SETTINGS)
        self._empty = self._look()
        self._took["up", ""] = self._through("up", *SETTINGS)
        self._whole = shape(self._look())
        fault = self._random.choice(FAULTS)
        self._took["break", ""] = self._through("break", fault.id)
        self._took["repair", ""] = self._through("repair", "--all")
        self._took["verify", ""] = self._through("verify")
        self._files = {one.name for one in self.home.iterdir()}
        self._keep()

    def finish(self) -> None:
        """See whether a lab that stands still passes every check."""
        if self._before:
            try:
                self._through("verify")
            except RuntimeError as error:
                self.tally.wrong.append(f"at the end: {error}")

    def once(self, number: int) -> None:
        """Kill one command, recover, compare."""
        stands = bool(self._before)
        command = self._random.choice([name for name, when in VARIATIONS if when == stands])
        variation = self._random.choice(VARIATIONS[command, stands])
        given = self._random.choice(FAULTS)
        broken = command in {"break", "repair"} or variation == "fault in place"
        fault = given if broken else None
        moment = self._moment(command, variation)
        recovery = self._random.choice(("up", "up", "down"))
        told = f"{command}{f' ({variation})' if variation else ''}"
        if fault:
            told += f" [{fault.id}]"
        try:
            self._vary(command, variation, given)
            ended = self._go(self._arguments(command, variation, given), moment)
            if ended.code is None:
                self.tally.killed[f"{command}, {moment.victims}"] += 1
                told += f" {moment}"
            else:
                self.tally.ended[command] += 1
                self._took[command, variation] = ended
                told += f" ended after {ended.seconds:.2f} s with {ended.code}"
            seconds = self._recover(recovery).seconds
            self.tally.seconds.append(seconds)
            told += f", then {recovery} in {seconds:.1f} s"
            same = stands and command != "down" and variation != "engine forgotten"
            wrong = list(self._wrong(recovery, fault, self._before if same else None))
        except (LabError, RuntimeError) as error:
            wrong = [str(error)]
        note(f"{number}: {told}{'' if wrong else ': as it was'}")
        for line in wrong:
            note(f"   WRONG: {line}")
            self.tally.wrong.append(f"{told}: {line}")
        self._begin_anew(recovery, afresh=bool(wrong))

    def _moment(self, command: str, variation: str) -> Moment:
        """A moment of the whole command, of that part of it in which it works on the lab, or between its changes."""
        known = [took for (name, _), took in self._took.items() if name == command]
        guess = max(known, default=FIRST_GUESS, key=lambda took: took.seconds)
        took = self._took.get((command, variation), guess)
        whole = {RUN: took.seconds, WORK: took.seconds - took.until_work, CHANGES: took.changes}
        of = self._random.choice(list(whole))
        number = self._random.uniform(0.0, whole[of])
        return Moment(math.ceil(number) if of == CHANGES else number, of, self._random.choice(VICTIMS))

    def _vary(self, command: str, variation: str, fault: Fault) -> None:
        if command == "repair" or variation == "fault in place":
            self._through("break", fault.id)
        if variation == "engine stopped":
            control.stop(self.home)
        if variation == "templates stale":
            (self._project.assembly / STAMP).unlink(missing_ok=True)
        if variation == "engine forgotten":
            self._through("down", "--forget")

    def _arguments(self, command: str, variation: str, fault: Fault) -> tuple[str, ...]:
        more = {
            "up": SETTINGS,
            "verify": (),
            "break": (fault.id,),
            "repair": ("--all",),
            "down": ("--keep-engine", *SETTINGS),
        }
        different = {
            "other settings": (*SETTINGS, "-c", "kmslab.volume_count=2"),
            "quick": ("--quick",),
            "stops the engine": SETTINGS,
            "forgets": ("--forget",),
        }
        return (command, *different.get(variation, more[command]))

    def _recover(self, recovery: str) -> Ended:
        if recovery == "up":
            return self._through("up", *SETTINGS)
        return self._through("down", *(("--keep-engine",) if self._random.random() < 0.5 else ()), *SETTINGS)  # noqa: PLR2004  # every other time

    def _through(self, *arguments: str) -> Ended:
        """Run a command to its end, patient with an orphan of the one before.

        Raises:
            RuntimeError: it failed.
        """
        deadline = time.monotonic() + GIVE_UP_SECONDS
        while True:
            ended = self._go(arguments)
            if ended.code == 0:
                return ended
            busy = ended.code == BUSY and "Another kmslab command" in ended.said
            if not busy or time.monotonic() > deadline:
                raise RuntimeError(f"kmslab {' '.join(arguments)} ended with {ended.code}: {ended.said}")

    def _access(self) -> Access:
        return Access(control.target(self.home), PREFIX)

    def _look(self) -> dict[str, str]:
        owner = owner_access(self._project, self._access())
        assert owner is not None  # noqa: S101  # the target is a local engine
        return look(owner)

    def _keep(self) -> None:
        """Put an object that must survive, and remember the account as it is now."""
        access = self._access()
        outputs = read_outputs(access)
        s3 = access.client(Persona.DATA_OWNER, "s3")
        if not s3.list_objects_v2(Bucket=outputs.data_bucket, Prefix=OBJECT).get("Contents"):
            s3.put_object(Bucket=outputs.data_bucket, Key=OBJECT, Body=outputs.key_s3.encode())
        self._before = self._look()

    def _wrong(self, recovery: str, fault: Fault | None, before: Mapping[str, str] | None) -> Iterator[str]:
        """What was lost or left.

        Args:
            recovery: what ran to its end.
            fault: the one that was made, if one was.
            before: what there was, and must be again; None: nothing of it had to stay.
        """
        yield from (f"left: process {line}" for line in self._strangers())
        for name in sorted({one.name for one in self.home.iterdir()} - self._files):
            yield f"left: file {name}"
        start_engine(self._project, 0)
        if recovery == "down":  # its exit code says what the residue is
            yield from differences(self._empty, self._look())
            return
        access = self._access()
        residue = read_residue(access, owner=owner_access(self._project, access))
        for thing in (*residue.of(State.LEFT), *residue.of(State.UNSEEN)):
            yield f"{thing.state}: {thing.kind} {thing.id} {thing.note}"
        yield from (f"could not look: {line}" for line in residue.unseen)
        if entries := Ledger(access).entries():
            yield f"still broken: {[entry.fault_id for entry in entries]}"
        read_outputs(access)
        now = self._look()
        if before is not None:
            meant = changed_by(fault) if fault else ()
            yield from (line for line in differences(before, now) if not line.startswith(meant))
        else:
            yield from differences(self._whole, shape([name for name in now if OBJECT not in name]))
        if fault is None:
            return
        try:
            self._through("verify", *(part for name in fault.noticed_by for part in ("--only", name)))
        except RuntimeError as error:
            yield f"broken: {error}"

    def _strangers(self) -> list[str]:
        """Processes of the lab that are none of its engine's, and do not end either."""
        deadline = time.monotonic() + LAST_WORDS_SECONDS
        while True:
            engine = control.status(self.home)
            known = {engine.pid, *dict(descendants(engine.pid))} if engine else set()
            found = [line for pid, line in processes() if str(self.home) in line and pid not in known]
            if not found or time.monotonic() > deadline:
                return found
            time.sleep(LOOK_SECONDS)

    def _begin_anew(self, recovery: str, *, afresh: bool) -> None:
        """Get ready for the next run; after something went wrong, with an empty engine."""
        if afresh:
            self._through("down", "--forget")
            self._through("up", *SETTINGS)
        if afresh or recovery == "up":
            self._keep()
        else:
            self._before = {}


def run(runs: int, seed: int, home: Path) -> Tally:
    """Interrupt that often, in a folder for the lab whose engine is stopped afterwards."""
    killed = Killed(home, seed)
    try:
        killed.prepare()
        number = 0
        while sum(killed.tally.killed.values()) < runs and number < ATTEMPTS * runs:
            killed.once(number := number + 1)
        killed.finish()
    finally:
        control.stop(home)
    return killed.tally


def main() -> int:
    """Run, print what happened, and keep it; 1 if anything was lost or left."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.interruptions", description=__doc__)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    home = Path(tempfile.mkdtemp(prefix="kmslab-killed-")) / "home"
    started = time.monotonic()
    try:
        tally = run(arguments.runs, arguments.seed, home)
    finally:
        shutil.rmtree(home.parent, ignore_errors=True)
    seconds = sorted(tally.seconds)
    told = {
        "runs": sum(tally.killed.values()),
        "seed": arguments.seed,
        "minutes": round((time.monotonic() - started) / 60, 1),
        "killed": dict(sorted(tally.killed.items())),
        "ended before their moment": dict(sorted(tally.ended.items())),
        "recovery seconds, median": round(seconds[len(seconds) // 2], 1) if seconds else None,
        "recovery seconds, longest": round(seconds[-1], 1) if seconds else None,
        "lost or left": tally.wrong,
    }
    print(json.dumps(told, indent=1))
    return 1 if tally.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
