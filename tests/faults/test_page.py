"""docs/faults.md is what `kmslab faults --format markdown` prints."""

from __future__ import annotations

from pathlib import Path

from typer.testing import CliRunner

from kmslab.cli import app
from kmslab.faults import REGISTRY

PAGE = Path(__file__).parents[2] / "docs" / "faults.md"


def test_the_page_is_fresh() -> None:
    """If not: `kmslab faults --format markdown > docs/faults.md`."""
    printed = CliRunner().invoke(app, ["faults", "--format", "markdown"]).stdout
    assert PAGE.read_text(encoding="utf-8") == printed


def test_the_page_has_every_fault_with_all_that_is_told_of_it() -> None:
    page = PAGE.read_text(encoding="utf-8")
    for fault in REGISTRY.values():
        section = page.partition(f"### `{fault.id}`\n")[2].partition("\n#")[0]
        assert fault.title in section
        assert fault.explanation in section
        assert [check for check in fault.noticed_by if f"`{check}`" not in section] == []
    assert page.count("\n### ") == len(REGISTRY)
