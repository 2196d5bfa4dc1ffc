"""Looks whether this machine can run the lab; changes nothing."""

from __future__ import annotations

import os
import shutil
import socket
import sys
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from kmslab.model.errors import ExitCode, LabError
from kmslab.model.finding import fine, wrong
from kmslab.toolchain import cdk_script, require_node

if TYPE_CHECKING:
    from collections.abc import Callable

    from kmslab.model.finding import Finding
    from kmslab.project import Project

NEEDED_BYTES = 1 << 30
"""Free space that the lab needs beside what is installed: state, assets, logs; 1 GiB is generous."""


def examine(project: Project) -> list[Finding]:
    """Look at everything that the lab needs, in the order in which it needs it."""
    looks: tuple[tuple[str, Callable[[Project], str]], ...] = (
        ("Python", _python),
        ("Packages", _packages),
        ("Node.js", lambda _: require_node().version),
        ("CDK CLI", lambda found: str(cdk_script(found.root))),
        ("Settings", _settings),
        ("Lab's home", _home),
        ("Free space", _space),
        ("Loopback", _loopback),
        ("Engine", _engine),
        ("Environment", _environment),
    )
    findings = []
    for what, look in looks:
        try:
            findings.append(fine(what, look(project)))
        except LabError as error:
            findings.append(wrong(what, error.message, error.hint, ExitCode.TOOLCHAIN))
    return findings


def _python(_: Project) -> str:
    return f"{sys.version.split()[0]} at {sys.executable}"


def _packages(_: Project) -> str:
    try:
        return ", ".join(f"{name} {version(name)}" for name in ("aws-cdk-lib", "boto3", "ministack"))
    except PackageNotFoundError as error:
        raise LabError(f"{error.name} is not installed.", hint="Run `make setup`.") from error


def _settings(project: Project) -> str:
    from kmslab.commands.settings import load_settings

    settings = load_settings(project)
    return f"prefix {settings.prefix}, admin user {settings.admin_user}"


def _home(project: Project) -> str:
    return str(project.ensure_home())


def _space(project: Project) -> str:
    free = shutil.disk_usage(project.root).free
    if free < NEEDED_BYTES:
        raise LabError(
            f"only {free >> 20} MiB are free in {project.root}.", hint="Make room: 1 GiB is enough."
        )
    return f"{free >> 30} GiB"


def _loopback(_: Project) -> str:
    try:
        with socket.create_server(("127.0.0.1", 0)) as listening:
            return f"can listen on 127.0.0.1 (tried port {listening.getsockname()[1]})"
    except OSError as error:
        raise LabError(
            f"cannot listen on 127.0.0.1: {error.strerror}.", hint="Is a sandbox or firewall in the way?"
        ) from error


def _engine(project: Project) -> str:
    from kmslab.engine import control

    info = control.status(project.home)
    return f"runs at {info.endpoint_url}" if info else "not running; `kmslab up` starts it"


def _environment(_: Project) -> str:
    if endpoint := os.environ.get("AWS_ENDPOINT_URL"):
        return f"AWS_ENDPOINT_URL={endpoint}: this shell is set to a local lab (kmslab env)"
    return "no AWS_ENDPOINT_URL: the AWS CLI and cdk in this shell reach AWS; `kmslab env` changes that"
