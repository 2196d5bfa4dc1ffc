"""What the class is told of a seat's topics while they are verified."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kmslab.checks import runner
from kmslab.classroom.events import read
from kmslab.classroom.verifying import _Topics
from kmslab.model.verdict import Outcome, Verdict

if TYPE_CHECKING:
    from pathlib import Path


def test_a_topic_is_told_once_its_last_check_has_ended_with_all_that_is_not_well(tmp_path: Path) -> None:
    checks = runner.catalogue(["keys"])
    topics = _Topics(tmp_path, "seat-01", [*checks, *runner.catalogue(["mac"])])
    wrong = {checks[0].id: Outcome.FAIL, checks[1].id: Outcome.ERROR, checks[2].id: Outcome.UNPROVABLE}
    for check in checks:
        assert read(tmp_path, 0)[0] == []
        topics.told(check, Verdict(wrong.get(check.id, Outcome.PASS), "seen"))
    (told,) = read(tmp_path, 0)[0]
    assert (told["seat"], told["kind"], told["topic"]) == ("seat-01", "verify.topic", "keys")
    assert told["failed"] == sorted([checks[0].id, checks[1].id])
    assert told["verdicts"] == {"PASS": len(checks) - 3, "FAIL": 1, "ERROR": 1, "UNPROVABLE": 1}
