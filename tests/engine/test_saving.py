"""How often the engine saves its whole state."""

from __future__ import annotations

import asyncio
import os
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from kmslab.engine import saving, snapshot
from kmslab.engine.saving import Saver

if TYPE_CHECKING:
    from pathlib import Path


QUIET = 0.05
LONG_ENOUGH = 5


async def times_of_looks(folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """When the state was looked at while it was another one each time, as under requests that only read."""
    clock = asyncio.get_running_loop().time
    looks: list[float] = []
    enough = asyncio.Event()

    def frozen() -> bytes:
        looks.append(clock())
        if len(looks) == LONG_ENOUGH:
            enough.set()
        return os.urandom(8)

    monkeypatch.setattr(saving, "QUIET_SECONDS", QUIET)
    monkeypatch.setattr(saving, "_frozen", frozen)
    monkeypatch.setattr(
        snapshot, "write", lambda _folder, state, _last, *, following: f"{state!r} {following}"
    )
    saver = Saver(folder)
    saver.changed()
    task = asyncio.create_task(saver.run())
    try:
        await asyncio.wait_for(enough.wait(), timeout=60)
    finally:
        task.cancel()
    return looks


@pytest.mark.usefixtures("inside")
def test_a_state_that_changes_by_itself_is_saved_once_in_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = asyncio.run(times_of_looks(tmp_path, monkeypatch))
    pauses = [later - earlier for earlier, later in pairwise(looks)]
    assert min(pauses) >= QUIET
