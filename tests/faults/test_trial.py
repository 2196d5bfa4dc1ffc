"""On the deployed lab: the verifier notices faults, nothing but the faults, and their repair.

Every tenth fault of those that need no optional part of the lab, in the order of their names; ``make nightly`` tries all of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kmslab.deployed import read_outputs
from kmslab.engine import control
from kmslab.engine.capabilities import CAPABILITIES
from kmslab.faults import REGISTRY
from kmslab.faults.workshop import Workshop
from kmslab.lab import Access
from kmslab.project import Project
from kmslab.targets import owner_access
from kmslab.trial import Score, score

if TYPE_CHECKING:
    from tests.conftest import DeployedLab

TRIED = sorted(fault.id for fault in REGISTRY.values() if not fault.part)[::10]


@pytest.fixture(scope="module")
def result(deployed_lab: DeployedLab) -> Score:
    access = Access(control.target(deployed_lab.home), "kms-lab")
    owner = owner_access(Project(deployed_lab.root, deployed_lab.home), access)
    workshop = Workshop(access, read_outputs(access), owner)
    return score([REGISTRY[one] for one in TRIED], workshop, CAPABILITIES)


@pytest.mark.parametrize("fault", TRIED)
def test_a_fault_is_noticed_by_its_checks_and_by_no_others_until_it_is_repaired(
    result: Score, fault: str
) -> None:
    (trial,) = [trial for trial in result.trials if trial.fault.id == fault]
    assert (trial.error, trial.missed, trial.strangers, trial.unrepaired) == ("", {}, {}, {})


def test_nothing_is_red_in_the_end(result: Score) -> None:
    assert result.left == {}
