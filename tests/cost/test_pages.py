"""What the course says about money is what the table of prices says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from kmslab.cost import estimate
from kmslab.cost.estimating import total
from kmslab.cost.prices import table
from kmslab.model.settings import LabSettings

PAGES = Path(__file__).parents[2] / "lab_guides"
USD = re.compile(r"(?<![\d.])(\d+(?:\.\d+)?) USD")
COST = re.compile(r"\*\*Cost\*\*(.*?)\n\n", re.DOTALL)
BOUND = re.compile(r"[Ll]ess than (\d+\.\d+) USD")
COMPARED = "17-clouds"
"""The page whose tables have other clouds' prices: only what it says of AWS is looked at."""
BOUGHT = {"kms-key": "1", "kms-rotation": "1", "secret": "0.40", "ebs-gp3": "0.08", "ebs-snapshot": "0.05"}
BOUGHT |= {"s3-storage": "0.023", "interface-endpoint": "0.01", "interface-endpoint-data": "0.01"}
BOUGHT |= {"kms-asymmetric-request": "0.15", "kms-rsa-2048-request": "0.03"}
BOUGHT |= {"parameter-advanced": "0.05", "trail-further-copy": "2", "kms-request": "0.03", "parameter": "0"}
"""Items that the pages name, and how they write the price."""
ELSEWHERE = {
    "5": "a budget, in the handbook: no price",
    "0.01": "a request to Cost Explorer; page 18 has its source",
}
"""Figures that are no prices of the lab, and what they are."""


def figures(text: str) -> set[str]:
    return set(USD.findall(text))


def said(path: Path) -> str:
    """A page's text without the other clouds' columns."""
    lines = path.read_text(encoding="utf-8").splitlines()
    if path.stem == COMPARED:
        lines = ["|".join(line.split("|")[:3]) if line.startswith("|") else line for line in lines]
        lines = [line for line in lines if not line.startswith("Google")]
    return "\n".join(lines) + "\n\n"


def computed() -> set[str]:
    """Sums that the pages state, from the estimate."""
    plain, network = estimate(LabSettings()), estimate(LabSettings(network=True))
    of_class = plain.for_class(1, 1, runs=6)
    return {
        f"{plain.per_day:.2f}",
        f"{plain.per_hour * table().hours_a_month:.0f}",
        f"{network.per_day - plain.per_day:.2f}",
        f"{total(plain.verify):.2f}",
        f"{of_class.pages:.2f}",
        f"{of_class.per_seat + network.per_day - plain.per_day:.2f}",
        f"{of_class.per_seat:.2f}",
    }


@pytest.mark.parametrize(("item", "written"), BOUGHT.items())
def test_a_price_is_written_as_the_table_has_it(item: str, written: str) -> None:
    assert float(written) == table().prices[item].price
    assert any(written in figures(said(path)) for path in PAGES.glob("*.md")) or written == "0"


@pytest.mark.parametrize("path", sorted(PAGES.glob("*.md")), ids=lambda path: path.stem)
def test_every_figure_in_usd_is_a_price_of_the_table_or_a_sum_of_them(path: Path) -> None:
    text = said(path)
    bounds = set(BOUND.findall(text))
    unknown = figures(text) - bounds - set(BOUGHT.values()) - set(ELSEWHERE) - computed()
    assert unknown == set()


def test_pages_state_bounds_that_hold() -> None:
    pages = estimate(LabSettings()).pages
    stated = {
        path.stem: float(bound)
        for path in PAGES.glob("[0-9]*.md")
        for cost in COST.findall(path.read_text(encoding="utf-8"))
        for bound in BOUND.findall(cost)
    }
    assert len(stated) > 5
    assert {name: bound for name, bound in stated.items() if total(pages[name]) >= bound} == {}


def test_the_table_of_what_costs_while_it_lies_around_is_right() -> None:
    """Page 18: price, by the hour, by the day."""
    rows = {
        "a KMS key": "kms-key",
        "a secret": "secret",
        "a volume (gp3), each GiB": "ebs-gp3",
        "a snapshot, each GB stored": "ebs-snapshot",
        "S3, each GB": "s3-storage",
        "an interface endpoint (`kmslab.network=true`)": "interface-endpoint",
    }
    text = (PAGES / "18-clean-up.md").read_text(encoding="utf-8")
    cells = {line.split("|")[1].strip(): [cell.strip() for cell in line.split("|")[2:5]] for line in text.splitlines() if line.startswith("| ")}  # fmt: skip
    for row, item in rows.items():
        price, hour, day = cells[row]
        found = table().prices[item]
        assert float(price.split()[0]) == found.price, row
        for written, exact in ((hour, found.each), (day, found.each * 24)):
            if written:
                decimals = len(written.partition(".")[2])
                assert written == f"{exact:.{decimals}f}", row
    keys = 11 * table().prices["kms-key"].each
    assert cells["the lab's 11 keys"] == ["", f"{keys:.3f}", f"{keys * 24:.2f}"]
