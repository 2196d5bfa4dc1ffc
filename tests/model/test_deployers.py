"""Who counts as CloudFormation."""

from __future__ import annotations

import pytest

from kmslab.model.deployers import EXECUTION_ROLE, SELF_MANAGED_ROLE, SERVICE_MANAGED_ROLE


@pytest.mark.parametrize(
    "name",
    [
        "cdk-hnb659fds-cfn-exec-role-111122223333-eu-central-1",
        SELF_MANAGED_ROLE,
        SERVICE_MANAGED_ROLE,
        "stacksets-exec-0a1b2c3d4e5f",
    ],
)
def test_cloudformations_roles_are_known(name: str) -> None:
    assert EXECUTION_ROLE.fullmatch(f"arn:aws:iam::111122223333:role/{name}")


@pytest.mark.parametrize(
    "name",
    [
        "cdk-hnb659fds-deploy-role-111122223333-eu-central-1",
        f"{SELF_MANAGED_ROLE}s",
        f"my-{SELF_MANAGED_ROLE}",
        "stacksets-exec-",
        "stacksets-exec",
        "team/stacksets-exec-0a1b2c3d4e5f",
        "*",
    ],
)
def test_others_are_not(name: str) -> None:
    assert not EXECUTION_ROLE.fullmatch(f"arn:aws:iam::111122223333:role/{name}")
