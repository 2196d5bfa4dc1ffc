"""Who may open what."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import pytest

from kmslab.classroom.board.tokens import FILE, Tokens, tokens
from kmslab.model.errors import LabError

if TYPE_CHECKING:
    from pathlib import Path


def test_tokens_stay_and_are_nobody_elses(tmp_path: Path) -> None:
    first, again = tokens(tmp_path), tokens(tmp_path)
    assert first.trainer == again.trainer
    assert stat.S_IMODE((tmp_path / FILE).stat().st_mode) == 0o600
    (tmp_path / "other").mkdir()
    assert tokens(tmp_path / "other").trainer != first.trainer


def test_a_token_opens_one_thing() -> None:
    made = Tokens(b"x" * 32)
    assert made.is_trainer(made.trainer)
    assert made.is_of_seat("ada", made.of_seat("ada"))
    assert not made.is_trainer(made.of_seat("ada"))
    assert not made.is_trainer(made.of_seat("trainer"))
    assert not made.is_of_seat("bob", made.of_seat("ada"))
    assert not made.is_of_seat("ada", made.trainer)
    assert not made.is_trainer("")
    assert not made.is_trainer("\udcff")
    assert len(made.trainer) == 24


def test_half_a_secret_is_made_anew(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"half")
    made = tokens(tmp_path)
    assert len((tmp_path / FILE).read_bytes()) == 32
    assert tokens(tmp_path).trainer == made.trainer


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    with pytest.raises(LabError, match=r"Cannot write .*board\.secret"):
        tokens(tmp_path / "missing")
