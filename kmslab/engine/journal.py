"""The journal: what changed since the state was last saved as a whole, written before a request is answered.

One line is one commit: the entries of MiniStack's stores, and of ours, that are new, changed or gone. Nothing
has to be forced to the disk: what was handed to the system survives the end of this process, SIGKILL included.
"""

from __future__ import annotations

import json
import os
import pickle
from typing import TYPE_CHECKING, Any

from kmslab.engine.provisional import Holding
from kmslab.engine.sealing import Seal

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator
    from pathlib import Path

    State = dict[str, Any]

_PREFIX = "journal-"
_MISSING = object()
_IMMUTABLE = (bytes, str, int, float, bool, type(None))


def files(folder: Path) -> list[tuple[int, Path]]:
    """The journals of a state, oldest first, each with its number."""
    found = [(int(path.name.removeprefix(_PREFIX)), path) for path in folder.glob(f"{_PREFIX}*")]
    return sorted(found)


def replay(folder: Path, services: State, since: int, decoded: Callable[[dict[str, Any]], Any]) -> None:
    """Bring a state that was saved as a whole up to the last commit.

    Args:
        folder: of the state.
        services: changed in place.
        since: number of the first journal that the state does not hold.
        decoded: for values that JSON does not know.

    Raises:
        ValueError: a journal is damaged. A last line that was cut short is not: nobody was told of it.
    """
    for number, path in files(folder):
        lines = path.read_text().splitlines(keepends=True) if number >= since else []
        for line in lines:
            if line.endswith("\n"):
                for change in json.loads(line, object_hook=decoded):
                    _apply(services, change)


def prune(folder: Path, before: int) -> None:
    """Remove the journals that a saved state holds."""
    for number, path in files(folder):
        if number < before:
            path.unlink()


def _apply(services: State, change: dict[str, Any]) -> None:
    stores = services.setdefault(change["service"], {})
    name = change["store"]
    if "whole" in change:
        stores[name] = change["whole"]
        return
    new, gone = change["set"], change["gone"]
    if name not in stores:
        stores[name] = new
        return
    entries = _entries(stores[name])
    entries.update(_entries(new))
    for key in _entries(gone):
        entries.pop(key, None)


def _entries(store: Any) -> dict[Any, Any]:
    """The entries of a store in all accounts and Regions."""
    found: dict[Any, Any] = store if isinstance(store, dict) else store._data
    return found


class Journal:
    """Notices and writes what changed. To be used on the event loop's thread."""

    def __init__(self, folder: Path) -> None:
        """Take what the stores hold now as known.

        Args:
            folder: of the state; it exists, and everything in it was read.
        """
        self._folder, self._seal = folder, Seal.of(folder)
        self._known: dict[tuple[str, str], dict[Any, Any]] = {}
        self._told_of: set[str] = set()
        self.number = max([number for number, _ in files(folder)], default=0) + 1
        for _ in self._changes((), None):
            pass

    def commit(self, only: Collection[str] = ()) -> None:
        """Write what changed since the last commit.

        Args:
            only: services to look at; none for all.

        Raises:
            RuntimeError: a worker thread changed a store meanwhile; ask again.
            OSError: it cannot be written; it will be with the next commit.
        """
        known = {place: dict(marks) for place, marks in self._known.items()}
        try:
            changes = list(self._changes(only, Holding()))
            if changes:
                self._append(json.dumps(changes, default=self._seal.encoded) + "\n")
        except (RuntimeError, OSError):
            self._known = known
            raise

    def rotate(self) -> int:
        """Begin a new journal, for what comes after a copy of the whole state; return its number."""
        self.number += 1
        return self.number

    def _append(self, line: str) -> None:
        path = self._folder / f"{_PREFIX}{self.number}"
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            end = os.fstat(file).st_size
            data = memoryview(line.encode())
            try:
                while data:
                    data = data[os.write(file, data) :]
            except OSError:
                # Half a line in the midst of a journal would make all that follows unreadable.
                os.ftruncate(file, end)
                raise
        finally:
            os.close(file)

    def _changes(self, only: Collection[str], holding: Holding | None) -> Iterator[dict[str, Any]]:
        from ministack import app

        for service, get_state in app._build_persistence_save_dict().items():
            if only and service not in only:
                continue
            stores = get_state() or {}
            told = [
                change
                for name, store in stores.items()
                for change in self._changes_of(service, name, store, holding)
            ]
            if told and holding and service not in self._told_of:
                # A service is restored with all its stores or not at all.
                self._told_of.add(service)
                changed = {change["store"] for change in told}
                told += [
                    _change(service, name, store, {}, ())
                    for name, store in stores.items()
                    if name not in changed
                ]
            yield from told

    def _changes_of(
        self, service: str, name: str, store: Any, holding: Holding | None
    ) -> Iterator[dict[str, Any]]:
        """What changed in one store, as a line of the journal says it; it is known from then on."""
        known = self._known.setdefault((service, name), {})
        if not _has_entries(store):
            mark, frozen = _marked(store)
            if known.get("") != mark:
                known[""] = mark
                yield _change(service, name, _thawed(frozen), {}, ())
            return
        entries, new = _entries(store), {}
        for key, value in list(entries.items()):
            mark, frozen = _marked(value)
            before = known.get(key, _MISSING)
            if before is mark or before == mark:
                continue
            if holding and _is_held(holding, service, key, value, is_new=before is _MISSING):
                continue
            known[key] = mark
            new[key] = _thawed(frozen)
        gone = [key for key in known if key not in entries]
        if holding:
            gone = [key for key in gone if not holding.entry(key)]
        for key in gone:
            del known[key]
        if new or gone:
            yield _change(service, name, store, new, gone)


def _change(
    service: str, name: str, store: Any, new: dict[Any, Any], gone: Collection[Any]
) -> dict[str, Any]:
    """What a line of the journal says of one store: its entries that are new and gone, or all of it."""
    place = {"service": service, "store": name}
    if not _has_entries(store):
        return {**place, "whole": store}
    return {**place, "set": _store_of(store, new), "gone": _store_of(store, dict.fromkeys(gone))}


def _is_held(holding: Holding, service: str, key: Any, value: Any, *, is_new: bool) -> bool:
    return (is_new and holding.entry(key)) or (service == "cloudformation" and holding.record(key, value))


def _has_entries(store: Any) -> bool:
    """Whether a store is saved entry by entry: scoped ones, and dictionaries that JSON knows."""
    return hasattr(store, "_data") or (isinstance(store, dict) and all(isinstance(key, str) for key in store))


def _marked(value: Any) -> tuple[Any, Any]:
    """What tells a value from its successor, and the value as it is now; large bytes are not copied for it."""
    if isinstance(value, _IMMUTABLE):
        return value, value
    frozen = pickle.dumps(value, pickle.HIGHEST_PROTOCOL)
    return hash(frozen), _Frozen(frozen)


class _Frozen:
    """A copy of a value, to be opened only when it is needed."""

    __slots__ = ("_pickled",)

    def __init__(self, pickled: bytes) -> None:
        self._pickled = pickled

    def thaw(self) -> Any:
        # S301: these bytes never left this process.
        return pickle.loads(self._pickled)  # noqa: S301


def _thawed(value: Any) -> Any:
    return value.thaw() if isinstance(value, _Frozen) else value


def _store_of(like: Any, entries: dict[Any, Any]) -> Any:
    """A store of the same kind with these entries."""
    if isinstance(like, dict):
        return entries
    made = type(like)()
    made._data.update(entries)
    return made
