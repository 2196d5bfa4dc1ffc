"""Whether account and Region are bootstrapped for the CDK, and recently enough."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kmslab.account import refusals
from kmslab.bootstrapping import TOOLKIT_STACK, boundary_of, require_boundary
from kmslab.model.errors import ExitCode, LabError
from kmslab.model.finding import fine, refused, unseen, wrong
from kmslab.model.persona import Persona

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kmslab.lab import Access
    from kmslab.model.finding import Finding
    from kmslab.model.settings import LabSettings

QUALIFIER = "hnb659fds"
"""Of the standard bootstrap (aws-cdk-lib, ``DefaultStackSynthesizer.DEFAULT_QUALIFIER``; a test compares)."""
PARAMETER = f"/cdk-bootstrap/{QUALIFIER}/version"
"""The parameter of Parameter Store in which a bootstrap keeps its version, and where every template looks."""
NEEDED_VERSION = 6
"""The least that the templates' rule ``CheckBootstrapVersion`` lets pass (a test compares)."""
USABLE = frozenset({"CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE"})
"""States in which its roles and bucket are there."""

_WHAT = "CDK bootstrap"


def execution_role(access: Access) -> str:
    """ARN of the role as which CloudFormation acts."""
    name = f"cdk-{QUALIFIER}-cfn-exec-role-{access.account}-{access.target.region}"
    return f"arn:{access.partition}:iam::{access.account}:role/{name}"


def stack(access: Access) -> Mapping[str, Any] | None:
    """Return the bootstrap's stack as DescribeStacks tells it; None: there is none. Asks once.

    Raises:
        ClientError, BotoCoreError: it could not be looked at.
    """
    from botocore.exceptions import ClientError

    def look() -> Mapping[str, Any] | None:
        cloudformation = access.client(Persona.OPERATOR, "cloudformation")
        try:
            found: Mapping[str, Any] = cloudformation.describe_stacks(StackName=TOOLKIT_STACK)["Stacks"][0]
        except ClientError as error:
            if "does not exist" in str(error):
                return None
            raise
        return found

    return access.once("account: bootstrap", look)


def look(access: Access, settings: LabSettings) -> Finding:
    """Look at the bootstrap's stack, its version and its boundary."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        standing = stack(access)
        version = _version(access)
    except (ClientError, BotoCoreError) as error:
        return unseen(
            _WHAT,
            f"could not be looked at ({refusals.why(error)})",
            refusals.mend(error, "Allow cloudformation:DescribeStacks and ssm:GetParameter."),
        )
    environment = f"aws://{access.account}/{access.target.region}"
    try:
        require_boundary(standing, settings.permissions_boundary, environment)
    except LabError as error:
        return refused(_WHAT, error)
    status = standing["StackStatus"] if standing else ""
    if not standing and version is None:
        return fine(
            _WHAT,
            f"none in {access.target.region} yet",
            "`kmslab up --target aws` bootstraps; or `cdk bootstrap`.",
        )
    if problem := _problem(status, version):
        return wrong(_WHAT, problem, f"Run `cdk bootstrap {environment}`.", ExitCode.DEPLOYMENT)
    by = f"stack {TOOLKIT_STACK} {status}" if status else f"by a stack of another name than {TOOLKIT_STACK}"
    boundary = boundary_of(standing)
    if boundary and not settings.permissions_boundary:
        return fine(
            _WHAT,
            f"version {version}, {by}; its role has the boundary {boundary}",
            "If its policies ask for the boundary on every role, as those of docs/least-privilege.md do: "
            f"-c kmslab.permissions_boundary={boundary}.",
        )
    return fine(_WHAT, f"version {version}, {by}")


def _problem(status: str, version: int | None) -> str:
    """Why the bootstrap does not serve; empty: it does."""
    if status and status not in USABLE:
        return f"stack {TOOLKIT_STACK} is {status}"
    if version is None:
        return f"stack {TOOLKIT_STACK} stands, but {PARAMETER} is not in Parameter Store: CDK 1, or another qualifier"
    if version < NEEDED_VERSION:
        return f"version {version}; the lab needs {NEEDED_VERSION} or later"
    return ""


def _version(access: Access) -> int | None:
    ssm: Any = access.client(Persona.OPERATOR, "ssm")
    try:
        found = ssm.get_parameter(Name=PARAMETER)["Parameter"]["Value"]
    except ssm.exceptions.ParameterNotFound:
        return None
    return int(found) if str(found).isdigit() else None
