"""What rooms of ours keep is saved, restored and reset as one of MiniStack's services."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kmslab.engine import snapshot, state

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
