"""The report for people: one HTML page that holds everything it shows and loads nothing."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from kmslab.model.capability import Capability
from kmslab.model.verdict import Outcome
from kmslab.reports import access, mapping, picture

if TYPE_CHECKING:
    from kmslab.reports.report import Report, Result

MEANINGS = {
    Outcome.PASS: "Observed, and as claimed",
    Outcome.FAIL: "Observed, and not as claimed",
    Outcome.ERROR: "Could not be observed",
    Outcome.UNPROVABLE: "This target does not have or enforce what the check needs",
}
"""What a reader is told about each verdict."""

TARGETS = {
    "aws": ("AWS", "AWS itself answered every call."),
    "local": (
        "Local engine",
        "KMS Lab's own engine on this machine answered every call: it is not AWS. A PASS says that the lab's policies "
        "and settings do what they claim under the rules that AWS documents, as the engine follows them. That "
        "AWS does the same is shown by verifying the lab in an account: kmslab verify --target aws.",
    ),
    "endpoint": (
        "Endpoint",
        "An emulator answered every call: it is not AWS. What it enforces was tried out before the checks ran.",
    ),
}
"""What a target is called, and what a verdict on it is worth."""

INDENTATION = re.compile(r"^[ \t]+", re.MULTILINE)
"""Of the templates; a browser shows none of it, and it would be a tenth of the file."""

SLOWEST = 10
"""Checks that the section about times names."""


def render(report: Report) -> str:
    """Return the page. Everything from a report is escaped; the page forbids itself to load anything."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("kmslab.reports", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    name, worth = TARGETS[report.target]
    page = environment.get_template("report.html.j2").render(
        report=report,
        meanings=MEANINGS,
        target_name=name,
        target_worth=worth,
        capabilities=sorted(Capability),
        matrix_rows=access.rows(report.matrix) if report.matrix else [],
        legend=access.LEGEND,
        demands=mapping.by_demand(report),
        picture=picture.draw(report.inventory) if report.inventory else None,
        rotation=picture.rotation,
        owner=picture.owner,
        worst=mapping.worst,
        slowest=sorted(report.results, key=_seconds, reverse=True)[:SLOWEST],
        unread=[*report.unread, *(report.inventory.unread if report.inventory else ())],
    )
    return INDENTATION.sub("", page)


def _seconds(result: Result) -> float:
    return result.verdict.seconds
