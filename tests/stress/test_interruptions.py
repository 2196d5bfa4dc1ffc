"""Commands killed at any moment: after the next `up` or `down` nothing is lost and nothing left."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from benchmarks.interruptions import run

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.nightly
@pytest.mark.parametrize("seed", [11, 12])
def test_nothing_is_lost_and_nothing_left(tmp_path: Path, seed: int) -> None:
    tally = run(6, seed, tmp_path / "home")
    assert tally.wrong == []
    assert sum(tally.killed.values()) == 6  # else the moments were too late to interrupt anything
