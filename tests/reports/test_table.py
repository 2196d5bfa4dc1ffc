from __future__ import annotations

import io
from typing import TYPE_CHECKING

from rich.console import Console

from kmslab.model.verdict import Outcome
from kmslab.reports import table
from tests.reports.conftest import report, result

if TYPE_CHECKING:
    from kmslab.reports.report import Report


def shown(of: Report, *, width: int = 120, terminal: bool = False) -> str:
    text = io.StringIO()
    console = Console(file=text, width=width, force_terminal=terminal, no_color=True)
    table.show(of, console)
    return text.getvalue()


def test_every_check_is_one_line_under_its_topic(mixed: Report) -> None:
    lines = [" ".join(line.split()) for line in shown(mixed).splitlines()]
    assert lines[:6] == [
        "keys",
        "PASS rotation every 180 days",
        "FAIL states a disabled key still opens",
        "s3",
        "ERROR reader could not look: throttled",
        "UNPROVABLE sse-c this target does not enforce sse-c-blocking",
    ]


def test_the_counts_come_last_with_target_and_account(mixed: Report) -> None:
    assert shown(mixed).splitlines()[-1] == (
        "1 PASS, 1 FAIL, 1 ERROR, 1 UNPROVABLE of 4 checks in 3.1 s · local, account 123456789012, eu-central-1"
    )


def test_what_went_well_is_cut_to_one_line_and_what_went_wrong_is_shown_whole() -> None:
    long = "word " * 60 + "end"
    assert "end" not in shown(report(result("a.b", Outcome.PASS, long)), terminal=True)
    assert "end" in shown(report(result("a.b", Outcome.FAIL, long)), terminal=True)


def test_on_a_narrow_terminal_the_evidence_stands_under_the_check(mixed: Report) -> None:
    lines = [" ".join(line.split()) for line in shown(mixed, width=80).splitlines()]
    assert lines[:3] == ["keys", "PASS rotation", "every 180 days"]


def test_markup_in_a_summary_is_text() -> None:
    assert "[bold]x[/bold]" in shown(report(result("a.b", Outcome.PASS, "[bold]x[/bold]")))
