"""A lab under a boundary is deployed only through a bootstrap that has the boundary as well."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kmslab.model.errors import ExitCode, LabError

if TYPE_CHECKING:
    from collections.abc import Mapping

TOOLKIT_STACK = "CDKToolkit"
"""The standard bootstrap's stack."""
PARAMETER = "InputPermissionsBoundary"
"""What ``cdk bootstrap --custom-permissions-boundary`` gives to the bootstrap's stack."""


def boundary_of(stack: Mapping[str, Any] | None) -> str:
    """Return the name of the boundary that the bootstrap gave to CloudFormation's role; empty: none."""
    parameters = (stack or {}).get("Parameters", ())
    return str({one["ParameterKey"]: one.get("ParameterValue", "") for one in parameters}.get(PARAMETER, ""))


def require_boundary(stack: Mapping[str, Any] | None, boundary: str, environment: str) -> None:
    """Refuse a bootstrap whose role would be above the boundary that the settings name.

    The standard bootstrap gives CloudFormation's role administrator access. Whoever asks for a boundary must not
    get that by accident, nor make the boundary: it is made by who may, before.

    Args:
        stack: the bootstrap's, as DescribeStacks tells it; None: there is none.
        boundary: of the settings; empty: any bootstrap will do.
        environment: ``aws://<account>/<region>``.

    Raises:
        LabError: there is no bootstrap yet, or one with another boundary or none.
    """
    if not boundary:
        return
    found = boundary_of(stack)
    if stack is None or found != boundary:
        has = "is not bootstrapped" if stack is None else f"is bootstrapped with {found or 'no boundary'}"
        raise LabError(
            f"{environment} {has}, but kmslab.permissions_boundary is {boundary}.",
            hint="Let the account's administrator run the two commands of docs/least-privilege.md.",
            exit_code=ExitCode.DEPLOYMENT,
        )
