"""The three tests that every topic in the fake lab shares: PASS, FAIL and ERROR of each check."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kmslab.checks.temporary import LEAVING
from kmslab.model.verdict import Outcome
from tests.checks.fakes import judge
from tests.checks.lab_world import good_lab
from tests.checks.table import break_and_judge

if TYPE_CHECKING:
    from tests.checks.table import Broken


def passes(check: str) -> None:
    """The check passes in a good lab, shows its calls, and leaves nothing but shared keys behind."""
    world = good_lab()
    before = set(world.kms.keys)
    verdict = judge(check, world)
    assert verdict.outcome is Outcome.PASS, verdict.summary
    assert verdict.evidence
    assert "\n" not in verdict.summary
    left = [key for arn, key in world.kms.keys.items() if arn not in before and key.state not in LEAVING]
    assert all("share it" in key.description for key in left)
    assert not world.kms.grants
    assert not world.objects
    assert {world.kms.keys[arn].state for arn in before} <= {"Enabled", "PendingImport"}
    assert not any(tag["TagKey"] == "kmslab:stopped" for arn in before for tag in world.kms.keys[arn].tags)


def fails(row: Broken) -> None:
    """The check notices what the row breaks, and says so."""
    verdict = break_and_judge(row, good_lab())
    assert (verdict.outcome, row.says in verdict.summary) == (row.outcome, True), verdict


def is_unable_to_look(check: str) -> None:
    """Nothing answers: that is neither a PASS nor a FAIL."""
    world = good_lab()
    world.unreachable()
    verdict = judge(check, world)
    assert verdict.outcome is Outcome.ERROR, verdict
