"""Kill commands at a random moment, run `up` or `down`, and look: nothing lost, nothing left.

``python -m benchmarks.interruptions --runs 200 --seed 1``: a lab of its own on an engine of its own. Each run
sends SIGKILL to ``up``, ``verify``, ``break``, ``repair`` or ``down`` at a moment that the seed chooses, then
lets ``up`` or ``down`` go to its end and compares.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kmslab.deployed import read_outputs, read_stacks
from kmslab.engine import control
from kmslab.faults.ledger import Ledger
from kmslab.lab import Access
from kmslab.model.outputs import LabOutputs
from kmslab.model.persona import Persona
from kmslab.project import HOME_VARIABLE, Project
from kmslab.residue.model import State
from kmslab.residue.proof import read_residue
from kmslab.targets import owner_access

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PROJECT = Path(__file__).resolve().parent.parent
KMSLAB = str(Path(sys.executable).with_name("kmslab"))
PREFIX = "killed"
FAULTS = (
    "ebs.a-snapshot-is-public",
    "ebs.a-volume-is-under-a-foreign-key",
    "keys.the-rsa-alias-is-gone",
    "keys.the-s3-key-waits-for-deletion",
    "rotation.the-s3-key-is-not-rotated",
    "s3.an-object-is-held-to-ransom",
    "s3.bucket-key-is-off",
    "teardown.a-key-is-of-no-stack",
    "teardown.a-volume-is-retained",
)
"""What ``break`` is given: faults that make things, and faults that change a setting, a key or a template."""
OBJECT = "kept/across-every-interruption"
BUSY = 6
"""Exit code while another command works on the lab: an orphan of the killed one may."""
GIVE_UP_SECONDS = 300.0


@dataclass
class Tally:
    """What happened.

    Attributes:
        killed: runs by the command that was killed.
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
        self.random = random.Random(seed)  # noqa: S311  # moments, no secrets
        self.tally = Tally()
        self.durations: dict[str, float] = {}
        self._environment = {**os.environ, HOME_VARIABLE: str(home)}

    def prepare(self) -> None:
        """Run each command once to its end, to know how long it takes."""
        for arguments in (("up",), ("verify",), ("break",), ("repair",), ("up",), ("down",), ("up",)):
            self.durations[arguments[0]] = self._whole(*self._arguments(arguments[0]))

    def once(self, number: int) -> None:
        """Kill one command, recover, compare."""
        command = self.random.choice(
            ("up", "verify", "break", "repair", "down") if self._stands() else ("up",)
        )
        before = self._kept() if self._stands() else {}
        if command == "repair":
            self._whole(*self._arguments("break"))
        moment = self.random.uniform(0.02, 1.0) * self.durations[command]
        was_killed = self._kill(self._arguments(command), moment)
        (self.tally.killed if was_killed else self.tally.ended)[command] += 1
        recovery = self.random.choice(("up", "up", "down"))
        try:
            self.tally.seconds.append(self._whole(*self._arguments(recovery)))
            wrong = self._wrong(recovery, command, before)
        except RuntimeError as error:
            wrong = [str(error)]
            self._whole("down", "--forget")
        if recovery == "up" and not wrong:
            self._keep()
        for line in wrong:
            told = f"run {number}: {command} killed after {moment:.2f} s, then {recovery}: {line}"
            print(f"\r{told}", file=sys.stderr, flush=True)
            self.tally.wrong.append(told)

    def _arguments(self, command: str) -> tuple[str, ...]:
        match command:
            case "up":
                return ("up", "-c", f"kmslab.prefix={PREFIX}")
            case "verify":
                return ("verify", "--quick", "--output", str(self.home))
            case "break":
                return ("break", self.random.choice(FAULTS))
            case "repair":
                return ("repair", "--all")
            case _:
                return (command, "--keep-engine", "-c", f"kmslab.prefix={PREFIX}")

    def _kill(self, arguments: Sequence[str], after: float) -> bool:
        """Start a command and kill it; say whether it still ran."""
        process = subprocess.Popen(  # noqa: S603  # our own program
            [KMSLAB, *arguments],
            cwd=PROJECT,
            env=self._environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            process.wait(after)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            return True
        return False

    def _whole(self, *arguments: str) -> float:
        """Run a command to its end, patient with an orphan of the one before; return its seconds.

        Raises:
            RuntimeError: it failed.
        """
        started = time.monotonic()
        while True:
            done = subprocess.run(  # noqa: S603  # our own program
                [KMSLAB, *arguments],
                cwd=PROJECT,
                env=self._environment,
                capture_output=True,
                text=True,
                check=False,
                timeout=GIVE_UP_SECONDS,
            )
            took = time.monotonic() - started
            if done.returncode == 0 or (arguments[0] == "verify" and done.returncode == 1):
                return took
            if done.returncode == BUSY and "Another kmslab command" in done.stderr and took < GIVE_UP_SECONDS:
                continue
            said = " / ".join([*done.stdout.splitlines(), *done.stderr.splitlines()][-4:])
            raise RuntimeError(f"kmslab {' '.join(arguments)} ended with {done.returncode}: {said}")

    def _access(self) -> Access:
        return Access(control.target(self.home), PREFIX)

    def _stands(self) -> bool:
        return control.status(self.home) is not None and bool(read_stacks(self._access()))

    def _keep(self) -> None:
        """Put an object and a secret's value that must survive."""
        access = self._access()
        outputs = read_outputs(access)
        s3 = access.client(Persona.DATA_OWNER, "s3")
        s3.put_object(Bucket=outputs.data_bucket, Key=OBJECT, Body=outputs.key_s3.encode())

    def _kept(self) -> dict[str, Any]:
        """What must not get lost: what the stacks export, and an object's content."""
        access = self._access()
        outputs = read_outputs(access)
        found: dict[str, Any] = {one.name: outputs.value_of(one) for one in LabOutputs.all()}
        s3 = access.client(Persona.DATA_OWNER, "s3")
        listed = s3.list_objects_v2(Bucket=outputs.data_bucket, Prefix=OBJECT).get("Contents", [])
        found["object"] = [
            s3.get_object(Bucket=outputs.data_bucket, Key=one["Key"])["Body"].read() for one in listed
        ]
        return found

    def _wrong(self, recovery: str, command: str, before: Mapping[str, Any]) -> list[str]:
        """What was lost or left."""
        access = self._access()
        residue = read_residue(access, owner=owner_access(Project(PROJECT, self.home), access))
        wrong = [f"{one.state}: {one.kind} {one.id} {one.note}" for one in residue.of(State.LEFT)]
        wrong += [f"{one.state}: {one.id}" for one in residue.of(State.UNSEEN)]
        wrong += [f"could not look: {line}" for line in residue.unseen]
        if recovery == "down":
            return wrong + [f"stands: {one.id}" for one in residue.of(State.STANDS)]
        if entries := Ledger(self._access()).entries():
            wrong.append(f"still broken: {[entry.fault_id for entry in entries]}")
        half = [stack.name for stack in read_stacks(self._access()).values() if not stack.complete]
        wrong += [f"half deployed: {name}" for name in half]
        if not half and before and command != "down":
            after = self._kept()
            wrong += [f"lost or changed: {name}" for name, value in before.items() if after[name] != value]
        return wrong


def run(runs: int, seed: int, home: Path) -> Tally:
    """Interrupt that often, in a folder for the lab that is removed afterwards."""
    killed = Killed(home, seed)
    try:
        killed.prepare()
        killed._keep()
        for number in range(1, runs + 1):
            killed.once(number)
            print(f"\r{number}/{runs}, {len(killed.tally.wrong)} wrong", end="", file=sys.stderr, flush=True)
    finally:
        control.stop(home)
    print(file=sys.stderr)
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
        "runs": arguments.runs,
        "seed": arguments.seed,
        "minutes": round((time.monotonic() - started) / 60, 1),
        "killed": dict(tally.killed),
        "ended before their moment": dict(tally.ended),
        "recovery seconds, median": round(seconds[len(seconds) // 2], 1) if seconds else None,
        "recovery seconds, longest": round(seconds[-1], 1) if seconds else None,
        "lost or left": tally.wrong,
    }
    print(json.dumps(told, indent=1))
    return 1 if tally.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
