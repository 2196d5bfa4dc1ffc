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
from collections import deque
from itertools import chain
from typing import TYPE_CHECKING, Any

from kmslab.engine import journal, touched
from kmslab.engine.hooks import extend
from kmslab.engine.provisional import unfinished
from kmslab.engine.sealing import Seal
from kmslab.model.errors import ExitCode, LabError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    State = dict[str, Any]
    Frozen = dict[str, dict[str, deque[bytes]]]
    """By service and store: its parts, pickled."""

FILE = "services.json"
_FORMAT = 2
_READ = (1, _FORMAT)
"""Formats that can be read: the first had no stores in parts."""
_ASIDE = ".new"
_PARTS = "__parts__"
_AT_A_TIME = 50
"""Entries of a store in one part. What is written is a part at a time: the state of a class is hundreds of megabytes,
and a whole copy of it, as objects and then as a text, would be as much again twice."""
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

    def decoded(members: dict[str, Any]) -> Any:
        return _joined(members[_PARTS]) if _PARTS in members else seal.decoded(members)

    try:
        saved: State = {"format": _FORMAT, "services": {}}
        if path.exists():
            saved = json.loads(path.read_text(), object_hook=decoded)
        readable: dict[int, Any] = dict.fromkeys(_READ, saved["services"])
        services: State = readable[saved["format"]]
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


def write(folder: Path, frozen: Frozen, last: str = "", *, following: int = 0) -> str:
    """Save what `freeze` returned, as a whole or not at all; return its digest.

    Args:
        folder: of the state.
        frozen: from `freeze`; used up.
        last: digest of what was saved last: the same again is not written.
        following: number of the journal that was begun when the state was frozen.

    Raises:
        OSError: it cannot be written.
    """
    encoder = json.JSONEncoder(default=Seal.of(folder).encoded)
    digest = hashlib.sha256()
    aside = folder / (FILE + _ASIDE)
    # Names and policies are in it: nobody else may read it, not even while it is written.
    with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(f'{{"format": {_FORMAT}, "journal": {following}, "services": '.encode())
        for text in _texts(frozen, encoder):
            part = text.encode()
            digest.update(part)
            file.write(part)
        if (found := digest.hexdigest()) != last:
            file.write(b"}")
            file.flush()
            os.fsync(file.fileno())
    if found == last:
        aside.unlink()
        return found
    aside.replace(folder / FILE)
    journal.prune(folder, following)
    _prune()
    return found


def _texts(frozen: Frozen, encoder: json.JSONEncoder) -> Iterator[str]:
    """JSON of the services, part by part."""
    return _object(
        (service, _object((name, _store(parts, encoder)) for name, parts in stores.items()))
        for service, stores in frozen.items()
    )


def _store(parts: deque[bytes], encoder: json.JSONEncoder) -> Iterator[str]:
    """JSON of a store, whose parts are used up."""
    # S301: these bytes never left this process.
    texts = (encoder.encode(pickle.loads(parts.popleft())) for _ in range(len(parts)))  # noqa: S301
    if len(parts) == 1:
        return texts
    return _object([(_PARTS, _between("[", ((text,) for text in texts), "]"))])


def _object(members: Iterable[tuple[str, Iterable[str]]]) -> Iterator[str]:
    return _between("{", (chain((f"{json.dumps(name)}: ",), texts) for name, texts in members), "}")


def _between(opening: str, items: Iterable[Iterable[str]], closing: str) -> Iterator[str]:
    yield opening
    for number, texts in enumerate(items):
        if number:
            yield ", "
        yield from texts
    yield closing


def freeze() -> Frozen:
    """Copy the state of every service, as it is at this moment; to be called on the event loop's thread.

    Raises:
        RuntimeError: a worker thread changed a service meanwhile; ask again.
    """
    from ministack import app

    with touched.looking():
        states = {name: get_state() for name, get_state in app._build_persistence_save_dict().items()}
    return {
        service: {store: deque(_parts(value)) for store, value in stores.items()}
        for service, stores in states.items()
        if stores
    }


def _parts(store: Any) -> Iterator[bytes]:
    """A store, pickled; one with entries by account in as many parts as it takes."""
    if not hasattr(store, "_data"):
        yield pickle.dumps(store, pickle.HIGHEST_PROTOCOL)
        return
    entries = list(dict.items(store._data))
    for start in range(0, max(len(entries), 1), _AT_A_TIME):
        part = journal.store_of(store, dict(entries[start : start + _AT_A_TIME]))
        yield pickle.dumps(part, pickle.HIGHEST_PROTOCOL)


def _joined(parts: list[Any]) -> Any:
    """The store of which these are the parts."""
    whole = parts[0]
    for part in parts[1:]:
        whole._data.update(part._data)
    return whole


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
