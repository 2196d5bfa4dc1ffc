"""docs/settings.md says what LabSettings says: every key, its default and what is allowed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest
from pydantic import BaseModel

from kmslab.model.settings import LabSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = Path(__file__).parents[2] / "docs" / "settings.md"


class Row(NamedTuple):
    """One setting, without what it does: that is only on the page."""

    key: str
    default: str
    allowed: str


def _of(model: BaseModel, parents: str = "") -> Iterator[Row]:
    for name, field in type(model).model_fields.items():
        value = getattr(model, name)
        if isinstance(value, BaseModel):
            yield from _of(value, f"{parents}{name}.")
        else:
            yield Row(f"{parents}{name}", json.dumps(value), field.description or "")


def _cells() -> list[list[str]]:
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| `")]


def test_the_table_has_every_setting_with_its_default_and_what_is_allowed() -> None:
    table = [Row(key.strip("`"), default.strip("`"), allowed) for key, default, allowed, _ in _cells()]
    assert table == list(_of(LabSettings()))


@pytest.mark.parametrize("cells", _cells(), ids=lambda cells: cells[0])
def test_a_default_of_the_table_can_be_given(cells: list[str]) -> None:
    """As JSON in cdk.json: what the page shows is what one may write."""
    key, default = (cell.strip("`") for cell in cells[:2])
    assert LabSettings.from_context({f"kmslab.{key}": json.loads(default)}) == LabSettings()


def test_every_setting_says_what_it_does() -> None:
    assert [cells[0] for cells in _cells() if not cells[3]] == []
