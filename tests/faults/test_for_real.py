"""On the deployed lab, with the real command line: a fault is made, seen, and repaired by `up`."""

from __future__ import annotations

import json
import subprocess
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from kmslab.model.errors import ExitCode
from tests.conftest import KMSLAB

if TYPE_CHECKING:
    from tests.conftest import DeployedLab

FAULT = "tags.a-key-has-lost-its-tag"


def test_a_lab_left_broken_is_recognised_named_and_repaired_by_up(deployed_lab: DeployedLab) -> None:
    broken = deployed_lab.kmslab("break", FAULT)
    assert broken.returncode == 0, broken.stderr
    try:
        seen = deployed_lab.kmslab("verify", "--only", "keys.every-key-is-tagged")
        assert seen.returncode == ExitCode.NOT_PROVEN
        assert "the key rsa has no tag" in seen.stdout
        assert seen.stderr.startswith("1 fault is in place")
        assert f": {FAULT}: The RSA key has lost the tag" in deployed_lab.kmslab("status").stdout
    finally:
        up = deployed_lab.kmslab("up")
    assert up.returncode == 0, up.stderr
    assert f"repaired: {FAULT}: The RSA key has lost the tag that says whose it is." in up.stderr
    assert json.loads(deployed_lab.kmslab("faults", "--in-place", "--format", "json").stdout) == []
    whole = deployed_lab.kmslab("verify", "--only", "keys.every-key-is-tagged")
    assert whole.returncode == 0, whole.stdout
    assert "fault" not in whole.stderr


def test_a_break_that_is_killed_at_any_moment_can_be_repaired(deployed_lab: DeployedLab) -> None:
    started = time.monotonic()
    assert deployed_lab.kmslab("break", FAULT).returncode == 0
    takes = time.monotonic() - started
    assert deployed_lab.kmslab("repair", "--all").returncode == 0
    for part in (0.5, 0.7, 0.8, 0.9):
        killed = subprocess.Popen(  # noqa: S603  # our own command
            [KMSLAB, "break", FAULT],
            cwd=deployed_lab.root,
            env={**deployed_lab.environment, "COLUMNS": "200"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        with suppress(subprocess.TimeoutExpired):
            killed.wait(takes * part)
        killed.kill()
        killed.wait()
        assert deployed_lab.kmslab("repair", "--all").returncode == 0
        assert json.loads(deployed_lab.kmslab("faults", "--in-place", "--format", "json").stdout) == []
        whole = deployed_lab.kmslab("verify", "--only", "keys.every-key-is-tagged")
        assert whole.returncode == 0, f"killed after {part} of the time: {whole.stdout}"
