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


class Enough(Exception):  # noqa: N818  # ends the saver; no error
    """It has looked often enough."""


class Numbered:
    """Stands in for the journal, of which only numbers matter here."""

    def __init__(self, _folder: Path) -> None:
        self.number = 0

    def rotate(self) -> int:
        self.number += 1
        return self.number


async def times_of_looks(folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """When the state was looked at while it was another one each time, as under requests that only read."""
    clock = asyncio.get_running_loop().time
    looks: list[float] = []

    def frozen() -> bytes:
        looks.append(clock())
        if len(looks) == LONG_ENOUGH:
            raise Enough
        return os.urandom(8)

    monkeypatch.setattr(saving, "Journal", Numbered)
    monkeypatch.setattr(saving, "QUIET_SECONDS", QUIET)
    monkeypatch.setattr(saving, "_frozen", frozen)
    monkeypatch.setattr(
        snapshot, "write", lambda _folder, state, _last, *, following: f"{state!r} {following}"
    )
    saver = Saver(folder)
    saver.changed()
    with pytest.raises(Enough):
        await saver.run()
    return looks


def test_a_state_that_changes_by_itself_is_saved_once_in_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = asyncio.run(times_of_looks(tmp_path, monkeypatch))
    assert len(looks) == LONG_ENOUGH
    assert min(later - earlier for earlier, later in pairwise(looks)) >= QUIET
