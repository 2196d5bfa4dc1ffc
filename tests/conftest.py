"""Fixtures that more than one part of the suite needs: above all a lab that is deployed once."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parent.parent
KMSLAB = Path(sys.executable).with_name("kmslab")
LABS = {"deployed_lab": "deployed-lab", "pages_lab": "pages-lab"}
"""Fixtures that deploy a lab, and the group of tests that shares it."""


@dataclass(frozen=True)
class DeployedLab:
    """A lab that `kmslab up` deployed on an engine of its own.

    Attributes:
        root: the project folder, which is this checkout.
        home: the lab's home, a temporary folder.
        environment: for subprocesses: what `kmslab env` prints, KMSLAB_HOME, and a PATH with kmslab.
        said: what `kmslab up` wrote to stdout and stderr when it deployed the lab.
    """

    root: Path
    home: Path
    environment: dict[str, str]
    said: str

    def kmslab(self, *arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        """Run the real command line on this lab."""
        return run_kmslab(self.home, *arguments, cwd=cwd)


def run_kmslab(
    home: Path, *arguments: str, cwd: Path | None = None, environment: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run the real command line, as a user in this checkout would, with a home of its own and no AWS account."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return subprocess.run(  # noqa: S603  # our own script
        [KMSLAB, *arguments],
        cwd=cwd or ROOT,
        env={**inherited, "KMSLAB_HOME": str(home), "COLUMNS": "200", **(environment or {})},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


def exported(lines: str) -> dict[str, str]:
    """Read the `export NAME=value` lines of `kmslab env` as a shell would."""
    pairs = re.findall(r"^export (\w+)=(.*)$", lines, re.MULTILINE)
    return {name: "".join(shlex.split(value)) for name, value in pairs}


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Children hear Ctrl-C even where the suite itself was started deaf to it, as `command &` in a script is."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="session")
def deployed_lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DeployedLab]:
    """The whole lab, deployed by the real CDK CLI on the real engine, once for the session.

    Tests must leave it as they found it. Every test that uses it runs in the same worker (see below).
    """
    with _deployed(tmp_path_factory.mktemp("lab") / "home") as lab:
        yield lab


@pytest.fixture(scope="session")
def pages_lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DeployedLab]:
    """A lab like `deployed_lab` for the pages of the course alone, which take minutes: the other worker's."""
    with _deployed(tmp_path_factory.mktemp("pages-lab") / "home") as lab:
        yield lab


@contextmanager
def _deployed(home: Path) -> Iterator[DeployedLab]:
    up = run_kmslab(home, "up")
    try:
        assert up.returncode == 0, up.stdout + up.stderr
        env = run_kmslab(home, "env")
        assert env.returncode == 0, env.stderr
        # COLUMNS too: pytest-xdist sets it in its workers, and what a guide shows depends on the width.
        inherited = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("AWS_") and name not in {"COLUMNS", "LINES"}
        }
        path = os.pathsep.join((str(KMSLAB.parent), os.environ["PATH"]))
        environment = {**inherited, **exported(env.stdout), "KMSLAB_HOME": str(home), "PATH": path}
        yield DeployedLab(ROOT, home, environment, up.stdout + up.stderr)
    finally:
        run_kmslab(home, "engine", "stop")


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the tests of a deployed lab in one worker of `pytest -n 2 --dist loadgroup`: one deployment each."""
    for item in items:
        for lab, group in LABS.items():
            if lab in getattr(item, "fixturenames", ()):
                item.add_marker(pytest.mark.xdist_group(group))
