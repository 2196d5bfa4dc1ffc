"""What a class costs on the local engine: time, processor time and memory, for classes of several sizes.

`python -m benchmarks.class_of --seats 10 --seats 200` makes a class of each size in a folder of its own, deploys it,
verifies the whole catalogue in every seat, and removes the folder. With `--verified 10` only the first ten seats are
verified: whether a seat of a large class costs more than one of a small class shows sooner. Processor time is read
from /proc, so Linux only: on a machine that others use too it says more than the clock does.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
KMSLAB = Path(sys.executable).with_name("kmslab")
SECONDS = 3 * 3600
"""How long one command may take."""


class Measured:
    """A class in a folder of its own, and what its commands cost."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self._environment = {**os.environ, "KMSLAB_HOME": str(home)}

    def run(self, *arguments: str) -> dict[str, float]:
        """Run a command of the class; return seconds by the clock and of the processor.

        Raises:
            SystemExit: it failed.
        """
        clock, ours, engines = time.monotonic(), _children(), self._engine_seconds()
        done = subprocess.run(  # noqa: S603  # our own script
            [KMSLAB, *arguments],
            cwd=ROOT,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        if done.returncode:
            raise SystemExit(f"kmslab {' '.join(arguments)} failed:\n{done.stdout}{done.stderr}")
        return {
            "seconds": time.monotonic() - clock,
            "commands": _children() - ours,
            "engine": self._engine_seconds() - engines,
        }

    def engine_peak_mib(self) -> float:
        """The most memory that the engine has held, in MiB."""
        status = Path(f"/proc/{self._engine()}/status").read_text(encoding="utf-8")
        return next(int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmHWM"))

    def _engine(self) -> int:
        return int(json.loads((self.home / "engine" / "ready.json").read_text(encoding="utf-8"))["pid"])

    def _engine_seconds(self) -> float:
        """Processor time of the engine and of the functions that it has run to their end."""
        try:
            fields = (
                Path(f"/proc/{self._engine()}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
            )
        except FileNotFoundError:
            return 0.0
        return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def measure(seats: int, verified: int) -> dict[str, Any]:
    """Deploy and verify a class of so many seats.

    Args:
        seats: how many.
        verified: how many of them are verified; 0: all.
    """
    home = Path(tempfile.mkdtemp(prefix=f"kmslab-class-of-{seats}-"))
    one = Measured(home)
    names = [f"seat-{number:04d}" for number in range(1, seats + 1)]
    try:
        file = home / "given.csv"
        file.write_text("seat,account\n" + "".join(f"{name},\n" for name in names), encoding="utf-8")
        one.run("class", "init", str(file))
        # The templates, the engine and its stock of keys are there before the class comes.
        one.run("class", "deploy", "--only", names[0])
        one.run("class", "verify", "--only", names[0], "--quick")
        deployed = one.run("class", "deploy")
        some = names[:verified] if verified else names
        proven = one.run("class", "verify", *(part for name in some for part in ("--only", name)))
        return {
            "seats": seats,
            "load": os.getloadavg()[0],
            "deploy": _per_seat(deployed, seats - 1),
            "verify": _per_seat(proven, len(some)),
            "engine_peak_mib": round(one.engine_peak_mib()),
            "state_mib": round(_size(home / "engine") / 2**20),
        }
    finally:
        subprocess.run(  # noqa: S603  # our own script
            [KMSLAB, "engine", "stop"], cwd=ROOT, env=one._environment, capture_output=True, check=False
        )
        shutil.rmtree(home, ignore_errors=True)


def _per_seat(found: dict[str, float], seats: int) -> dict[str, float]:
    each = {f"{name}_per_seat": round(value / max(seats, 1), 3) for name, value in found.items()}
    return {"seconds": round(found["seconds"], 1), **each}


def _size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def main() -> None:
    """Measure and print one JSON object a class."""
    parser = argparse.ArgumentParser("python -m benchmarks.class_of", description=__doc__)
    parser.add_argument("--seats", type=int, action="append", help="of a class; can be repeated")
    parser.add_argument("--verified", type=int, default=0, help="seats that are verified (default: all)")
    options = parser.parse_args()
    for seats in options.seats or [10]:
        sys.stdout.write(json.dumps(measure(seats, options.verified)) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
