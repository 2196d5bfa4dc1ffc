from __future__ import annotations

import io
from typing import TYPE_CHECKING

from rich.console import Console

from kmslab import terminal
from kmslab.model.errors import LabError

if TYPE_CHECKING:
    import pytest

ARN = "arn:aws:secretsmanager:eu-central-1:000000000000:secret:[red]name"
"""It holds one of Rich's names for an emoji, and brackets, which it reads as a style."""


def test_what_is_said_is_not_read_as_markup() -> None:
    file = io.StringIO()
    terminal.say(Console(file=file, width=20), f"{ARN} {ARN}")
    assert file.getvalue() == f"{ARN} {ARN}\n"


def test_an_error_is_said_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    file = io.StringIO()
    monkeypatch.setattr(terminal, "err", Console(file=file, width=20))
    terminal.show_error(LabError(f"no {ARN}", hint=f"make {ARN}"))
    assert file.getvalue() == f"error: no {ARN}\n  make {ARN}\n"
