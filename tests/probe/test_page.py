"""The page and the table are those of the probes that there are."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import emulators
from kmslab.probe import runner
from kmslab.probe.model import AREAS

ROOT = Path(__file__).resolve().parents[2]
KEPT = json.loads(emulators.KEPT.read_text(encoding="utf-8"))


def test_the_results_are_of_the_probes_that_there_are() -> None:
    names = {one.id for one in runner.catalogue()}
    assert all(set(target["results"]) == names for target in KEPT["targets"])


def test_the_page_is_that_of_the_results() -> None:
    assert (ROOT / "docs" / "fidelity.md").read_text(encoding="utf-8") == emulators.page(KEPT)


def test_the_readme_has_the_table() -> None:
    assert emulators.table(KEPT) in (ROOT / "README.md").read_text(encoding="utf-8")


def test_every_probe_of_the_engine_is_told_apart_by_somebody_elses() -> None:
    """Stock emulators fail many: a suite that everybody passes would tell nothing."""
    others = KEPT["targets"][1:]
    assert {one["name"] for one in others} <= {one.name for one in emulators.EMULATORS}
    assert others
    for one in others:
        failed = [name for name, found in one["results"].items() if found["outcome"] != "as documented"]
        assert len(failed) > len(one["results"]) / 3


def test_the_table_counts_by_area() -> None:
    lines = emulators.table(KEPT).splitlines()
    counted = [line for line in lines if line.startswith(tuple(f"| {title} |" for title in AREAS.values()))]
    assert len(counted) == len(AREAS)
    assert sum(int(line.split("|")[2]) for line in counted) == len(runner.catalogue())


def test_the_table_goes_between_its_marks() -> None:
    text = f"a\n{emulators.BEGIN}\nold\n{emulators.END}\nb\n"
    assert emulators.within(text, "new") == f"a\n{emulators.BEGIN}\nnew\n{emulators.END}\nb\n"
    with pytest.raises(ValueError, match="has no"):
        emulators.within("a", "new")
