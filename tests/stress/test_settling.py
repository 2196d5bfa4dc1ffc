"""A whole lab on an engine whose permissions settle late: verdicts stay, or become ERROR; they are never wrong."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from kmslab.faults import REGISTRY
from kmslab.model.errors import ExitCode
from kmslab.model.verdict import Outcome
from tests.conftest import run_kmslab

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SECONDS = "3"
FAULTS = (
    "direct.the-context-is-not-demanded",
    "grants.nobody-can-grant",
    "identity.the-admin-is-in-no-group",
    "s3.the-reader-may-put-objects",
)
"""Of key policies, identity policies and group membership: each counts late, and so does its repair."""

pytestmark = pytest.mark.nightly  # a lab of its own, and every wait takes its time


@pytest.fixture(scope="module")
def late(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The home of a lab that was deployed while nothing had settled."""
    home = tmp_path_factory.mktemp("late") / "home"
    try:
        started = run_kmslab(home, "engine", "start", "--settle", SECONDS)
        assert started.returncode == ExitCode.OK, started.stderr
        up = run_kmslab(home, "up")
        assert up.returncode == ExitCode.OK, up.stderr
        yield home
    finally:
        run_kmslab(home, "engine", "stop")


def outcomes(home: Path, folder: Path, *only: str) -> dict[str, str]:
    """Verify, and return each check's outcome with what it says."""
    words = [part for name in only for part in ("--only", name)]
    run_kmslab(home, "verify", *words, "--format", "json", "--output", str(folder))
    report = json.loads((folder / "report.json").read_text())
    return {one["id"]: f"{one['outcome']} {one['summary']}" for one in report["results"]}


def test_a_lab_verified_right_after_its_deployment(late: Path, tmp_path: Path) -> None:
    found = outcomes(late, tmp_path)
    assert {name: said for name, said in found.items() if said.startswith(Outcome.FAIL)} == {}
    passed = [name for name, said in found.items() if said.startswith(Outcome.PASS)]
    assert len(passed) > 0.9 * len(found), "a lab that is whole is not given up for a few seconds' delay"


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_noticed_right_after_break_and_gone_right_after_repair(
    late: Path, tmp_path: Path, fault: str
) -> None:
    noticed_by = REGISTRY[fault].noticed_by
    broken = run_kmslab(late, "break", fault)
    assert broken.returncode == ExitCode.OK, broken.stderr
    found = outcomes(late, tmp_path, *noticed_by)
    repaired = run_kmslab(late, "repair")
    assert repaired.returncode == ExitCode.OK, repaired.stderr
    assert {name for name, said in found.items() if not said.startswith(Outcome.FAIL)} == set(), found
    found = outcomes(late, tmp_path, *noticed_by)
    assert {name for name, said in found.items() if not said.startswith(Outcome.PASS)} == set(), found
