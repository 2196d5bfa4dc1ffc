from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from kmslab.model.verdict import Outcome
from kmslab.reports.mapping import by_demand, worst
from tests.reports.conftest import report, result

if TYPE_CHECKING:
    from kmslab.reports.report import Report

ROTATION = "KMS rotates the keys that it can rotate"


def test_a_demand_has_the_checks_that_name_one_of_its_controls(mixed: Report) -> None:
    found = {demand.what: demand for demand in by_demand(mixed)}
    assert [control.id for control in found[ROTATION].controls] == ["KMS.4"]
    assert [one.id for one in found[ROTATION].results] == [one.id for one in mixed.results]
    assert found["No key policy is public"].results == ()
    assert found["No key policy is public"].outcome is None


def test_the_worst_verdict_counts() -> None:
    order = [Outcome.PASS, Outcome.UNPROVABLE, Outcome.ERROR, Outcome.FAIL]
    for number, outcome in enumerate(order):
        assert worst([result(f"a.{one}", one) for one in order[: number + 1]]) is outcome
    assert worst([]) is None


def test_what_the_lab_does_not_evidence_is_there_with_its_reason() -> None:
    only = replace(result("a.b", Outcome.PASS), controls=("S3.9",))
    logged = next(
        demand for demand in by_demand(report(only)) if demand.what == "Access to buckets is logged"
    )
    assert [control.id for control in logged.controls] == ["S3.9"]
    assert "CloudTrail.7" in [control.id for control in logged.left]
    assert all(control.not_evidenced for control in logged.left)
