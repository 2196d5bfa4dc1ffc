from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kmslab.deployed import read_outputs
from kmslab.model.errors import ExitCode, LabError
from kmslab.model.outputs import LabOutputs, LabStack
from tests.checks.fakes import OUTPUTS, PREFIX, REGION

if TYPE_CHECKING:
    from kmslab.deployment import Deployment
    from tests.cli.cloud import Cloud


def test_outputs_of_a_missing_stack(cloud: Cloud, lab: Deployment) -> None:
    cloud.add_all()
    del cloud.stacks[f"{PREFIX}-audit"]
    with pytest.raises(LabError) as caught:
        read_outputs(lab.access)
    assert caught.value.message == f"Stack {PREFIX}-audit is not deployed in {REGION}."
    assert caught.value.exit_code is ExitCode.TARGET


def test_outputs_of_a_half_deployed_stack(cloud: Cloud, lab: Deployment) -> None:
    cloud.add_all()
    cloud.add(f"{PREFIX}-audit", "ROLLBACK_COMPLETE")
    cloud.stacks[f"{PREFIX}-audit"]["StackStatusReason"] = "The following\nresource(s) failed"
    with pytest.raises(LabError) as caught:
        read_outputs(lab.access)
    assert caught.value.message == (
        f"Stack {PREFIX}-audit is only half deployed (ROLLBACK_COMPLETE): The following resource(s) failed"
    )
    assert caught.value.exit_code is ExitCode.DEPLOYMENT


def test_outputs_of_another_release(cloud: Cloud, lab: Deployment) -> None:
    cloud.add_all()
    cloud.stacks[f"{PREFIX}-keys"]["Outputs"] = []
    with pytest.raises(LabError, match="The deployed stacks do not export key_s3, key_ebs, ") as caught:
        read_outputs(lab.access)
    assert caught.value.exit_code is ExitCode.TARGET


def test_outputs_of_a_whole_lab(cloud: Cloud, lab: Deployment) -> None:
    cloud.add_all()
    outputs = read_outputs(lab.access)
    exported = [output for output in LabOutputs.all() if output.stack is not LabStack.NETWORK]
    assert [outputs.value_of(output) for output in exported] == [
        OUTPUTS.value_of(output) for output in exported
    ]
