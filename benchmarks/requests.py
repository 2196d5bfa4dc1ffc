"""Count what a deployment, a `kmslab verify` and each page of the course ask AWS for: `python -m benchmarks.requests`.

They run against an engine of their own that counts. The result is `kmslab/cost/measured.toml`, of which
`kmslab cost` makes prices. What CloudFormation asks other services for is inside AWS and not counted, but its
requests to KMS are: they are on the account's bill.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.counting_engine import COUNTS
from benchmarks.progress import note

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PROJECT = Path(__file__).resolve().parent.parent
TABLE = PROJECT / "kmslab" / "cost" / "measured.toml"
SECONDS = 60.0
"""Within these the engine starts, and writes what it counted."""
ABOUT = """\
# What is asked of AWS: by `kmslab up`, by one full `kmslab verify`, by each page of the course. Counted on the local
# engine by `python -m benchmarks.requests`, which writes this file. Items that end in -made cost by the hour.
"""
ELSEWHERE = "18-clean-up"
"""The page that has a lab of its own, on an engine of its own: it asks AWS for nothing."""
Counts = dict[str, float]


@contextmanager
def counting_engine(home: Path) -> Iterator[int]:
    """Start the engine that counts, in a folder of its own, and stop it; yields its process id."""
    node = subprocess.run(
        [sys.executable, "-c", "from kmslab.toolchain import require_node; print(require_node().executable.parent)"],
        check=True, capture_output=True, text=True, cwd=PROJECT,
    ).stdout.strip()  # fmt: skip
    environment = {
        **os.environ,
        "PATH": f"{node}{os.pathsep}{os.environ['PATH']}",
        "NODE_PATH": str(PROJECT / "node_modules"),
        "PYTHONPATH": str(PROJECT),
    }
    command = [
        sys.executable,
        "-m",
        "benchmarks.counting_engine",
        "--home",
        str(home),
        "--region",
        "us-east-1",
    ]
    with (home / "counting.log").open("wb") as log:
        engine = subprocess.Popen(command, cwd=PROJECT, env=environment, stdout=log, stderr=log)  # noqa: S603  # our own module
    try:
        _wait_for(home / "engine" / "ready.json", engine)
        yield engine.pid
    finally:
        engine.terminate()
        engine.wait(SECONDS)


def _wait_for(file: Path, engine: subprocess.Popen[bytes] | None = None) -> None:
    deadline = time.monotonic() + SECONDS
    while not file.exists():
        if time.monotonic() > deadline or (engine and engine.poll() is not None):
            raise RuntimeError(f"{file} does not appear")
        time.sleep(0.05)


def counted(home: Path, pid: int) -> Counts:
    """What was asked since the last call."""
    (home / COUNTS).unlink(missing_ok=True)
    os.kill(pid, signal.SIGUSR1)
    _wait_for(home / COUNTS)
    found: Counts = json.loads((home / COUNTS).read_text(encoding="utf-8"))
    return dict(sorted(found.items()))


def rendered(parts: Mapping[str, Counts], day: str) -> str:
    """The table as TOML: one section a part."""
    lines = [ABOUT, f"measured = {day}"]
    for name, counts in parts.items():
        lines += ["", f'["{name}"]', *(f"{item} = {quantity:g}" for item, quantity in counts.items())]
    return "\n".join(lines) + "\n"


def main() -> int:
    """Count, and write the table."""
    kmslab = str(PROJECT / ".venv" / "bin" / "kmslab")
    aws_cli = PROJECT / ".kmslab" / "aws-cli" / "bin"
    parts: dict[str, Counts] = {}
    with tempfile.TemporaryDirectory(prefix="kmslab-requests-") as folder:
        home = Path(folder)
        environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        environment["KMSLAB_HOME"] = folder
        with counting_engine(home) as pid:

            def run(name: str, *command: str) -> None:
                note(f"{name} ...")
                subprocess.run(command, cwd=PROJECT, env=environment, check=True, stdout=sys.stderr)  # noqa: S603  # our own commands
                parts[name] = counted(home, pid)

            run("deployment", kmslab, "up")
            run("verify", kmslab, "verify", "--output", folder)
            path = os.pathsep.join((str(Path(kmslab).parent), str(aws_cli), environment["PATH"]))
            environment.update(
                {"PATH": path, "AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
            )
            for page in sorted((PROJECT / "lab_guides").glob("[0-9][0-9]-*.md")):
                if page.stem != ELSEWHERE:
                    run(page.stem, sys.executable, "-m", "kmslab.guides", str(page))
    TABLE.write_text(rendered(parts, datetime.now(tz=UTC).date().isoformat()), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
