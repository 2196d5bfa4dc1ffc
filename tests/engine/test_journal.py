"""A commit writes what was touched and has changed, and looks at nothing else."""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import TYPE_CHECKING, Any

import pytest

from kmslab.engine import journal, state, touched
from kmslab.engine.journal import Journal
from kmslab.engine.sealing import Seal

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from kmslab.engine.identity import Identity


class Counted(dict[str, Any]):
    """A value that says how often it was looked at."""

    looks = 0

    def __reduce_ex__(self, protocol: Any, /) -> Any:
        Counted.looks += 1
        return dict, (dict(self),)


@pytest.fixture
def store(inside: Identity, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A store of ours, with a thousand entries."""
    from ministack.core.responses import AccountRegionScopedDict

    assert inside.account_id
    monkeypatch.setattr(state, "_stores", {})
    made = AccountRegionScopedDict()
    state.keep("made", made)
    for number in range(1000):
        made[f"entry-{number}"] = Counted(number=number)
    touched.nobodys()
    return made


@pytest.fixture
def kept(store: Any, tmp_path: Path) -> Journal:
    """A journal that knows the store as it is."""
    assert store
    return Journal(tmp_path)


@pytest.fixture
def read(tmp_path: Path) -> Callable[[], dict[str, Any]]:
    """What the journal has of the store: entries by name, None for one that is gone."""

    def read() -> dict[str, Any]:
        found: dict[str, Any] = {}
        for _, path in journal.files(tmp_path):
            for line in path.read_text().splitlines():
                for change in json.loads(line, object_hook=Seal.of(tmp_path).decoded):
                    if change["store"] == "made":
                        found |= {key[2]: value for key, value in change["set"]._data.items()}
                        found |= {key[2]: None for key in change["gone"]._data}
        return found

    return read


def test_only_what_was_touched_is_looked_at(store: Any, kept: Journal, read: Any) -> None:
    Counted.looks = 0
    with touched.noting() as hand:
        store["entry-7"]["number"] = 70
        assert store.get("entry-8")["number"] == 8
        assert store.get("missing") is None
        kept.commit(hand.take())
    assert Counted.looks == 2
    assert read() == {"entry-7": {"number": 70}}


@pytest.mark.parametrize(
    ("change", "written"),
    [
        (lambda store: store.__setitem__("new", {"number": 1}), {"new": {"number": 1}}),
        (lambda store: store.pop("entry-1"), {"entry-1": None}),
        (lambda store: store.__delitem__("entry-2"), {"entry-2": None}),
        (lambda store: store.setdefault("entry-3", {}).update(number=30), {"entry-3": {"number": 30}}),
        (lambda store: store.setdefault("new", {"number": 1}), {"new": {"number": 1}}),
        (lambda store: store.values()[4].update(number=40), {"entry-4": {"number": 40}}),
        (lambda store: store.all_values()[4].update(number=40), {"entry-4": {"number": 40}}),
        (lambda store: store.items()[5][1].update(number=50), {"entry-5": {"number": 50}}),
        (lambda store: store.update({"entry-6": {"number": 60}}), {"entry-6": {"number": 60}}),
        (lambda store: store._data.clear(), {f"entry-{number}": None for number in range(1000)}),
    ],
    ids=[
        "set",
        "pop",
        "delete",
        "take-by-default",
        "set-by-default",
        "values",
        "all-values",
        "items",
        "update",
        "clear",
    ],
)
def test_every_way_to_change_an_entry_is_noticed(
    store: Any, kept: Journal, read: Any, change: Callable[[Any], Any], written: dict[str, Any]
) -> None:
    with touched.noting() as hand:
        change(store)
        kept.commit(hand.take())
    assert read() == written


def test_what_no_request_touched_is_written_by_the_next_commit(store: Any, kept: Journal, read: Any) -> None:
    def change(name: str) -> None:
        store._data[next(key for key in store._data if key[2] == name)]["number"] = -1

    with touched.noting(), ThreadPoolExecutor(1) as pool:
        pool.submit(change, "entry-1").result()  # a pool's thread knows no request
    with touched.noting():
        ended = copy_context()
    ended.run(change, "entry-2")
    change("entry-3")
    kept.commit()
    assert read() == {f"entry-{number}": {"number": -1} for number in (1, 2, 3)}


def test_a_commit_that_failed_is_made_up_for(
    store: Any, kept: Journal, read: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> int:
        raise OSError(28, "No space left on device")

    store["entry-1"]["number"] = 10
    store.pop("entry-2")
    with monkeypatch.context() as patched:
        patched.setattr(os, "write", full)
        with pytest.raises(OSError, match="No space"):
            kept.commit()
    assert read() == {}
    kept.commit()
    assert read() == {"entry-1": {"number": 10}, "entry-2": None}


def test_a_value_that_returns_is_written_where_the_saved_state_has_the_one_between(
    store: Any, kept: Journal, read: Any
) -> None:
    """The state is saved as a whole between two changes that no commit saw."""
    store["entry-1"]["number"] = 10
    kept.rotate()
    store["entry-1"]["number"] = 1
    kept.commit()
    assert read() == {"entry-1": {"number": 1}}


def test_a_commit_has_nothing_in_hand_itself(store: Any, kept: Journal) -> None:
    """Or the next one would look at it: at every stack of the caller's account, to see which is unfinished."""
    from ministack.services import cloudformation

    with touched.noting() as hand:
        store["entry-7"]["number"] = 70
        cloudformation._stacks["made-up"] = {"StackStatus": "CREATE_COMPLETE"}
        kept.commit(hand.take())
        del cloudformation._stacks["made-up"]
        hand.take()
        kept.commit()
        assert hand.take() == set()
    assert touched.nobodys() == set()


def test_nothing_is_written_twice(store: Any, kept: Journal, read: Any, tmp_path: Path) -> None:
    store["entry-1"]["number"] = 10
    kept.commit()
    (written,) = (path.read_text() for _, path in journal.files(tmp_path))
    assert store["entry-1"]["number"] == 10
    kept.commit()
    assert [path.read_text() for _, path in journal.files(tmp_path)] == [written]
    assert read() == {"entry-1": {"number": 10}}
