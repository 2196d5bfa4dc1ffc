"""What `kmslab verify --quick` leaves out: a check that changes a key says so, in fakes and on the real engine."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from kmslab.checks import REGISTRY
from kmslab.model.verdict import Outcome
from tests.checks.fakes import judge
from tests.checks.test_topics import CHECKS

if TYPE_CHECKING:
    from pathlib import Path

    from tests.checks.test_topics import Topic
    from tests.conftest import DeployedLab

CHANGES = frozenset(
    f"kms:{operation}"
    for operation in (
        "CancelKeyDeletion",
        "CreateKey",
        "DeleteImportedKeyMaterial",
        "DisableKey",
        "DisableKeyRotation",
        "EnableKey",
        "EnableKeyRotation",
        "ImportKeyMaterial",
        "PutKeyPolicy",
        "ReplicateKey",
        "RotateKeyOnDemand",
        "ScheduleKeyDeletion",
        "UpdateAlias",
        "UpdateKeyDescription",
        "UpdatePrimaryRegion",
    )
)


def changed(evidence: list[dict[str, Any]]) -> set[str]:
    """The changes of keys that were made, not only tried."""
    return {
        call["action"]
        for call in evidence
        if call["action"] in CHANGES and call["result"] == "ok" and call["detail"] != "dry run"
    }


@pytest.mark.parametrize(
    ("topic", "check"), [row for row in CHECKS if not REGISTRY[str(row.id)].changes_keys]
)
def test_a_quick_check_changes_no_key(topic: Topic, check: str) -> None:
    verdict = judge(check, topic.good())
    assert verdict.outcome is Outcome.PASS, verdict
    calls = [{"action": c.action, "result": c.result, "detail": c.detail} for c in verdict.evidence]
    assert changed(calls) == set()


def test_no_quick_check_changes_a_key_of_the_real_lab(deployed_lab: DeployedLab, tmp_path: Path) -> None:
    deployed_lab.kmslab("verify", "--format", "json", "--output", str(tmp_path))
    results = json.loads((tmp_path / "report.json").read_text())["results"]
    quick = {one["id"]: changed(one["evidence"]) for one in results if not REGISTRY[one["id"]].changes_keys}
    assert {check: calls for check, calls in quick.items() if calls} == {}
    assert set().union(*(changed(one["evidence"]) for one in results)) >= {"kms:CreateKey", "kms:DisableKey"}
