"""What one account has is listed without looking at what the others have, and is told from it."""

from __future__ import annotations

from typing import Any

import pytest
from ministack.core.responses import AccountRegionScopedDict, AccountScopedDict, request_scope

from kmslab.engine import touched
from kmslab.engine.touched import Entries

ONE, TWO = "1" * 12, "2" * 12
HERE, THERE = "eu-central-1", "us-east-1"


class Regional(AccountRegionScopedDict):  # type: ignore[misc]  # MiniStack is not typed
    """MiniStack's, with what the engine makes of it."""


class Global(AccountScopedDict):  # type: ignore[misc]  # MiniStack is not typed
    """MiniStack's, with what the engine makes of it."""


@pytest.fixture(params=[Regional, Global])
def store(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A store with entries of two accounts, adopted by the journal."""
    kind = request.param
    hooked = {
        "keys": touched._keys,
        "values": touched._values,
        "items": touched._items,
        "__iter__": touched._iterate,
        "__len__": touched._count,
        "__bool__": touched._is_filled,
    }
    for name, ours in hooked.items():
        stock = getattr(kind, name)
        monkeypatch.setattr(kind, name, lambda self, ours=ours, stock=stock: ours(stock, self), raising=False)
    made = kind()
    with request_scope(ONE, HERE):
        made["early"] = 0
    made._data = Entries(made._data, ("service", "store"))
    with request_scope(ONE, HERE):
        made["a"] = 1
        made.setdefault("b", 2)
        made["gone"] = 3
        del made["gone"]
        made["popped"] = 4
        made.pop("popped")
        made.pop("never", None)
    with request_scope(TWO, HERE):
        made["a"] = 10
    return made


def test_each_account_lists_its_own(store: Any) -> None:
    with request_scope(ONE, HERE):
        assert store.items() == [("early", 0), ("a", 1), ("b", 2)]
        assert (store.keys(), list(store)) == (["early", "a", "b"], ["early", "a", "b"])
        assert (store.values(), len(store), bool(store)) == ([0, 1, 2], 3, True)
    with request_scope(TWO, HERE):
        assert store.items() == [("a", 10)]
    with request_scope("3" * 12, HERE):
        assert (store.items(), len(store), bool(store)) == ([], 0, False)


def test_each_region_lists_its_own(store: Any) -> None:
    with request_scope(ONE, THERE):
        assert len(store) == (0 if isinstance(store, Regional) else 3)


def test_others_are_not_looked_at(store: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(store), "_is_mine", None)
    with request_scope(ONE, HERE):
        assert len(store.items()) == len(store.values()) == len(store.keys()) == len(list(store)) == 3


def test_what_is_handed_out_is_noted(store: Any) -> None:
    with touched.noting() as hand, request_scope(ONE, HERE):
        store.keys()
        assert hand.take() == set()
        store.values()
        assert hand.take() == {(("service", "store"), (touched.ALL, ONE))}


def test_a_cleared_store_lists_nothing(store: Any) -> None:
    with request_scope(ONE, HERE):
        store.clear()
        assert store.items() == []
        store["new"] = 1
        assert store.items() == [("new", 1)]


@pytest.fixture
def regional(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A store with Regions, adopted by the journal, in which two accounts have something in two Regions."""
    for name, ours in (("items_scoped", touched._items_of), ("values_scoped", touched._values_of)):
        stock = getattr(Regional, name)
        there = lambda self, *where, ours=ours, stock=stock: ours(stock, self, *where)  # noqa: E731  # as `store`
        monkeypatch.setattr(Regional, name, there, raising=False)
    made = Regional()
    made._data = Entries(made._data, ("service", "store"))
    for number, (account, region) in enumerate([(ONE, HERE), (ONE, THERE), (TWO, HERE)]):
        made.set_scoped(account, region, "a", number)
    return made


def test_of_an_account_named_its_own_is_listed(regional: Any) -> None:
    with request_scope(TWO, THERE):
        assert regional.items_scoped(ONE, THERE) == [("a", 1)]
        assert regional.values_scoped(TWO, HERE) == [2]
        assert regional.values_scoped(TWO, THERE) == []


def test_of_an_account_named_nobody_elses_is_looked_at(
    regional: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    of = Entries.of

    def heard(self: Entries, account: str) -> list[Any]:
        asked.append(account)
        return of(self, account)

    monkeypatch.setattr(Entries, "of", heard)
    monkeypatch.setattr(Entries, "items", None)
    assert regional.values_scoped(ONE, HERE) == [0]
    assert asked == [ONE]


def test_what_is_handed_out_of_an_account_named_is_noted_as_its(regional: Any) -> None:
    with touched.noting() as hand, request_scope(TWO, HERE):
        regional.values_scoped(ONE, HERE)
        assert hand.take() == {(("service", "store"), (touched.ALL, ONE))}
