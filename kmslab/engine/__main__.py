"""Run the engine in the foreground. `kmslab engine start` runs this in the background."""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from kmslab.model.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kmslab.engine.identity import Identity
    from kmslab.engine.server import Sockets
    from kmslab.engine.snapshot import State

DESCRIPTION = """\
The local KMS engine: MiniStack with AWS KMS semantics, on 127.0.0.1 only.

It speaks the AWS APIs over TLS, with a certificate of a CA made for this lab, and over plain HTTP on a
second port. Its account, keys, objects and stacks are kept under the lab's folder: saved soon after each change, and on SIGTERM.
"""
LOCK = "engine.lock"
READY = "ready.json"
SCRATCH = "tmp"


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line and serve until told to stop; returns the exit code."""
    parser = argparse.ArgumentParser(
        "python -m kmslab.engine",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--home", type=Path, default=Path(".kmslab"), help="the lab's folder (default: .kmslab)"
    )
    parser.add_argument("--port", type=int, default=0, help="port for TLS (default: any free one)")
    parser.add_argument("--region", default="us-east-1", help="Region of a new lab (default: us-east-1)")
    parser.add_argument(
        "--log-level", default="WARNING", help="DEBUG, INFO, WARNING or ERROR (default: WARNING)"
    )
    parser.add_argument("--settle", type=float, default=0.0, help=argparse.SUPPRESS)
    parser.add_argument("--ready-fd", type=int, default=-1, help=argparse.SUPPRESS)
    parser.add_argument("--hooks", action="store_true", help="list every change made to MiniStack, and exit")
    options = parser.parse_args(arguments)
    try:
        _run(options)
    except LabError as error:
        _tell(options.ready_fd, {"error": error.message, "hint": error.hint})
        print(f"kmslab.engine: {error.message}", file=sys.stderr)  # noqa: T201  # the engine's log is its stderr
        return int(error.exit_code)
    return 0


def _run(options: argparse.Namespace) -> None:
    from kmslab.engine import certificates, identity, refuse_untested_ministack, server

    refuse_untested_ministack()
    os.umask(0o077)
    folder: Path = options.home.resolve() / "engine"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if options.hooks:
        _print_hooks(folder, identity.load_or_create(folder, options.region))
        return
    # Held as long as this process lives, however it ends: a free lock means a dead engine.
    with (folder / LOCK).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            from kmslab.model.errors import ExitCode

            raise LabError(
                "this lab's engine is running already", hint="kmslab engine status", exit_code=ExitCode.ENGINE
            ) from error
        _keep_scratch_in(folder / SCRATCH)
        who = identity.load_or_create(folder, options.region)
        files = certificates.ensure(folder / "tls")
        sockets = server.open_sockets(options.port)
        server.prepare_environment(
            folder, who, sockets.tls_port, ca_bundle=files.ca, log_level=options.log_level
        )
        ready_file = folder / READY
        ready_file.unlink(missing_ok=True)
        services = _saved(folder)
        server.serve(
            server.application(),
            sockets,
            files,
            lambda: _announce(options, ready_file, sockets, who),
            lambda: _mark_ending(ready_file),
            lambda: ready_file.unlink(missing_ok=True),
            folder=folder / server.STATE,
            services=services,
        )


def _saved(folder: Path) -> State:
    """The state that was saved last, with S3's content brought in line and a word about what had to go."""
    from kmslab.engine import server, snapshot
    from kmslab.engine.s3 import recovery

    services = snapshot.read(folder / server.STATE)
    saved = snapshot.saved_at(folder / server.STATE)
    for name in recovery.reconcile(folder / server.OBJECTS, services, saved):
        print(f"kmslab.engine: removed, newer than what was saved: {name}", file=sys.stderr)  # noqa: T201  # the engine's log is its stderr
    return services


def _announce(options: argparse.Namespace, ready_file: Path, sockets: Sockets, who: Identity) -> None:
    from kmslab.engine.kms import rsa_pool

    facts = {
        "pid": os.getpid(),
        "port": sockets.tls_port,
        "plain_port": sockets.plain_port,
        "account_id": who.account_id,
        "region": who.region,
        "settle": options.settle,
    }
    if options.settle:
        from kmslab.engine.authorization import settling

        settling.begin(options.settle)
    _write(ready_file, facts)
    _tell(options.ready_fd, facts)
    rsa_pool.fill()


def _mark_ending(ready_file: Path) -> None:
    """Say that this engine is on its way out, to whoever finds its lock held; until its state is saved it is not gone."""
    if ready_file.exists():
        _write(ready_file, {**json.loads(ready_file.read_text()), "ending": True})


def _write(ready_file: Path, facts: dict[str, object]) -> None:
    temporary = ready_file.with_suffix(".new")
    temporary.write_text(json.dumps(facts))
    temporary.replace(ready_file)


def _tell(ready_fd: int, facts: dict[str, object]) -> None:
    """Tell the process that started us, once; if it was killed meanwhile, the next command finds us."""
    if ready_fd >= 0:
        with suppress(BrokenPipeError), os.fdopen(ready_fd, "w") as pipe:
            json.dump(facts, pipe)


def _keep_scratch_in(folder: Path) -> None:
    """Have temporary files in the lab's folder, and none that an earlier engine left.

    MiniStack unpacks each Lambda function into a folder of its own and removes few of them.
    """
    import shutil

    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700, exist_ok=True)
    os.environ["TMPDIR"] = str(folder)


def _print_hooks(folder: Path, who: Identity) -> None:
    from kmslab.engine import install, server
    from kmslab.engine.hooks import APPLIED

    server.prepare_environment(folder, who, 0, ca_bundle=None)
    install()
    for hook in APPLIED:
        print(f"{hook.target}  [{hook.room}]  {hook.purpose}")  # noqa: T201  # what --hooks is for


if __name__ == "__main__":
    sys.exit(main())
