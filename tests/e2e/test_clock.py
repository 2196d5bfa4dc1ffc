"""A wrong clock against a target that verifies signatures: one line says so, and no verdict is wrong.

The engine is taken for AWS here, which nothing that a user can type does: an engine on one's own machine has one's
own clock. botocore's clock is the one that is moved.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import timedelta
from io import StringIO
from typing import TYPE_CHECKING, Any

import pytest
from botocore import auth
from rich.console import Console

from kmslab.checks import runner
from kmslab.commands import doctor, lab, verify
from kmslab.deployed import read_outputs
from kmslab.engine import control
from kmslab.engine.capabilities import CAPABILITIES
from kmslab.lab import Access
from kmslab.model.errors import ExitCode, LabError
from kmslab.model.target import Target, TargetKind
from kmslab.model.verdict import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from kmslab.model.verdict import Verdict
    from tests.conftest import DeployedLab

Shift = dict[str, float]
WRONG = "The clock of this machine is wrong"
TOPICS = ["mac", "objects", "volumes"]
"""KMS says it in the message of a wrong signature, S3 in a code of its own, EC2 not at all."""


@pytest.fixture
def shift(monkeypatch: pytest.MonkeyPatch) -> Shift:
    """How many minutes botocore's clock is ahead; a test changes it."""
    now: Callable[..., Any] = vars(auth)["get_current_datetime"]
    moved: Shift = {"minutes": 0}
    monkeypatch.setattr(auth, "get_current_datetime", lambda *_, **__: now() + timedelta(**moved))
    return moved


@pytest.fixture
def aws(deployed_lab: DeployedLab, monkeypatch: pytest.MonkeyPatch) -> Target:
    """The lab on the engine, for every command that is asked for AWS."""
    monkeypatch.setenv("KMSLAB_HOME", str(deployed_lab.home))
    target = replace(control.target(deployed_lab.home), kind=TargetKind.AWS)
    for command in (doctor, lab, verify):
        monkeypatch.setattr(command, "choose_target", lambda *_: target)
    return target


def verified(folder: Path) -> ExitCode:
    return verify.run(TargetKind.AWS, "", [], ["mac"], frozenset(), folder, quick=False, deadline=60)


@pytest.mark.parametrize("minutes", [20, -20])
@pytest.mark.usefixtures("aws")
def test_up_and_verify_say_it_in_one_line(shift: Shift, tmp_path: Path, minutes: int) -> None:
    shift["minutes"] = minutes
    for command in (lambda: verified(tmp_path), lambda: lab.up(TargetKind.AWS, [], port=0)):
        with pytest.raises(LabError, match=WRONG) as caught:
            command()
        assert (caught.value.hint, caught.value.exit_code) == (
            "Set the clock, then repeat the command.",
            ExitCode.TARGET,
        )


@pytest.mark.usefixtures("aws")
def test_doctor_says_it_and_looks_no_further(shift: Shift, monkeypatch: pytest.MonkeyPatch) -> None:
    printed = StringIO()
    monkeypatch.setattr(doctor, "out", Console(file=printed, width=400))
    shift["minutes"] = -20
    assert doctor.run(TargetKind.AWS, []) is ExitCode.TARGET
    assert WRONG in printed.getvalue()
    assert "Sandbox" not in printed.getvalue()


def test_a_clock_that_only_some_services_take(
    aws: Target, shift: Shift, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """STS takes a quarter of an hour, CloudFormation five minutes."""
    monkeypatch.setattr(verify, "require_sandbox", lambda *_: None)
    shift["minutes"] = 8
    with pytest.raises(LabError, match=WRONG):
        verified(tmp_path)


def test_a_clock_that_jumps_in_the_middle_makes_no_verdict_wrong(
    aws: Target, shift: Shift, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    access = Access(aws, "kms-lab")
    monkeypatch.setattr("kmslab.lab.SETTLE_SECONDS", dict.fromkeys(TargetKind, 0.0))
    outputs = read_outputs(access)

    def jump(_: object, verdict: Verdict) -> None:
        shift["minutes"] = -8

    found = runner.run_all(access, outputs, CAPABILITIES, TOPICS, jump, workers=4)
    shift["minutes"] = 0
    counted = Counter(verdict.outcome for _, verdict in found)
    assert counted[Outcome.FAIL] == 0, [one for one in found if one[1].outcome is Outcome.FAIL]
    assert counted[Outcome.ERROR] > len(found) / 2
    verify._tell_what_gave_out(found)
    assert WRONG in capsys.readouterr().err
    # What could not be removed meanwhile goes with the next run.
    after = runner.run_all(access, outputs, CAPABILITIES, ["mac"], quick=True)
    assert {verdict.outcome for _, verdict in after} == {Outcome.PASS}
