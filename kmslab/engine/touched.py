"""Which entries of MiniStack's stores, and of ours, somebody has had in hand: only these can have changed.

Whoever changes an entry takes it out of its store before, or sets or removes it there. A request notes what it
takes; what is taken outside of a request, or after its answer, is noted for whoever commits next. So a commit
costs what was touched, however much the stores hold (`kmslab.engine.journal`).
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final, SupportsIndex

from kmslab.engine.hooks import add_method, extend

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Place = tuple[str, str]
    """A service and the name of one of its stores."""

ALL: Final = object()
"""Stands for every entry of a store that the caller's account has."""
_GONE: Final = object()


class Hand:
    """What one request has had in hand: places and keys.

    Attributes:
        notes: ``(place, key)``; for `ALL`, ``(place, (ALL, account))``.
    """

    __slots__ = ("_open", "notes")

    def __init__(self) -> None:
        """Begin with nothing."""
        self.notes: set[tuple[Place, Any]] = set()
        self._open = True

    def add(self, note: tuple[Place, Any]) -> None:
        """Note it; for whoever commits next, once the request has ended."""
        if self._open:
            self.notes.add(note)
        else:
            _NOBODYS.add(note)

    def take(self) -> set[tuple[Place, Any]]:
        """Hand over the notes there are, and go on with none."""
        taken, self.notes = self.notes, set()
        return taken

    def close(self) -> None:
        """End the request."""
        self._open = False


class _Nobodys(Hand):
    """What is touched outside of requests, by any thread."""

    __slots__ = ("_lock",)

    def __init__(self) -> None:
        super().__init__()
        self._lock = threading.Lock()

    def add(self, note: tuple[Place, Any]) -> None:
        with self._lock:
            self.notes.add(note)

    def take(self) -> set[tuple[Place, Any]]:
        with self._lock:
            return super().take()


_NOBODYS: Final = _Nobodys()
_HAND: ContextVar[Hand] = ContextVar("kmslab_hand", default=_NOBODYS)
_hands: set[Hand] = set()
_looking: ContextVar[bool] = ContextVar("kmslab_looking", default=False)


@contextmanager
def noting() -> Iterator[Hand]:
    """Note what is touched from here on, in tasks and threads that are begun within as well."""
    hand = Hand()
    _hands.add(hand)
    token = _HAND.set(hand)
    try:
        yield hand
    finally:
        _HAND.reset(token)
        _hands.discard(hand)
        hand.close()


@contextmanager
def looking() -> Iterator[None]:
    """Let MiniStack's ``get_state`` hand out its stores, where it would copy them."""
    token = _looking.set(True)
    try:
        yield
    finally:
        _looking.reset(token)


def nobodys() -> set[tuple[Place, Any]]:
    """Take the notes that belong to no request."""
    return _NOBODYS.take()


def for_the_next(notes: set[tuple[Place, Any]]) -> None:
    """Have whoever commits next look at these."""
    for note in notes:
        _NOBODYS.add(note)


def in_hand() -> set[tuple[Place, Any]]:
    """What has been touched and was not taken by a commit yet."""
    return set(_NOBODYS.notes).union(*(hand.notes for hand in list(_hands)))


class Entries(dict[Any, Any]):
    """The entries of a store, which notes who takes one out, sets or removes it. Its keys begin with the account.

    It knows which keys are whose: what one account has costs the same to list, however many accounts there are.
    """

    __slots__ = ("_keys_of", "_place")

    def __init__(self, entries: dict[Any, Any], place: Place) -> None:
        """Hold these entries.

        Args:
            entries: by scoped key.
            place: what notes say of the store.
        """
        super().__init__(entries)
        self._place = place
        self._keys_of: dict[str, dict[Any, None]] = {}
        for key in entries:
            self._keys_of.setdefault(key[0], {})[key] = None

    def of(self, account: str) -> list[Any]:
        """The keys of an account, in the order in which they were set; notes nothing."""
        return list(self._keys_of.get(account, ()))

    def _added(self, key: Any) -> None:
        self._keys_of.setdefault(key[0], {})[key] = None

    def _removed(self, key: Any) -> None:
        self._keys_of.get(key[0], {}).pop(key, None)

    def __reduce_ex__(self, _protocol: SupportsIndex, /) -> Any:
        """Be copied as the dictionary that it is."""
        return dict, (), None, None, iter(dict.items(self))

    def _note(self, key: Any) -> None:
        _HAND.get().add((self._place, key))

    def note_all(self, account: str = "") -> None:
        """Note what an account has; the caller's unless told otherwise."""
        from ministack.core.responses import get_account_id

        if not _looking.get():
            self._note((ALL, account or get_account_id()))

    def __getitem__(self, key: Any) -> Any:
        """Note the entry."""
        self._note(key)
        return super().__getitem__(key)

    def __setitem__(self, key: Any, value: Any) -> None:
        """Note the entry."""
        self._note(key)
        super().__setitem__(key, value)
        self._added(key)

    def __delitem__(self, key: Any) -> None:
        """Note the entry."""
        self._note(key)
        super().__delitem__(key)
        self._removed(key)

    def get(self, key: Any, default: Any = None, /) -> Any:
        """Note the entry."""
        self._note(key)
        return super().get(key, default)

    def setdefault(self, key: Any, default: Any = None, /) -> Any:
        """Note the entry."""
        self._note(key)
        value = super().setdefault(key, default)
        self._added(key)
        return value

    def pop(self, key: Any, *default: Any) -> Any:
        """Note the entry."""
        self._note(key)
        value = super().pop(key, *default)
        self._removed(key)
        return value

    def update(self, *others: Any, **entries: Any) -> None:
        """Note what is set."""
        for key, value in dict(*others, **entries).items():
            self[key] = value

    def clear(self) -> None:
        """Note what is removed."""
        for key in list(self):
            self._note(key)
        super().clear()
        self._keys_of.clear()

    def values(self) -> Any:
        """Note the account's entries."""
        self.note_all()
        return super().values()

    def items(self) -> Any:
        """Note the account's entries."""
        self.note_all()
        return super().items()


def install() -> None:
    """Hand out stores as they are while somebody looks, copies at any other time."""
    import copy

    from ministack.core.responses import AccountRegionScopedDict, AccountScopedDict
    from ministack.services import kms, lambda_svc

    def deepcopy(self: Any, memo: dict[int, Any]) -> Any:
        """Hand out the store itself while the journal looks."""
        if _looking.get():
            return self
        copied = type(self)()
        copied._data = copy.deepcopy(dict(dict.items(self._data)), memo)
        return copied

    for kind in (AccountRegionScopedDict, AccountScopedDict):
        add_method(kind, "__deepcopy__", deepcopy)
        for name, ours in (
            ("keys", _keys),
            ("values", _values),
            ("items", _items),
            ("__iter__", _iterate),
            ("__len__", _count),
            ("__bool__", _is_filled),
        ):
            extend(kind, name, "self")(ours)
    extend(AccountRegionScopedDict, "items_scoped", "self", "account_id", "region")(_items_of)
    extend(AccountRegionScopedDict, "values_scoped", "self", "account_id", "region")(_values_of)
    extend(kms, "get_state")(_keys_as_they_are)
    extend(lambda_svc, "get_state")(_functions_as_they_are)


def _own(store: Any) -> list[Any]:
    """The scoped keys of the caller's account, and of its Region where the store has Regions."""
    prefix = store._prefix()
    return store._data.of(prefix) if isinstance(prefix, str) else _scoped(store, *prefix)


def _scoped(store: Any, account: str, region: str) -> list[Any]:
    return [key for key in store._data.of(account) if key[1] == region]


def _keys(stock: Any, store: Any) -> Any:
    """List what the account has without looking at the others'."""
    return [key[-1] for key in _own(store)] if isinstance(store._data, Entries) else stock(store)


def _values(stock: Any, store: Any) -> Any:
    """List what the account has without looking at the others'."""
    return [value for _, value in _items(stock, store)] if isinstance(store._data, Entries) else stock(store)


def _items(stock: Any, store: Any) -> Any:
    """List what the account has without looking at the others'."""
    if not isinstance(store._data, Entries):
        return stock(store)
    store._data.note_all()
    return _there(store, _own(store))


def _items_of(stock: Any, store: Any, account: str, region: str) -> Any:
    """List what an account has in a Region without looking at the others'."""
    if not isinstance(store._data, Entries):
        return stock(store, account, region)
    store._data.note_all(account)
    return _there(store, _scoped(store, account, region))


def _values_of(stock: Any, store: Any, account: str, region: str) -> Any:
    """List what an account has in a Region without looking at the others'."""
    if not isinstance(store._data, Entries):
        return stock(store, account, region)
    return [value for _, value in _items_of(stock, store, account, region)]


def _there(store: Any, keys: list[Any]) -> list[tuple[Any, Any]]:
    """Those that another thread has not removed meanwhile."""
    found = ((key, dict.get(store._data, key, _GONE)) for key in keys)
    return [(key[-1], value) for key, value in found if value is not _GONE]


def _iterate(stock: Any, store: Any) -> Iterator[Any]:
    """List what the account has without looking at the others'."""
    return iter(_keys(stock, store)) if isinstance(store._data, Entries) else stock(store)


def _count(stock: Any, store: Any) -> Any:
    """Count what the account has without looking at the others'."""
    return len(_own(store)) if isinstance(store._data, Entries) else stock(store)


def _is_filled(stock: Any, store: Any) -> Any:
    """Look whether the account has anything without looking at the others'."""
    return bool(_own(store)) if isinstance(store._data, Entries) else stock(store)


def _keys_as_they_are(_stock: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Hand out the keys themselves: ours hold nothing that MiniStack would have to convert."""
    from ministack.services import kms

    return {
        "keys": kms._keys,
        "aliases": kms._aliases,
        "alias_dates": kms._alias_dates,
        "grants": kms._grants,
    }


def _functions_as_they_are(stock: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Hand out the functions themselves while the journal looks, code and all: what changed of each is noted."""
    from ministack.services import lambda_svc

    if not _looking.get():
        return stock()
    return {
        "functions": lambda_svc._functions,
        "layers": lambda_svc._layers,
        "esms": lambda_svc._esms,
        "function_urls": lambda_svc._function_urls,
        "kinesis_positions": lambda_svc._kinesis_positions,
        "dynamodb_stream_positions": lambda_svc._dynamodb_stream_positions,
    }
