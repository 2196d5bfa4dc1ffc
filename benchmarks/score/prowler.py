"""prowler on the lab's own engine, with its checks of the services that the lab uses."""

from __future__ import annotations

import json
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.environments import install
from benchmarks.verification import PROWLER, prowler_checks

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

PROJECT = Path(__file__).resolve().parents[2]
EVERY_CHECK = 10_000


class Prowler:
    """prowler's checks of KMS, S3, EBS, IAM, Secrets Manager and CloudTrail."""

    name = "prowler"

    def __init__(self, note: Callable[[str], None]) -> None:
        self._executable = install(PROJECT, "prowler", PROWLER, note) / "prowler"
        listed = (PROJECT / "benchmarks" / "requirements-prowler.txt").read_text(encoding="utf-8")
        (line,) = [one for one in listed.splitlines() if one.startswith("prowler==")]
        self.version = line.partition("==")[2].split()[0]
        self._checks: list[str] = []

    def findings(self, environment: Mapping[str, str]) -> frozenset[str]:
        """See `benchmarks.score.scanners.Prober`."""
        self._checks = self._checks or prowler_checks(self._executable, EVERY_CHECK, dict(environment))
        with tempfile.TemporaryDirectory(prefix="kmslab-prowler-") as folder:
            ran = subprocess.run(  # noqa: S603  # the tool we installed
                (
                    *(str(self._executable), "aws", "--region", environment["AWS_REGION"], "--no-banner"),
                    *("--aws-retries-max-attempts", "0", "--ignore-exit-code-3"),
                    *("--output-formats", "json-ocsf", "--output-directory", folder),
                    *("--output-filename", "found", "--checks", *self._checks),
                ),
                env=dict(environment),
                capture_output=True,
                text=True,
                check=False,
            )
            if ran.returncode:
                raise RuntimeError(f"prowler ended with {ran.returncode}: {ran.stderr[-500:]}")
            found = json.loads(Path(folder, "found.ocsf.json").read_text(encoding="utf-8"))
        return frozenset(
            f"{resource['uid']} {one['metadata']['event_code']}"
            for one in found
            if one["status_code"] == "FAIL"
            for resource in one["resources"]
        )
