"""``kmslab engine``: the local engine by itself."""

from __future__ import annotations

import os
from collections import deque
from typing import TYPE_CHECKING

from kmslab.classroom.shells import refuse_engine
from kmslab.engine import control
from kmslab.model.errors import ExitCode, LabError
from kmslab.project import find_project
from kmslab.terminal import out, say
from kmslab.toolchain import require_node

if TYPE_CHECKING:
    from kmslab.engine.control import EngineInfo
    from kmslab.project import Project


def start(port: int, settle: float = 0.0) -> None:
    """Start the engine and say where it listens."""
    project = find_project()
    _show(start_engine(project, port, settle))


def start_engine(project: Project, port: int, settle: float = 0.0) -> EngineInfo:
    """Start the project's engine, unless it runs, with what CDK's own functions need to run in it."""
    refuse_engine(project)
    project.ensure_home()
    node = require_node().executable.parent
    environment = {
        "NODE_PATH": str(project.root / "node_modules"),
        "PATH": os.pathsep.join((str(node), os.environ.get("PATH", os.defpath))),
    }
    return control.start(project.home, port=port, environment=environment, settle=settle)


def stop() -> None:
    """Stop the engine, if it runs."""
    stopped = control.stop(find_project().home)
    out.print("The engine is stopped; its state is kept." if stopped else "The engine was not running.")


def status() -> None:
    """Say where the engine listens.

    Raises:
        LabError: it does not run.
    """
    info = control.status(find_project().home)
    if info is None:
        raise not_running()
    _show(info)


def logs(lines: int) -> None:
    """Print the end of the engine's log.

    Raises:
        LabError: there is none yet.
    """
    file = control.log_file(find_project().home)
    try:
        with file.open(encoding="utf-8", errors="replace") as log:
            for line in deque(log, maxlen=lines):
                say(out, line.rstrip())
    except OSError as error:
        raise LabError(
            "The engine has written no log yet.",
            hint="Start it: `kmslab engine start`.",
            exit_code=ExitCode.ENGINE,
        ) from error


def runs() -> bool:
    """Whether the engine of the project at hand runs; False also where there is no project."""
    try:
        return control.status(find_project().home) is not None
    except LabError:
        return False


def not_running() -> LabError:
    """Say that the engine does not run."""
    return LabError("The local engine is not running.", hint="Run `kmslab up`.", exit_code=ExitCode.ENGINE)


def _show(info: EngineInfo) -> None:
    say(
        out,
        f"The engine runs at {info.endpoint_url} (process {info.pid}, account {info.account_id}, {info.region}).",
    )
