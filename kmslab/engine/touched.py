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
    """The entries of a store, which notes who takes one out, sets or removes it. Its keys begin with the account."""

    __slots__ = ("_place",)

    def __init__(self, entries: dict[Any, Any], place: Place) -> None:
        """Hold these entries.

        Args:
            entries: by scoped key.
            place: what notes say of the store.
        """
        super().__init__(entries)
        self._place = place

    def __reduce_ex__(self, _protocol: SupportsIndex, /) -> Any:
        """Be copied as the dictionary that it is."""
        return dict, (), None, None, iter(dict.items(self))

    def _note(self, key: Any) -> None:
        _HAND.get().add((self._place, key))

    def _note_all(self) -> None:
        from ministack.core.responses import get_account_id

        if not _looking.get():
            self._note((ALL, get_account_id()))

    def __getitem__(self, key: Any) -> Any:
        """Note the entry."""
        self._note(key)
        return super().__getitem__(key)

    def __setitem__(self, key: Any, value: Any) -> None:
        """Note the entry."""
        self._note(key)
        super().__setitem__(key, value)

    def __delitem__(self, key: Any) -> None:
        """Note the entry."""
        self._note(key)
        super().__delitem__(key)

    def get(self, key: Any, default: Any = None, /) -> Any:
        """Note the entry."""
        self._note(key)
        return super().get(key, default)

    def setdefault(self, key: Any, default: Any = None, /) -> Any:
        """Note the entry."""
        self._note(key)
        return super().setdefault(key, default)

    def pop(self, key: Any, *default: Any) -> Any:
        """Note the entry."""
        self._note(key)
        return super().pop(key, *default)

    def update(self, *others: Any, **entries: Any) -> None:
        """Note what is set."""
        for key, value in dict(*others, **entries).items():
            self[key] = value

    def clear(self) -> None:
        """Note what is removed."""
        for key in list(self):
            self._note(key)
        super().clear()

    def values(self) -> Any:
        """Note the account's entries."""
        self._note_all()
        return super().values()

    def items(self) -> Any:
        """Note the account's entries."""
        self._note_all()
        return super().items()


def install() -> None:
    """Hand out stores as they are while somebody looks, copies at any other time."""
    import copy

    from ministack.core.responses import AccountRegionScopedDict, AccountScopedDict
    from ministack.services import kms

    def deepcopy(self: Any, memo: dict[int, Any]) -> Any:
        """Hand out the store itself while the journal looks."""
        if _looking.get():
            return self
        copied = type(self)()
        copied._data = copy.deepcopy(dict(dict.items(self._data)), memo)
        return copied

    for kind in (AccountRegionScopedDict, AccountScopedDict):
        add_method(kind, "__deepcopy__", deepcopy)
    extend(kms, "get_state")(_keys_as_they_are)


def _keys_as_they_are(_stock: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Hand out the keys themselves: ours hold nothing that MiniStack would have to convert."""
    from ministack.services import kms

    return {
        "keys": kms._keys,
        "aliases": kms._aliases,
        "alias_dates": kms._alias_dates,
        "grants": kms._grants,
    }
