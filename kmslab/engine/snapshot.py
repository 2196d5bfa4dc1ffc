"""What the engine keeps across its own end: one file with the state of every service, and S3's content beside it.

MiniStack writes a file for each service, on a clean stop only, but S3's content at once: an engine that is
killed would come back with buckets that no service knows. Here the state of one moment is one file, replaced
as a whole, and a journal tells what changed since (`kmslab.engine.journal`). `kmslab.engine.s3.recovery` brings
S3's content in line with both at the next start.
"""

from __future__ import annotations

import hashlib
import json
import os
import pickle
from typing import TYPE_CHECKING, Any

from kmslab.engine import journal, touched
from kmslab.engine.hooks import extend
from kmslab.engine.provisional import unfinished
from kmslab.engine.sealing import Seal
from kmslab.model.errors import ExitCode, LabError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    State = dict[str, Any]

FILE = "services.json"
_FORMAT = 1
_ASIDE = ".new"
_pending: list[Callable[[], None]] = []
"""Removes code of functions that are gone, once a state without them is saved."""


def read(folder: Path) -> State:
    """Return the state of the last commit, by service; empty when there never was one.

    Args:
        folder: of the state. What a save that was cut short left there is ignored.

    Raises:
        LabError: a file is not one of ours, or was sealed under another secret.
    """
    from cryptography.exceptions import InvalidTag

    seal = Seal.of(folder)
    path = folder / FILE
    try:
        saved: State = {"format": _FORMAT, "services": {}}
        if path.exists():
            saved = json.loads(path.read_text(), object_hook=seal.decoded)
        services: State = {_FORMAT: saved["services"]}[saved["format"]]
        journal.replay(folder, services, saved.get("journal", 0), seal.decoded)
    except (ValueError, KeyError, TypeError, AttributeError, InvalidTag) as error:
        raise LabError(
            f"the lab's state {path} is damaged",
            hint="put it back from a copy, or remove it to begin an empty lab",
            exit_code=ExitCode.ENGINE,
        ) from error
    return services


def saved_at(folder: Path) -> float:
    """When the state was saved last, in seconds since the epoch; 0 when none ever was."""
    try:
        return (folder / FILE).stat().st_mtime
    except FileNotFoundError:
        return 0.0


def write(folder: Path, frozen: bytes, last: str = "", *, following: int = 0) -> str:
    """Save what `freeze` returned, as a whole or not at all; return its digest.

    Args:
        folder: of the state.
        frozen: from `freeze`.
        last: digest of what was saved last: the same again is not written.
        following: number of the journal that was begun when the state was frozen.

    Raises:
        OSError: it cannot be written.
    """
    # S301: these bytes never left this process.
    services = pickle.loads(frozen)  # noqa: S301
    text = json.dumps(services, default=Seal.of(folder).encoded)
    digest = hashlib.sha256(text.encode()).hexdigest()
    if digest == last:
        return digest
    aside = folder / (FILE + _ASIDE)
    # Names and policies are in it: nobody else may read it, not even while it is written.
    with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(f'{{"format": {_FORMAT}, "journal": {following}, "services": {text}}}')
        file.flush()
        os.fsync(file.fileno())
    aside.replace(folder / FILE)
    journal.prune(folder, following)
    _prune()
    return digest


def freeze() -> bytes:
    """Copy the state of every service, as it is at this moment; to be called on the event loop's thread.

    Raises:
        RuntimeError: a worker thread changed a service meanwhile; ask again.
    """
    from ministack import app

    with touched.looking():
        states = {name: get_state() for name, get_state in app._build_persistence_save_dict().items()}
    return pickle.dumps({name: state for name, state in states.items() if state}, pickle.HIGHEST_PROTOCOL)


def restore(services: State) -> None:
    """Give every service of MiniStack, and the rooms of ours, what `read` returned."""
    from ministack import app

    for name, module in app._state_map.items():
        if name in services:
            app._get_module(module).load_persisted_state(services[name])


def settled() -> bool:
    """Whether no stack is being worked on.

    Half a deployment is never saved: nobody would finish it after the engine's death.
    """
    return not unfinished()


def install() -> None:
    """Forget no function's code too early."""
    from ministack.services import lambda_svc

    extend(lambda_svc, "_prune_orphan_code_blobs", "referenced")(_prune_later)


def _prune_later(stock: Callable[[set[str]], None], referenced: set[str]) -> None:
    """Keep code that the last saved state still names until the next one is saved."""
    _pending[:] = [lambda: stock(referenced)]


def _prune() -> None:
    while _pending:
        _pending.pop()()
