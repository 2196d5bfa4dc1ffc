"""Waiting until a fault counts: not at all, until it does, and no longer than the target may take."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from kmslab.checks import runner
from kmslab.commands import settling
from kmslab.commands.settling import until_it_counts
from kmslab.faults.workshop import Workshop
from kmslab.model.verdict import Outcome, Verdict
from tests.checks.fakes import OUTPUTS, FakeAccess, World

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pytest

STOPPING = "separation.the-administrator-stops-and-restarts-a-key"
HARMLESS = ("key-policies.no-key-is-public", "s3.reader-reads-what-the-owner-wrote")
CHECKS = (*HARMLESS, STOPPING)


class Late:
    """Checks whose answers turn one after the other, a second for each run of them."""

    def __init__(self, *answers: tuple[Outcome, Outcome]) -> None:
        self.answers = list(answers)
        self.now = 0.0

    def run_all(
        self, _access: Any, _outputs: Any, _able: Any, only: Sequence[str]
    ) -> list[tuple[Any, Verdict]]:
        assert sorted(only) == sorted(HARMLESS)
        found = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return [(None, Verdict(outcome, "")) for outcome in found]

    def wait(self, seconds: float) -> bool:
        self.now += seconds
        return False


def workshop(late: Late, monkeypatch: pytest.MonkeyPatch, *, seconds: float) -> Workshop:
    access = FakeAccess(World())
    access.target = replace(access.target, settle_seconds=seconds)
    monkeypatch.setattr(access.stopping, "wait", late.wait)
    monkeypatch.setattr("kmslab.commands.settling.time.monotonic", lambda: late.now)
    monkeypatch.setattr(runner, "run_all", late.run_all)
    return Workshop(access, OUTPUTS, None)


def test_it_waits_until_every_check_notices(monkeypatch: pytest.MonkeyPatch) -> None:
    ok, bad = Outcome.PASS, Outcome.FAIL
    late = Late((ok, ok), (bad, ok), (bad, bad))
    assert until_it_counts(workshop(late, monkeypatch, seconds=12.0), CHECKS, bad)
    assert late.now == 2 * settling.PAUSE_SECONDS


def test_it_gives_up_when_the_target_had_time_to_settle(monkeypatch: pytest.MonkeyPatch) -> None:
    late = Late((Outcome.FAIL, Outcome.PASS))
    assert not until_it_counts(workshop(late, monkeypatch, seconds=5.0), CHECKS, Outcome.PASS)
    assert late.now == 5.0


def test_where_changes_count_at_once_nothing_is_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "run_all", None)
    assert until_it_counts(Workshop(FakeAccess(World()), OUTPUTS, None), CHECKS, Outcome.FAIL)


def test_a_check_that_stops_a_key_is_left_to_the_verification(monkeypatch: pytest.MonkeyPatch) -> None:
    late = Late((Outcome.FAIL, Outcome.FAIL))
    lab = workshop(late, monkeypatch, seconds=12.0)
    monkeypatch.setattr(runner, "run_all", None)
    assert not until_it_counts(lab, {STOPPING}, Outcome.FAIL)
    assert late.now == 0.0
