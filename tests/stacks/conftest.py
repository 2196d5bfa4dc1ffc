"""One synthesis for every test and every pytest worker."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

from kmslab.toolchain import require_node
from tests.stacks.template import Assembly

PROJECT = Path(__file__).parents[2]


def without_aws() -> dict[str, str]:
    """The environment without anything of AWS or the CDK in it, and with Node.js on the PATH."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "CDK_"))}
    return {**kept, "PATH": f"{require_node().executable.parent}{os.pathsep}{kept.get('PATH', '')}"}


@pytest.fixture(scope="session")
def assemblies(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """The folder with the assemblies ``default``, ``every-option``, ``bounded`` and ``faulty``."""
    base = tmp_path_factory.getbasetemp()
    folder = (base if worker_id == "master" else base.parent) / "assemblies"
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # the first worker synthesizes, the others wait here
        if not (folder / "done").exists():
            subprocess.run(  # noqa: S603  # our own program
                [sys.executable, "-m", "tests.stacks.synthesis", str(folder)],
                cwd=PROJECT,
                check=True,
                env=without_aws(),
            )
            (folder / "done").write_text("")
    return folder


@pytest.fixture(scope="session")
def lab(assemblies: Path) -> Assembly:
    """The lab as ``cdk.json`` has it."""
    return Assembly(assemblies / "default")


@pytest.fixture(scope="session")
def every_option(assemblies: Path) -> Assembly:
    """The lab with every optional part."""
    return Assembly(assemblies / "every-option")
