"""Two labs in one account and Region: neither touches the other, and a prefix can be used again at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kmslab.checks import runner
from kmslab.checks.catalogue import catalogue, topic
from kmslab.deployed import read_outputs
from kmslab.engine import control
from kmslab.engine.capabilities import CAPABILITIES
from kmslab.lab import Access
from kmslab.model.verdict import Outcome
from tests.beside import LabBeside, current_templates

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import DeployedLab

SEEING_EVERYTHING = ("inventory", "teardown")
"""Topics that look at the whole account: wholly in every part, since a second lab shows in them first."""
PREFIX = "a-lab-beside-another"
"""The longest that there may be: the names that are made of it must fit too."""


def part() -> list[str]:
    """Ids of a part of the checks that touches every topic: a quick one of each if there is one, and some wholly."""
    claimed = [check for check in reversed(catalogue()) if not check.part]
    first = {topic(check): check.id for check in sorted(claimed, key=lambda check: check.quick)}
    return [
        *(name for kind, name in sorted(first.items()) if kind not in SEEING_EVERYTHING),
        *SEEING_EVERYTHING,
    ]


def wrong(access: Access) -> dict[str, str]:
    """What of the part did not pass, and why."""
    verdicts = runner.run_all(access, read_outputs(access), CAPABILITIES, part())
    assert len(verdicts) >= len(part())
    return {c.id: f"{v.outcome}: {v.summary}" for c, v in verdicts if v.outcome is not Outcome.PASS}


@pytest.fixture
def first(deployed_lab: DeployedLab) -> Access:
    return Access(control.target(deployed_lab.home), "kms-lab")


@pytest.fixture
def second(deployed_lab: DeployedLab) -> Iterator[LabBeside]:
    lab = LabBeside(deployed_lab, PREFIX)
    yield lab
    lab.destroy()


def test_the_part_touches_every_topic_that_is_claimed() -> None:
    topics = {topic(check) for check in catalogue() if not check.part}
    assert {topic(check) for check in catalogue(part())} == topics


def test_two_labs_stand_and_fall_without_each_other(
    deployed_lab: DeployedLab, first: Access, second: LabBeside
) -> None:
    templates = current_templates(deployed_lab)
    second.deploy(templates)
    key = second.outputs().key_app
    second.destroy()
    second.deploy(
        templates
    )  # at once: the keys of the first time wait for their deletion beside the new ones
    assert second.outputs().key_app != key
    assert wrong(second.access) == {}
    assert wrong(first) == {}
    second.destroy()
    assert wrong(first) == {}
