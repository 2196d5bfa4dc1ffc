"""Start, find and stop the lab's engine from another process.

Whether an engine lives is asked of a lock that it holds until it ends, not of a process id that may
belong to somebody else by now.
"""

from __future__ import annotations

import fcntl
import json
import os
import select
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kmslab.engine.identity import DEFAULT_REGION
from kmslab.model.errors import ExitCode, LabError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from kmslab.model.target import Target

START_SECONDS = 30.0
STOP_SECONDS = 20.0
LOOKS = 4
"""How many times the delay of an engine whose changes count late one waits for them: several may be in a row."""
SESSION_SECONDS = 3600
"""Life of the credentials that `target` returns unless told otherwise."""
_POLL_SECONDS = 0.02
_PASSED_ON = ("HOME", "LANG", "LC_ALL", "PATH", "TMPDIR", "TZ")
"""What the engine inherits; in particular nobody's AWS credentials."""
_MEMORY = {"MALLOC_ARENA_MAX": "2", "MALLOC_MMAP_THRESHOLD_": "131072", "MALLOC_TRIM_THRESHOLD_": "131072"}
"""Has glibc give a closed connection's buffers (256 KiB) back at once; other C libraries do not look at it."""


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """A running engine.

    Attributes:
        endpoint_url: TLS endpoint of every service.
        plain_http_url: the same engine without TLS.
        ca_bundle: PEM file of the CA that signed its certificate.
        region: the lab's Region.
        account_id: the account that it plays.
        pid: its process.
        settle: seconds after which changes of permissions count; 0: at once.
        recovered: `start` found that an earlier engine had died without saving, and started this one.
    """

    endpoint_url: str
    plain_http_url: str
    ca_bundle: Path
    region: str
    account_id: str
    pid: int
    settle: float = 0.0
    recovered: bool = False


def log_file(home: Path) -> Path:
    """Where the engine of a lab writes what it has to say."""
    return home / "engine" / "engine.log"


def status(home: Path) -> EngineInfo | None:
    """Return the running engine of a lab, or None."""
    facts = _announced(home) if _alive(home / "engine") else {}
    return _info(home, facts) if facts and not facts.get("ending") else None


def process_of(home: Path) -> int | None:
    """Return the process id of a lab's engine, one that is ending included; None where there is none."""
    return _announced(home).get("pid") if _alive(home / "engine") else None


def _announced(home: Path) -> dict[str, Any]:
    """What the engine that was started last says of itself; empty while it has said nothing."""
    try:
        facts: dict[str, Any] = json.loads((home / "engine" / "ready.json").read_text())
    except (FileNotFoundError, ValueError):
        return {}
    return facts


def start(
    home: Path, *, port: int = 0, environment: Mapping[str, str] | None = None, settle: float = 0.0
) -> EngineInfo:
    """Start the lab's engine in the background and return once it answers; a running one is returned as it is.

    Args:
        home: the lab's folder, ``.kmslab``; created with mode 0700.
        port: for TLS; 0 for any free one.
        environment: what the engine needs beside its own settings: ``NODE_PATH``, and a ``PATH`` with
            Node.js for CDK's functions; ``AWS_REGION`` for a new lab.
        settle: seconds after which changes of permissions count, as on AWS; 0: at once.

    Raises:
        LabError: it did not start; the hint holds the last line of its log.
    """
    home = home.resolve()
    folder = home / "engine"
    _make_folder(folder)
    with _starting(folder):
        if running := _settled(home):
            return running
        died = (folder / "ready.json").exists()
        (folder / "ready.json").unlink(missing_ok=True)
        try:
            return replace(_spawn(home, port, dict(environment or {}), settle), recovered=died)
        except LabError:
            # One of a starter that was killed just before may have been faster than ours.
            if running := _settled(home):
                return running
            raise


def stop(home: Path) -> bool:
    """Stop the lab's engine and wait until its state is saved.

    Returns: whether one was running.

    Raises:
        LabError: it does not end.
    """
    folder = home / "engine"
    if not folder.is_dir():
        return False
    # A start that is under way is waited for: its engine is to be stopped, not to be missed.
    with _starting(folder):
        if running := _settled(home):
            with suppress(ProcessLookupError):
                os.kill(running.pid, signal.SIGTERM)
        deadline = time.monotonic() + STOP_SECONDS
        while _alive(folder):
            if time.monotonic() > deadline:
                pid = process_of(home)
                raise LabError(
                    f"the engine (process {pid}) does not stop",
                    hint=f"see {log_file(home)}; end it with: kill -9 {pid}",
                    exit_code=ExitCode.ENGINE,
                )
            time.sleep(_POLL_SECONDS)
    return running is not None


def target(home: Path, seconds: int = SESSION_SECONDS) -> Target:
    """Return the lab's engine as a target, with fresh credentials of its administrator role.

    Args:
        home: the lab's folder.
        seconds: life of the credentials, at most twelve hours.

    Raises:
        LabError: no engine is running, or it refuses.
    """
    from kmslab.engine.session import administrator_credentials
    from kmslab.model.target import Target, TargetKind

    running = status(home)
    if running is None:
        raise LabError(
            "the local engine is not running", hint="kmslab engine start", exit_code=ExitCode.ENGINE
        )
    return Target(
        kind=TargetKind.LOCAL,
        region=running.region,
        endpoint_url=running.endpoint_url,
        plain_http_url=running.plain_http_url,
        ca_bundle=running.ca_bundle,
        credentials=administrator_credentials(home, running, seconds),
        settle_seconds=running.settle * LOOKS,
    )


def neighbour(home: Path) -> Target:
    """Return the lab's engine as a target in the account beside the lab's, for an hour.

    Its number is `kmslab.engine.identity.neighbour_of` the lab's; nothing is in it but a role.

    Raises:
        LabError: no engine is running, or it refuses.
    """
    from kmslab.engine.session import neighbour_credentials

    lab, running = target(home), status(home)
    if running is None or lab.credentials is None:
        raise LabError("the local engine has stopped", hint="kmslab engine start", exit_code=ExitCode.ENGINE)
    return replace(lab, credentials=neighbour_credentials(running, lab.credentials, SESSION_SECONDS))


def _info(home: Path, facts: Mapping[str, Any]) -> EngineInfo:
    return EngineInfo(
        endpoint_url=f"https://127.0.0.1:{facts['port']}",
        plain_http_url=f"http://127.0.0.1:{facts['plain_port']}",
        ca_bundle=home.resolve() / "engine" / "tls" / "ca.pem",
        region=facts["region"],
        account_id=facts["account_id"],
        pid=facts["pid"],
        settle=facts.get("settle", 0.0),
    )


def _make_folder(folder: Path) -> None:
    try:
        folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        folder.mkdir(exist_ok=True, mode=0o700)
        folder.chmod(0o700)
    except OSError as error:
        raise LabError(
            f"the lab's folder {folder} cannot be made: {error.strerror}",
            hint="run kmslab in a folder that you may write to",
            exit_code=ExitCode.ENGINE,
        ) from error


def _settled(home: Path) -> EngineInfo | None:
    """Return the running engine, or None, once it is known.

    Whoever started it may have been killed meanwhile: it goes on starting. One that was told to end is waited for:
    it answers no more, and saves what it has.
    """
    deadline = time.monotonic() + START_SECONDS
    while (running := status(home)) is None and _alive(home / "engine") and time.monotonic() < deadline:
        time.sleep(_POLL_SECONDS)
    return running


@contextmanager
def _starting(folder: Path) -> Iterator[None]:
    """Let one start of this lab's engine go on at a time; the next waits for it."""
    try:
        lock = (folder / "start.lock").open("w")
    except OSError as error:
        raise LabError(
            f"{folder} cannot be written to: {error.strerror}",
            hint="run kmslab as the user who owns the lab's folder",
            exit_code=ExitCode.ENGINE,
        ) from error
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _alive(folder: Path) -> bool:
    """Whether somebody holds the engine's lock."""
    try:
        with (folder / "engine.lock").open("r") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def _spawn(home: Path, port: int, given: dict[str, str], settle: float) -> EngineInfo:
    inherited = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    region = given.get("AWS_REGION") or os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    command = [sys.executable, "-m", "kmslab.engine", "--home", str(home), "--port", str(port)]
    command += ["--region", region or DEFAULT_REGION, "--settle", str(settle)]
    source = str(Path(__file__).resolve().parents[2])
    reader, writer = os.pipe()
    with log_file(home).open("ab") as log, os.fdopen(reader, "rb", buffering=0) as answer:
        log_start = log.tell()
        process = subprocess.Popen(  # noqa: S603  # this interpreter, our own module and numbers
            [*command, "--ready-fd", str(writer)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=(writer,),
            start_new_session=True,
            cwd=home,
            env={**inherited, **_MEMORY, **given, "PYTHONPATH": source},
        )
        os.close(writer)
        facts = _first_answer(process, answer)
    if "error" in facts:
        raise LabError(facts["error"], hint=facts["hint"], exit_code=ExitCode.ENGINE)
    if not facts:
        _end(process)
        raise LabError(
            "the engine did not start",
            hint=f"its last words: {_last_line(log_file(home), log_start)} (log: {log_file(home)})",
            exit_code=ExitCode.ENGINE,
        )
    return _info(home, facts)


def _first_answer(process: subprocess.Popen[bytes], answer: Any) -> dict[str, Any]:
    """What the engine says when it is ready or has failed; empty when it dies or says nothing in time."""
    said = b""
    deadline = time.monotonic() + START_SECONDS
    try:
        while (left := deadline - time.monotonic()) > 0:
            if not select.select([answer], [], [], left)[0]:
                break
            part = answer.read(65536)
            if not part:
                return dict(json.loads(said)) if said else {}
            said += part
    except KeyboardInterrupt:
        _end(process)
        raise
    return {}


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(timeout=STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()


def _last_line(log: Path, since: int) -> str:
    with log.open("rb") as file:
        file.seek(since)
        lines = file.read().decode(errors="replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "none")
