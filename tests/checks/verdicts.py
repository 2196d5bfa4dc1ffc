"""What a check that passes in the fake lab shows, and what it leaves there."""

from __future__ import annotations

from kmslab.checks.temporary import LEAVING
from kmslab.model.verdict import Outcome
from tests.checks.fakes import judge
from tests.checks.lab_world import good_lab


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
