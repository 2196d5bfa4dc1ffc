"""The local target: pinned MiniStack in our own process, with the KMS semantics that a lab teaches.

Importing this package changes nothing. `install` imports MiniStack and lets every room apply its
hooks; it is called once, by the engine's own process, after the environment that MiniStack reads
at import is set (`kmslab.engine.server.prepare_environment`).
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import PackageNotFoundError, version

from kmslab.model.errors import ExitCode, LabError

TESTED_MINISTACK = "1.5.33"
"""The one release whose seams the engine was tested with; the probes are the gate for another."""

ROOMS = (
    "connections",
    "protocols",
    "signatures",
    "kms",
    "authorization",
    "cloudtrail",
    "s3",
    "ebs",
    "network",
    "secretsmanager",
    "ssm",
    "cloudformation",
    "tagging",
    "state",
    "malformed",
    "touched",
    "provisional",
    "snapshot",
)
"""Each has ``install() -> None``. The order matters: later rooms use what earlier ones registered."""


def install() -> None:
    """Apply every hook to MiniStack in this process; a second call does nothing.

    Raises:
        LabError: MiniStack is missing or is a release that the engine was not tested with.
        IncompatibleMiniStackError: a seam has changed although the release has not.
    """
    from kmslab.engine.hooks import APPLIED

    if APPLIED:
        return
    refuse_untested_ministack()
    for room in ROOMS:
        import_module(f"{__name__}.{room}").install()


def refuse_untested_ministack() -> None:
    """Raise a `LabError` of one line unless the installed MiniStack is the tested release."""
    try:
        found = version("ministack")
    except PackageNotFoundError:
        found = "none"
    if found != TESTED_MINISTACK:
        raise LabError(
            f"the engine is tested with MiniStack {TESTED_MINISTACK} only, found {found}",
            hint="install the locked dependencies: make setup",
            exit_code=ExitCode.ENGINE,
        )
