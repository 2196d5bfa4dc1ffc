from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def make(*arguments: str) -> list[str]:
    """What make prints, line by line, without its own messages."""
    ran = subprocess.run(  # noqa: S603  # our own Makefile
        ["/usr/bin/env", "make", "--no-print-directory", *arguments],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    )
    return ran.stdout.splitlines()


def test_make_alone_lists_what_can_be_made() -> None:
    listed = {line.split()[1] for line in make()}
    usual = {"help", "lab", "setup", "test", "nightly", "fmt", "lock", "bench", "score", "clean"}
    assert listed == {*usual, "site", "guide-aws", "lint-templates"}


@pytest.mark.parametrize(
    ("target", "commands"),
    [
        ("setup", ["tools/setup.py"]),
        (
            "lab",
            ["tools/setup.py", ".venv/bin/kmslab up", ".venv/bin/kmslab verify --format table,html,json"],
        ),
        (
            "test",
            [
                "tools/setup.py --dev",
                ".venv/bin/ruff check .",
                ".venv/bin/ruff format --check .",
                ".venv/bin/mypy",
                ".venv/bin/pytest -n 2 --dist loadgroup",
            ],
        ),
        (
            "nightly",
            [
                "tools/setup.py --dev",
                ".venv/bin/python -m benchmarks.score --greens 50 --scanner none",
                ".venv/bin/pytest -m nightly",
                ".venv/bin/python -m benchmarks.findings",
            ],
        ),
        ("score", ["tools/setup.py", ".venv/bin/python -m benchmarks.score --greens 50"]),
    ],
)
def test_a_target_runs_these_commands_in_this_order(target: str, commands: list[str]) -> None:
    run = [re.sub(r"^\S*python\S* (?=tools/)", "", line) for line in make("--dry-run", target)]
    assert run == commands


def test_ci_runs_make_test() -> None:
    script = ROOT / ".ci" / "run"
    assert script.stat().st_mode & 0o111
    assert script.read_text().splitlines()[-1] == "exec make test"
