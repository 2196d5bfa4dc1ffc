"""What rooms of ours keep is saved, restored and reset as one of MiniStack's services."""

from __future__ import annotations

import json
import pickle
from typing import TYPE_CHECKING

import pytest

from kmslab.engine import snapshot, state
from kmslab.model.errors import LabError

if TYPE_CHECKING:
    from pathlib import Path

    from kmslab.engine.identity import Identity


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    monkeypatch.setattr(state, "_stores", {})
    store: dict[str, bytes] = {}
    state.keep("mine", store)
    return store


def test_a_store_comes_back_as_it_was(kept: dict[str, bytes]) -> None:
    kept["a"] = b"1"
    saved = {name: dict(store) for name, store in state.get_state().items()}
    state.reset()
    assert kept == {}
    state.load_persisted_state({**saved, "forgotten by a later version": {}})
    assert kept == {"a": b"1"}


def test_a_store_that_was_never_saved_stays_empty(kept: dict[str, bytes]) -> None:
    state.load_persisted_state({})
    assert kept == {}


def test_stores_go_through_the_saved_file(
    kept: dict[str, bytes], inside: Identity, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from ministack import app
    from ministack.core.responses import AccountRegionScopedDict, request_scope

    scoped = AccountRegionScopedDict()
    state.keep("scoped", scoped)
    scoped["b"] = {"bytes": b"2"}
    kept["a"] = b"1"
    assert app._build_persistence_save_dict()["kmslab"] is state.get_state
    snapshot.write(tmp_path, snapshot.freeze())
    state.reset()
    # Another account's view: the dictionary is falsy here, and must be restored all the same.
    with request_scope("922222222222", "eu-west-1"):
        state.load_persisted_state(snapshot.read(tmp_path)["kmslab"])
    assert kept == {"a": b"1"}
    assert scoped["b"] == {"bytes": b"2"}
    assert inside.account_id


def test_a_large_store_is_written_in_parts_and_comes_back_whole(
    kept: dict[str, bytes], inside: Identity, tmp_path: Path
) -> None:
    from ministack.core.responses import AccountRegionScopedDict

    assert inside.account_id
    assert kept == {}
    scoped = AccountRegionScopedDict()
    state.keep("scoped", scoped)
    accounts = [f"{number:012d}" for number in range(3)]
    there = {(account, "eu-west-1", f"name-{n}"): {"n": n} for account in accounts for n in range(60)}
    for where, value in there.items():
        scoped.set_scoped(*where, value)
    frozen = snapshot.freeze()
    assert {len(pickle.loads(part)._data) for part in frozen["kmslab"]["scoped"]} == {50, 30}  # noqa: S301  # our own
    digest = snapshot.write(tmp_path, frozen)
    found = snapshot.read(tmp_path)["kmslab"]["scoped"]
    assert list(found._data.items()) == list(there.items())
    written = (tmp_path / snapshot.FILE).stat()
    assert snapshot.write(tmp_path, snapshot.freeze(), digest, following=7) == digest
    assert (tmp_path / snapshot.FILE).stat() == written, "the same state was written again"
    assert [path.name for path in tmp_path.iterdir()] == [snapshot.FILE]
    scoped.set_scoped(accounts[0], "eu-west-1", "another", {})
    assert snapshot.write(tmp_path, snapshot.freeze(), digest) != digest


def test_a_state_of_the_first_format_is_read(tmp_path: Path) -> None:
    saved = {"format": 1, "journal": 0, "services": {"kmslab": {"kept": {"b": 2}}}}
    (tmp_path / snapshot.FILE).write_text(json.dumps(saved))
    assert snapshot.read(tmp_path) == {"kmslab": {"kept": {"b": 2}}}


def test_a_state_of_a_later_format_is_not_guessed_at(tmp_path: Path) -> None:
    (tmp_path / snapshot.FILE).write_text(json.dumps({"format": 3, "journal": 0, "services": {}}))
    with pytest.raises(LabError, match="damaged"):
        snapshot.read(tmp_path)
