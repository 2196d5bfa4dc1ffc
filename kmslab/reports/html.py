"""The report for people: one HTML page that holds everything it shows and loads nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kmslab.model.verdict import Outcome

if TYPE_CHECKING:
    from kmslab.reports.report import Report

MEANINGS = {
    Outcome.PASS: "Observed, and as claimed",
    Outcome.FAIL: "Observed, and not as claimed",
    Outcome.ERROR: "Could not be observed",
    Outcome.UNPROVABLE: "This target does not enforce what the check needs",
}
"""What a reader is told about each verdict."""


def render(report: Report) -> str:
    """Return the page. Everything from a report is escaped; the page forbids itself to load anything."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("kmslab.reports", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html.j2").render(report=report, meanings=MEANINGS)
