"""The journal: what changed since the state was last saved as a whole, written before a request is answered.

One line is one commit: the entries of MiniStack's stores, and of ours, that are new, changed or gone. Only those are
looked at that somebody had in hand (`kmslab.engine.touched`). Nothing has to be forced to the disk: what was handed
to the system survives the end of this process, SIGKILL included.
"""

from __future__ import annotations

import json
import os
import pickle
from typing import TYPE_CHECKING, Any

from kmslab.engine import touched
from kmslab.engine.provisional import Holding
from kmslab.engine.sealing import Seal

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator
    from pathlib import Path

    from kmslab.engine.touched import Place

    State = dict[str, Any]

_PREFIX = "journal-"
_MISSING = object()
_UNSURE = object()
"""Mark of an entry that the saved state may hold as it was in between: whatever it is now is written."""
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


def _bucket(entry: dict[str, Any]) -> dict[str, Any]:
    """What is kept of a bucket: its objects are files beside the state."""
    return {name: value for name, value in entry.items() if name != "objects"}


def _sources() -> dict[Place, tuple[Any, Callable[[Any], Any]]]:
    """Stores that MiniStack puts together whenever it is asked: from which, and how each entry."""
    from ministack.services import s3

    return {("s3", "buckets_meta"): (s3._buckets, _bucket)}


class Journal:
    """Notices and writes what changed. To be used on the event loop's thread."""

    def __init__(self, folder: Path) -> None:
        """Take what the stores hold now as known.

        Args:
            folder: of the state; it exists, and everything in it was read.
        """
        self._folder, self._seal = folder, Seal.of(folder)
        self._known: dict[Place, dict[Any, Any]] = {}
        self._stores: dict[Place, Any] = {}
        self._views: dict[Place, Callable[[Any], Any] | None] = {}
        self._adopted: set[str] = set()
        self._looked_at_whole: set[str] = set()
        self._told_of: set[str] = set()
        self._held: set[tuple[Place, Any]] = set()
        self._undo: list[tuple[dict[Any, Any], Any, Any]] = []
        self.number = max([number for number, _ in files(folder)], default=0) + 1
        for _ in self._changes(self._adopt(), (), None):
            pass

    def commit(self, notes: Collection[tuple[Place, Any]] = (), services: Collection[str] = ()) -> None:
        """Write what changed since the last commit.

        Args:
            notes: what was touched; what nobody's request touched is looked at besides.
            services: whose stores without notes are looked at; none for all.

        Raises:
            RuntimeError: a worker thread changed a store meanwhile; ask again, the notes are kept.
            OSError: it cannot be written; it will be with the next commit.
        """
        noted = {*notes, *touched.nobodys(), *self._held, *self._adopt()}
        held, self._held, self._undo = self._held, set(), []
        try:
            changes = list(self._changes(noted, services, Holding()))
            if changes:
                self._append(json.dumps(changes, default=self._seal.encoded) + "\n")
        except (RuntimeError, OSError):
            for known, key, mark in reversed(self._undo):
                known[key] = mark
            self._held = held
            touched.for_the_next(noted)
            raise
        finally:
            for known, key, _ in self._undo:
                if known.get(key) is _MISSING:
                    del known[key]

    def rotate(self) -> int:
        """Begin a new journal, for what comes after a copy of the whole state; return its number."""
        for place, key in touched.in_hand():
            known = self._known[place]
            known.update((one, _UNSURE) for one in self._meant(place, key) if one in known)
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

    def _adopt(self) -> set[tuple[Place, Any]]:
        """Have the stores of services that are new here note what is touched; return notes of all that they hold."""
        from ministack import app

        persisted = app._build_persistence_save_dict()
        if len(persisted) == len(self._adopted):
            return set()
        found = set()
        sources = _sources()
        for service in persisted.keys() - self._adopted:
            stores, again = _state(service), _state(service)
            self._adopted.add(service)
            for name, given in stores.items():
                place = (service, name)
                store, view = sources.get(place, (given, None))
                if not hasattr(store, "_data") or (view is None and store is not again[name]):
                    # No store at all, or one that was put together for the occasion.
                    self._looked_at_whole.add(service)
                    continue
                store._data = touched.Entries(store._data, place)
                self._stores[place], self._known[place], self._views[place] = store, {}, view
                found |= {(place, key) for key in list(store._data)}
        return found

    def _changes(
        self, noted: Collection[tuple[Place, Any]], services: Collection[str], holding: Holding | None
    ) -> Iterator[dict[str, Any]]:
        """What changed, as lines of the journal say it; it is known from then on."""
        told: dict[str, list[dict[str, Any]]] = {}
        for change in (*self._noted(noted, holding), *self._without_notes(services, holding)):
            told.setdefault(change["service"], []).append(change)
        for service, changes in told.items():
            yield from changes
            if holding and service not in self._told_of:
                # A service is restored with all its stores or not at all.
                self._told_of.add(service)
                changed = {change["store"] for change in changes}
                for name, store in _state(service).items():
                    if name not in changed:
                        yield _change((service, name), store, {}, ())

    def _noted(
        self, noted: Collection[tuple[Place, Any]], holding: Holding | None
    ) -> Iterator[dict[str, Any]]:
        keys: dict[Place, set[Any]] = {}
        for place, key in noted:
            keys.setdefault(place, set()).update(self._meant(place, key))
        for place, some in keys.items():
            yield from self._changes_of(place, self._stores[place], some, holding)

    def _without_notes(self, services: Collection[str], holding: Holding | None) -> Iterator[dict[str, Any]]:
        for service in self._looked_at_whole:
            if not services or service in services:
                for name, store in _state(service).items():
                    if (service, name) not in self._stores:
                        yield from self._changes_of_whole((service, name), store, holding)

    def _meant(self, place: Place, key: Any) -> Collection[Any]:
        """The keys that a note means."""
        if not (isinstance(key, tuple) and key[0] is touched.ALL):
            return (key,)
        _, account = key
        # Those that are gone are noted one by one.
        found: list[Any] = self._stores[place]._data.of(account)
        return found

    def _changes_of_whole(
        self, place: Place, store: Any, holding: Holding | None
    ) -> Iterator[dict[str, Any]]:
        """What changed in a store that notes nothing."""
        known = self._known.setdefault(place, {})
        if _has_entries(store):
            yield from self._changes_of(place, store, {*_entries(store), *known}, holding)
            return
        mark, frozen = _marked(store)
        if known.get("") != mark:
            self._know(known, "", mark)
            yield _change(place, _thawed(frozen), {}, ())

    def _changes_of(
        self, place: Place, store: Any, keys: Collection[Any], holding: Holding | None
    ) -> Iterator[dict[str, Any]]:
        """What changed of some entries of a store."""
        known, entries, view = self._known[place], _entries(store), self._views.get(place)
        new, gone = {}, []
        for key in keys:
            value = dict.get(entries, key, _MISSING)
            before = known.get(key, _MISSING)
            if value is _MISSING:
                if before is _MISSING:
                    continue
                if holding and holding.entry(key):
                    self._hold(place, key)
                    continue
                self._know(known, key, _MISSING)
                gone.append(key)
                continue
            mark, frozen = _marked(view(value) if view else value)
            if before is mark or before == mark:
                continue
            if holding and _is_held(holding, place[0], key, value, is_new=before is _MISSING):
                self._hold(place, key)
                continue
            self._know(known, key, mark)
            new[key] = _thawed(frozen)
        if new or gone:
            yield _change(place, store, new, gone)

    def _hold(self, place: Place, key: Any) -> None:
        """Look at an entry again with the next commit; stores that note nothing are looked at anyway."""
        if place in self._stores:
            self._held.add((place, key))

    def _know(self, known: dict[Any, Any], key: Any, mark: Any) -> None:
        """Take an entry's mark as known; a commit that fails forgets it again."""
        self._undo.append((known, key, known.get(key, _MISSING)))
        known[key] = mark


def _state(service: str) -> State:
    """The stores of a service, not copied."""
    from ministack import app

    with touched.looking():
        return app._build_persistence_save_dict()[service]() or {}


def _change(place: Place, store: Any, new: dict[Any, Any], gone: Collection[Any]) -> dict[str, Any]:
    """What a line of the journal says of one store: its entries that are new and gone, or all of it."""
    said = dict(zip(("service", "store"), place, strict=True))
    if not _has_entries(store):
        return {**said, "whole": store}
    return {**said, "set": store_of(store, new), "gone": store_of(store, dict.fromkeys(gone))}


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


def store_of(like: Any, entries: dict[Any, Any]) -> Any:
    """A store of the same kind with these entries."""
    if isinstance(like, dict):
        return entries
    made = type(like)()
    made._data.update(entries)
    return made
