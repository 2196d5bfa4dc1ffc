"""On the deployed lab: the verifier notices faults, nothing but the faults, and their repair.

Every tenth fault here; all of them with KMSLAB_FAULTS=all, as ``make nightly`` has it.
"""

from __future__ import annotations

import os
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

EVERY = 1 if os.environ.get("KMSLAB_FAULTS") == "all" else 10
TRIED = sorted(REGISTRY)[::EVERY]


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
