from __future__ import annotations

from typing import TYPE_CHECKING

from kmslab.model.verdict import Outcome
from tests.reports.conftest import report, result

if TYPE_CHECKING:
    from kmslab.reports.report import Report


def test_counts_name_every_outcome(mixed: Report) -> None:
    assert mixed.counts == {Outcome.PASS: 1, Outcome.FAIL: 1, Outcome.ERROR: 1, Outcome.UNPROVABLE: 1}
    assert report(result("a.b", Outcome.PASS)).counts == {
        Outcome.PASS: 1,
        Outcome.FAIL: 0,
        Outcome.ERROR: 0,
        Outcome.UNPROVABLE: 0,
    }


def test_fail_and_error_fail_the_run_but_unprovable_does_not() -> None:
    proven = result("a.pass", Outcome.PASS)
    assert not report(proven, result("a.b", Outcome.UNPROVABLE)).failed
    assert report(proven, result("a.b", Outcome.FAIL)).failed
    assert report(proven, result("a.b", Outcome.ERROR)).failed


def test_a_run_without_checks_has_proven_nothing() -> None:
    assert report().failed


def test_topics_keep_the_order_of_the_run(mixed: Report) -> None:
    assert [(topic, [one.id for one in results]) for topic, results in mixed.topics.items()] == [
        ("keys", ["keys.rotation", "keys.states"]),
        ("s3", ["s3.reader", "s3.sse-c"]),
    ]
