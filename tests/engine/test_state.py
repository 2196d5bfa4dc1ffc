"""What rooms of ours keep is saved, restored and reset as one of MiniStack's services."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kmslab.engine import state

if TYPE_CHECKING:
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


def test_stores_go_through_ministacks_files(
    kept: dict[str, bytes], inside: Identity, monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    from ministack import app
    from ministack.core import persistence
    from ministack.core.responses import AccountRegionScopedDict

    scoped = AccountRegionScopedDict()
    state.keep("scoped", scoped)
    scoped["b"] = {"bytes": b"2"}
    # Another account's view: the dictionary is falsy here, and must be restored all the same.
    monkeypatch.setattr(persistence, "STATE_DIR", str(tmp_path))
    kept["a"] = b"1"
    assert app._build_persistence_save_dict()["kmslab"] is state.get_state
    persistence.save_all({"kmslab": state.get_state})
    state.reset()
    from ministack.core.responses import request_scope

    with request_scope("922222222222", "eu-west-1"):
        state.load_persisted_state(persistence.load_state("kmslab"))
    assert kept == {"a": b"1"}
    assert scoped["b"] == {"bytes": b"2"}
    assert inside.account_id
