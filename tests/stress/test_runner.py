"""A bad day between the verifier and its target: verdicts stay, or become ERROR; they are never wrong."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from kmslab import sessions
from kmslab.checks import runner
from kmslab.checks.sweep import sweep
from kmslab.deployed import read_outputs
from kmslab.engine import control
from kmslab.engine.capabilities import CAPABILITIES
from kmslab.lab import Access
from kmslab.model.verdict import Outcome
from tests.stress.proxy import Trouble, spoiled

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kmslab.model.outputs import LabOutputs
    from kmslab.model.target import Target
    from tests.conftest import DeployedLab

ATTEMPT_SECONDS = 1
"""What an attempt may take here: a timeout costs the test no more than this."""


@dataclass(frozen=True, slots=True)
class Healthy:
    """The deployed lab, undisturbed."""

    target: Target
    outputs: LabOutputs

    def outcomes(self, target: Target, only: Sequence[str] = (), **named: float) -> dict[str, Outcome]:
        """Run the checks through another way to the same lab."""
        verdicts = runner.run_all(Access(target, "kms-lab"), self.outputs, CAPABILITIES, only, **named)  # type: ignore[arg-type]  # one keyword, a number
        return {check.id: verdict.outcome for check, verdict in verdicts}


@pytest.fixture(scope="module")
def healthy(deployed_lab: DeployedLab) -> Healthy:
    target = control.target(deployed_lab.home)
    return Healthy(target, read_outputs(Access(target, "kms-lab")))


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "READ_SECONDS", ATTEMPT_SECONDS)


def wrong(outcomes: dict[str, Outcome]) -> dict[str, Outcome]:
    """What a healthy lab must not be said to be."""
    return {name: found for name, found in outcomes.items() if found not in (Outcome.PASS, Outcome.ERROR)}


def nothing_stays(healthy: Healthy) -> None:
    """After one more sweep, which has the last run's leftovers to remove, there is nothing to sweep."""
    access = Access(healthy.target, "kms-lab")
    assert sweep(access, healthy.outputs).problems == []
    assert sweep(access, healthy.outputs).removed == []


@pytest.mark.parametrize(
    "share", [0.1, *(pytest.param(share, marks=pytest.mark.nightly) for share in (0.01, 0.3))]
)
def test_a_bad_day_makes_no_verdict_wrong(healthy: Healthy, share: float) -> None:
    with spoiled(healthy.target, share, *Trouble) as bad:
        outcomes = healthy.outcomes(bad.target)
        assert bad.count() > 0
    assert wrong(outcomes) == {}
    nothing_stays(healthy)


@pytest.mark.parametrize("trouble", list(Trouble))
def test_no_kind_of_trouble_makes_a_verdict_wrong(healthy: Healthy, trouble: Trouble) -> None:
    topics = ("direct", "grants", "s3.all", "ebs.copy", "secrets", "separation")
    with spoiled(healthy.target, 0.1, trouble) as bad:
        outcomes = healthy.outcomes(bad.target, topics)
        assert bad.count() > 0
    assert wrong(outcomes) == {}
    nothing_stays(healthy)


@pytest.mark.parametrize("trouble", [Trouble.THROTTLED, Trouble.SERVER_ERROR, Trouble.RESET])
def test_what_passes_is_not_given_up_too_soon(healthy: Healthy, trouble: Trouble) -> None:
    with spoiled(healthy.target, 0.1, trouble) as bad:
        outcomes = healthy.outcomes(bad.target, ("key-policies", "keys.every-key", "s3.policies"))
        assert bad.count() > 0
    assert set(outcomes.values()) == {Outcome.PASS}


@pytest.mark.parametrize("trouble", [Trouble.THROTTLED, Trouble.EXPIRED, Trouble.RESET, Trouble.SERVER_ERROR])
def test_when_nothing_gets_through_nothing_is_claimed(
    healthy: Healthy, trouble: Trouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "ATTEMPTS", 2)
    with spoiled(healthy.target, 1.0, trouble) as bad:
        outcomes = healthy.outcomes(
            bad.target, ("direct.others-cannot-decrypt", "key-policies.no-key-is-public")
        )
    assert set(outcomes.values()) == {Outcome.ERROR}


def test_a_deadline_holds_when_nobody_answers(healthy: Healthy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "GRACE_SECONDS", 1.0)
    began = time.monotonic()
    with spoiled(healthy.target, 1.0, Trouble.TIMEOUT) as bad:
        outcomes = healthy.outcomes(bad.target, deadline_seconds=2.0)
    assert set(outcomes.values()) == {Outcome.ERROR}
    longest_delay = sessions.FIRST_DELAY_SECONDS * sessions.GROWTH ** (sessions.ATTEMPTS - 2)
    assert time.monotonic() - began < 2.0 + 1.0 + ATTEMPT_SECONDS + longest_delay


def test_the_proxy_counts_only_what_it_spoils(healthy: Healthy) -> None:
    with spoiled(healthy.target, 0.0, *Trouble) as good:
        assert set(healthy.outcomes(good.target, ("direct",)).values()) == {Outcome.PASS}
        assert good.count() == 0
