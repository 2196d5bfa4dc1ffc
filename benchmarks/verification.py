"""`kmslab verify` against prowler: the same engine, the same run, at most as many checks of prowler's as of ours.

Prowler reads settings; ours act as the lab's principals. Prowler is installed on first use into
`.kmslab/prowler`, from a hash-locked list: it is 2 GB and nothing else needs it.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
from typing import TYPE_CHECKING

from benchmarks.environments import install
from benchmarks.timing import Figure, median_of, wall_seconds

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

VERIFY_SECONDS = 8.0
QUICK_SECONDS = 3.0
SHARE_OF_PROWLER = 0.4
SERVICES = ("kms", "s3", "ec2", "iam", "secretsmanager", "cloudtrail")
PROWLER = "prowler (2 GB)"
EBS_ONLY = "ec2_ebs_"  # of prowler's EC2 checks, those about EBS


def lab_environment(project: Path) -> dict[str, str]:
    """What `kmslab env` exports, as a dictionary on top of this process's environment."""
    kmslab = str(project / ".venv" / "bin" / "kmslab")
    exports = subprocess.run([kmslab, "env"], cwd=project, check=True, capture_output=True, text=True).stdout  # noqa: S603  # our own command
    environment = dict(os.environ)
    for line in exports.splitlines():
        if line.startswith("export "):
            name, _, value = shlex.split(line)[1].partition("=")
            environment[name] = value
    return environment


def prowler_checks(prowler: Path, count: int, environment: dict[str, str]) -> list[str]:
    """The first ``count`` of prowler's checks for the lab's services."""
    listed = subprocess.run(  # noqa: S603  # the executable we installed
        [str(prowler), "aws", "--list-checks-json", "--services", *SERVICES],
        env=environment, check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    names: list[str] = json.loads(listed[listed.index("{") :])["aws"]
    fitting = [name for name in names if not name.startswith("ec2_") or name.startswith(EBS_ONLY)]
    return fitting[:count]


def measure(project: Path, repeat: int, note: Callable[[str], None]) -> list[Figure]:
    """Time both, one after the other in each round, on the lab that is up."""
    kmslab = str(project / ".venv" / "bin" / "kmslab")
    wall_seconds([kmslab, "up"], cwd=project)
    environment = lab_environment(project)
    output = project / ".kmslab" / "benchmark"
    output.mkdir(parents=True, exist_ok=True)
    mine = [kmslab, "verify", "--format", "json", "--output", str(output)]
    wall_seconds(mine, cwd=project)  # also fills the page cache
    ours = len(json.loads((output / "report.json").read_text(encoding="utf-8"))["results"])
    prowler = install(project, "prowler", PROWLER, note) / "prowler"
    names = prowler_checks(prowler, ours, environment)
    note(f"{ours} checks of ours against {len(names)} of prowler's")
    seconds: list[float] = []
    theirs = [
        str(prowler), "aws", "--region", environment["AWS_REGION"], "--aws-retries-max-attempts", "0",
        "--ignore-exit-code-3", "--no-banner", "-M", "json-ocsf", "-o", str(output), "--checks", *names,
    ]  # fmt: skip

    def ratio() -> float:
        seconds.append(wall_seconds(mine, cwd=project))
        return seconds[-1] / wall_seconds(theirs, cwd=project, env=environment)

    share = median_of(
        "kmslab verify as a share of prowler's time", "x", SHARE_OF_PROWLER, repeat, ratio, note
    )
    samples = iter(seconds)
    alone = median_of("kmslab verify, all checks", "s", VERIFY_SECONDS, repeat, lambda: next(samples), note)
    quick = median_of(
        "kmslab verify --quick",
        "s",
        QUICK_SECONDS,
        repeat,
        lambda: wall_seconds([*mine, "--quick"], cwd=project),
        note,
    )
    return [alone, quick, share]
