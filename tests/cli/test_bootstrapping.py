from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from kmslab.bootstrapping import require_boundary
from kmslab.model.errors import ExitCode, LabError
from tests.checks.fakes import PREFIX

if TYPE_CHECKING:
    from kmslab.deployment import Deployment
    from kmslab.project import Project
    from tests.cli.cloud import Cloud

ENVIRONMENT = "aws://111122223333/eu-central-1"


def toolkit(boundary: str) -> dict[str, Any]:
    return {
        "StackName": "CDKToolkit",
        "StackStatus": "CREATE_COMPLETE",
        "Parameters": [
            {"ParameterKey": "Qualifier", "ParameterValue": "hnb659fds"},
            {"ParameterKey": "InputPermissionsBoundary", "ParameterValue": boundary},
        ],
    }


@pytest.mark.parametrize("stack", [None, toolkit(""), toolkit("kms-lab-boundary")])
def test_without_the_setting_any_bootstrap_will_do(stack: dict[str, Any] | None) -> None:
    require_boundary(stack, "", ENVIRONMENT)


def test_a_bootstrap_with_the_boundary_will_do() -> None:
    require_boundary(toolkit("kms-lab-boundary"), "kms-lab-boundary", ENVIRONMENT)


@pytest.mark.parametrize(
    ("stack", "says"),
    [
        (None, "is not bootstrapped"),
        (toolkit(""), "is bootstrapped with no boundary"),
        ({"StackName": "CDKToolkit"}, "is bootstrapped with no boundary"),
        (toolkit("another"), "is bootstrapped with another"),
    ],
)
def test_another_bootstrap_is_refused(stack: dict[str, Any] | None, says: str) -> None:
    with pytest.raises(LabError) as caught:
        require_boundary(stack, "kms-lab-boundary", ENVIRONMENT)
    assert str(caught.value) == f"{ENVIRONMENT} {says}, but kmslab.permissions_boundary is kms-lab-boundary."
    assert "docs/least-privilege.md" in caught.value.hint
    assert caught.value.exit_code is ExitCode.DEPLOYMENT


def test_up_bootstraps_nobody_above_the_boundary(project: Project, cloud: Cloud, lab: Deployment) -> None:
    bounded = type(lab)(
        lab.project,
        lab.access,
        {"kmslab.prefix": PREFIX, "kmslab.permissions_boundary": "kms-lab-boundary"},
        lab.progress,
    )
    with pytest.raises(LabError, match="is not bootstrapped"):
        bounded.up()
    assert {"bootstrap", "deploy"}.isdisjoint(command[0] for command in cloud.commands)
