"""What the page does when one clicks, prints or follows a link; in jsdom, with the page's own script."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from kmslab.reports import html
from kmslab.toolchain import require_node

if TYPE_CHECKING:
    from kmslab.reports.report import Report

MODULES = Path(__file__).resolve().parents[2] / "node_modules"
ALL = ["keys.rotation", "keys.states", "s3.reader", "s3.sse-c"]
WRONG = ["keys.states", "s3.reader"]


@pytest.fixture
def seen(mixed: Report) -> dict[str, dict[str, Any]]:
    command = [require_node().executable, Path(__file__).with_name("clicks.mjs"), MODULES]
    done = subprocess.run(  # noqa: S603  # our own script
        command, input=html.render(mixed), capture_output=True, text=True, check=True, timeout=120
    )
    states: dict[str, dict[str, Any]] = json.loads(done.stdout)
    return states


def test_the_page_can_be_used(seen: dict[str, dict[str, Any]]) -> None:
    assert {step: state["shown"] for step, state in seen.items()} == {
        **dict.fromkeys(seen, ALL),
        "filtered": ["keys.states"],
    }
    assert seen["filtered"]["said"] == "1 of 4 claims are shown."
    assert seen["unfiltered"]["said"] == "4 of 4 claims are shown."
    assert {step: state["open"] for step, state in seen.items()} == {
        "first": WRONG,
        "filtered": WRONG,
        "unfiltered": WRONG,
        "allOpen": ALL,
        "allClosed": [],
        "printing": ALL,
        "printed": [],
        "linked": ["keys.rotation"],
    }
