"""What is not deployed is not claimed (decision 0022)."""

from __future__ import annotations

import pytest

from kmslab.checks import REGISTRY, runner
from kmslab.checks.registry import Check
from kmslab.model.errors import LabError
from kmslab.model.outputs import LabOutputs
from tests.checks.fakes import OUTPUTS

NETWORK = Check("network.a", "a", "", "", lambda _: "seen", part="kms_endpoint")
ALWAYS = Check("s3.a", "a", "", "", lambda _: "seen")
OPTIONAL = {one.name for one in LabOutputs.all() if one.optional}
WITHOUT = LabOutputs(
    {one.name: OUTPUTS.value_of(one) for one in LabOutputs.all() if one.name not in OPTIONAL}
)


def test_a_part_that_is_deployed_is_judged() -> None:
    assert runner.claimed([NETWORK, ALWAYS], OUTPUTS) == [NETWORK, ALWAYS]


def test_a_part_that_is_not_deployed_is_left_out() -> None:
    assert runner.claimed([NETWORK, ALWAYS], WITHOUT) == [ALWAYS]


def test_asking_only_for_what_is_not_deployed_is_a_mistake() -> None:
    with pytest.raises(LabError, match="without what these checks are about: network") as raised:
        runner.claimed([NETWORK], WITHOUT)
    assert raised.value.hint == "deploy it with -c kmslab.network=true"


def test_every_part_is_an_optional_output() -> None:
    parts = {check.part for check in REGISTRY.values() if check.part}
    assert parts <= OPTIONAL
    assert parts


def test_every_check_of_the_network_names_its_part() -> None:
    assert all(check.part for name, check in REGISTRY.items() if name.startswith("network."))
