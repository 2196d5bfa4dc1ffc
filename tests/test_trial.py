"""What a trial concludes, with a verifier that says what it is told to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from kmslab import trial as module
from kmslab.checks import REGISTRY as CHECKS
from kmslab.checks.catalogue import catalogue
from kmslab.faults.ledger import Ledger, break_lab
from kmslab.faults.workshop import Workshop
from kmslab.model.errors import LabError
from kmslab.model.verdict import Outcome, Verdict
from kmslab.trial import Score, Trial, score
from tests.checks.fakes import OUTPUTS, FakeAccess, World
from tests.faults.fakes import Setting, a_fault, parameter_store

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from kmslab.faults import Fault
    from kmslab.lab import Access

NOTICES, RELATED, OTHER = "s3.copy-encrypts-anew", "mac.code-is-repeatable", "keys.every-key-is-tagged"


class Court:
    """A lab of one setting, and a verifier whose checks look at it as a test says."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.lab: dict[str, Any] = {"encryption": "good"}
        self.parameters: dict[str, str] = {}
        self.roles: list[dict[str, Any]] = []
        self.change = Setting(self.lab, "encryption", "bad")
        self.says: dict[str, Callable[[], Outcome]] = {}
        self.looks: list[tuple[Any, tuple[str, ...]]] = []
        self.registry: dict[str, Fault] = {}
        world = parameter_store(World(), self.parameters)
        world.answers("iam:ListRoles", lambda _: {"Roles": self.roles})
        self.workshop = Workshop(FakeAccess(world), OUTPUTS)
        monkeypatch.setattr(module, "run_all", self._run_all)
        monkeypatch.setattr(module, "Access", lambda *_: FakeAccess(world))
        monkeypatch.setattr("kmslab.faults.ledger.REGISTRY", self.registry)

    def when_bad(self, check: str, outcome: Outcome = Outcome.FAIL) -> None:
        """Let a check answer so while the setting is bad."""
        self.says[check] = lambda: outcome if self.lab["encryption"] == "bad" else Outcome.PASS

    def always(self, check: str, outcome: Outcome) -> None:
        self.says[check] = lambda: outcome

    def fault(self, **other: Any) -> Fault:
        given = {"noticed_by": (NOTICES,), "also": (), **other}
        fault = a_fault(f"fault-{len(self.registry)}", self.change, **given)
        self.registry[fault.id] = fault
        return fault

    def try_one(self, **other: Any) -> Trial:
        (trial,) = self.score(self.fault(**other)).trials
        return trial

    def score(self, *faults: Fault) -> Score:
        return score(faults, self.workshop, frozenset())

    def _run_all(
        self, access: Access, outputs: Any, capabilities: Any, only: Sequence[str] = ()
    ) -> list[tuple[Any, Verdict]]:
        assert outputs is OUTPUTS
        del capabilities
        self.looks.append((access, tuple(only)))
        verdicts = {check.id: self.says.get(check.id, lambda: Outcome.PASS)() for check in catalogue(only)}
        return [(CHECKS[one], Verdict(outcome, "seen")) for one, outcome in verdicts.items()]


@pytest.fixture
def court(monkeypatch: pytest.MonkeyPatch) -> Court:
    return Court(monkeypatch)


def test_a_fault_that_its_checks_notice_passes(court: Court) -> None:
    court.when_bad(NOTICES)
    told: list[Trial] = []
    result = score([court.fault()], court.workshop, frozenset(), told.append)
    assert result.perfect
    assert list(result.trials) == told
    assert [only for _, only in court.looks] == [(), (), (NOTICES,), ()]
    assert court.lab["encryption"] == "good"
    assert court.parameters == {}


@pytest.mark.parametrize("outcome", [Outcome.PASS, Outcome.ERROR, Outcome.UNPROVABLE])
def test_what_does_not_answer_fail_has_missed_it(court: Court, outcome: Outcome) -> None:
    """An ERROR says that nobody could look; that is not noticing."""
    court.when_bad(NOTICES, outcome)
    trial = court.try_one(noticed_by=(NOTICES, RELATED))
    assert trial.missed == {NOTICES: f"{outcome}: seen", RELATED: "PASS: seen"}
    assert trial.strangers == {}
    assert not trial.passed


@pytest.mark.parametrize("outcome", [Outcome.FAIL, Outcome.ERROR])
@pytest.mark.parametrize("also", [(), ("keys",), (RELATED,), ("mac",), ("mac.",), ("05-s3", "mac.code")])
def test_what_the_fault_does_not_affect_stays_green(
    court: Court, outcome: Outcome, also: tuple[str, ...]
) -> None:
    court.when_bad(NOTICES)
    court.when_bad(RELATED, outcome)
    trial = court.try_one(also=also)
    excused = any(word.startswith("mac") for word in also)
    assert trial.strangers == ({} if excused else {RELATED: f"{outcome}: seen"})
    assert trial.passed is excused
    assert trial.missed == {}


def test_what_is_unprovable_here_is_no_stranger(court: Court) -> None:
    court.when_bad(NOTICES)
    court.always(OTHER, Outcome.UNPROVABLE)
    assert court.score(court.fault()).perfect


def test_what_is_red_after_the_repair_is_named_and_left(court: Court) -> None:
    court.always(NOTICES, Outcome.FAIL)
    court.says[NOTICES] = lambda: Outcome.FAIL if len(court.looks) > 1 else Outcome.PASS
    result = court.score(court.fault())
    (trial,) = result.trials
    assert trial.unrepaired == {NOTICES: "FAIL: seen"}
    assert result.left == {NOTICES: "FAIL: seen"}
    assert not trial.passed
    assert not result.perfect


def test_what_was_red_before_is_no_stranger_but_is_left(court: Court) -> None:
    court.when_bad(NOTICES)
    court.always(OTHER, Outcome.FAIL)
    result = court.score(court.fault())
    (trial,) = result.trials
    assert trial.passed
    assert result.left == {OTHER: "FAIL: seen"}
    assert not result.perfect


def test_a_fault_that_cannot_be_made_is_told_and_the_others_go_on(court: Court) -> None:
    court.when_bad(NOTICES)
    first, second = court.fault(), court.fault()

    def refuse_once() -> None:
        court.change.on_apply = lambda: None
        raise LabError("not today")

    court.change.on_apply = refuse_once
    result = court.score(first, second)
    assert [(trial.error, trial.passed) for trial in result.trials] == [("not today", False), ("", True)]


def test_sessions_are_used_again_until_somebodys_trust_changes(court: Court) -> None:
    court.when_bad(NOTICES)
    court.score(court.fault(), court.fault())
    assert len({id(access) for access, _ in court.looks}) == 1
    court.looks.clear()

    def trust() -> None:
        court.roles = [
            {
                "Path": "/",
                "RoleName": "signer",
                "RoleId": "AROA",
                "Arn": "arn:aws:iam::1:role/signer",
                "CreateDate": "2026-11-22",
                "AssumeRolePolicyDocument": "{}",
            }
        ]

    def distrust() -> None:
        court.roles = []

    court.change.on_apply, court.change.on_restore = trust, distrust
    court.score(court.fault())
    before, broken, repaired, after = (access for access, _ in court.looks)
    assert broken is not before
    assert repaired is after is before


def test_a_lab_with_a_fault_in_place_is_not_tried(court: Court) -> None:
    fault = court.fault()
    break_lab(court.workshop, Ledger(court.workshop.access), fault)
    with pytest.raises(LabError, match="Faults are in place already"):
        court.score(fault)
    assert court.looks == []


def test_an_interrupted_trial_repairs_what_it_broke(court: Court) -> None:
    def interrupt() -> Outcome:
        if court.lab["encryption"] == "bad":
            raise KeyboardInterrupt
        return Outcome.PASS

    court.says[NOTICES] = interrupt
    with pytest.raises(KeyboardInterrupt):
        court.score(court.fault())
    assert court.lab["encryption"] == "good"
    assert court.parameters == {}
