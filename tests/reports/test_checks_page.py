"""docs/checks.md is what the checks and the list of controls say now."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from kmslab.checks.catalogue import catalogue
from kmslab.model.controls import Framework, controls
from kmslab.reports.checks_page import checks_by_control, render

PAGE = Path(__file__).parents[2] / "docs" / "checks.md"


def test_the_page_is_fresh() -> None:
    """If not: `kmslab verify --list --format markdown > docs/checks.md`."""
    assert PAGE.read_text(encoding="utf-8") == render(catalogue())


def rows(heading: str) -> list[list[str]]:
    """The cells of the table under a heading."""
    section = render(catalogue()).partition(f"\n{heading}\n")[2].partition("\n#")[0]
    lines = [line for line in section.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines[1:]]


def test_every_check_is_on_the_page_under_its_guide() -> None:
    for guide in {check.guide for check in catalogue()}:
        here = rows(f"## [{guide}](../lab_guides/{guide}.md)")
        assert [row[0].strip("`") for row in here] == [
            check.id for check in catalogue() if check.guide == guide
        ]
        assert all(len(row) == 4 for row in here)


@pytest.mark.parametrize("framework", Framework)
def test_every_evidenced_control_leads_to_its_checks(framework: Framework) -> None:
    named = checks_by_control(catalogue())
    wanted = {
        control.name: [check.id for check in named[control.id]]
        for control in controls().values()
        if control.framework is framework and control.id in named
    }
    found = {
        row[0].partition("]")[0].lstrip("["): row[2].replace("`", "").split("<br>")
        for row in rows(f"### {framework}")
    }
    assert found == wanted


def test_what_is_left_out_has_its_reason() -> None:
    left = [control for control in controls().values() if control.not_evidenced]
    found = rows("## Controls that the lab does not evidence")
    assert [row[2].replace("\\*", "*") for row in found] == [control.not_evidenced for control in left]


def test_what_is_not_foundational_is_said() -> None:
    (line,) = re.findall(r"Of these, (.*) are not in AWS Foundational", render(catalogue()))
    assert {"KMS.4", "S3.17"} <= set(line.split(", "))
    assert "KMS.3" not in line
