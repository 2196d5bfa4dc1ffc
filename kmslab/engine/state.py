"""State of our own that is saved, restored and reset with MiniStack's services.

A room that keeps something registers it once: ``state.keep("ebs", store)``. Stores are MiniStack's
``AccountRegionScopedDict`` or ``AccountScopedDict``, or plain dictionaries of JSON values and bytes.
"""

from __future__ import annotations

import sys
from typing import Any

_NAME = "kmslab"
_stores: dict[str, Any] = {}
_changes = [0]


def changed() -> None:
    """Have the answer wait for the journal although the operation only reads: a key that rotated as it was used."""
    _changes[0] += 1


def changes() -> int:
    """How often `changed` was called."""
    return _changes[0]


def keep(name: str, store: Any) -> None:
    """Have a store saved under ``name`` and restored at the next start."""
    _stores[name] = store


def get_state() -> dict[str, Any]:
    """Everything kept, to be copied and saved."""
    return dict(_stores)


def load_persisted_state(data: dict[str, Any]) -> None:
    """Fill the stores with what was saved; a store that is no longer kept is ignored."""
    for name, store in _stores.items():
        # A scoped dictionary is falsy outside its account: ask for the key, not for truth.
        if name in data:
            store.update(data[name])


def reset() -> None:
    """Empty every store."""
    for store in _stores.values():
        store.clear()


def install() -> None:
    """Register this module with MiniStack as one of its services."""
    from ministack import app

    from kmslab.engine.hooks import add_entry

    purpose = "save and restore the engine's own stores"
    add_entry(app, "SERVICE_REGISTRY", _NAME, {"module": _NAME}, purpose)
    add_entry(app, "_state_map", _NAME, _NAME, purpose)
    add_entry(app, "_loaded_modules", _NAME, sys.modules[__name__], purpose)
