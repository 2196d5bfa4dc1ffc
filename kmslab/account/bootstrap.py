"""Whether account and Region are bootstrapped for the CDK, and recently enough."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kmslab.account import refusals
from kmslab.model.errors import ExitCode
from kmslab.model.finding import fine, unseen, wrong
from kmslab.model.persona import Persona

if TYPE_CHECKING:
    from kmslab.lab import Access
    from kmslab.model.finding import Finding

QUALIFIER = "hnb659fds"
"""Of the standard bootstrap (aws-cdk-lib, ``DefaultStackSynthesizer.DEFAULT_QUALIFIER``; a test compares)."""
PARAMETER = f"/cdk-bootstrap/{QUALIFIER}/version"
"""The parameter of Parameter Store in which a bootstrap keeps its version, and where every template looks."""
NEEDED_VERSION = 6
"""The least that the templates' rule ``CheckBootstrapVersion`` lets pass (a test compares)."""
STACK = "CDKToolkit"
"""The standard bootstrap's stack."""
USABLE = frozenset({"CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE"})
"""States in which its roles and bucket are there."""

_WHAT = "CDK bootstrap"


def execution_role(access: Access) -> str:
    """ARN of the role as which CloudFormation acts."""
    name = f"cdk-{QUALIFIER}-cfn-exec-role-{access.account}-{access.target.region}"
    return f"arn:{access.partition}:iam::{access.account}:role/{name}"


def status(access: Access) -> str:
    """Return the state of the bootstrap's stack; empty: there is none.

    Raises:
        ClientError, BotoCoreError: it could not be looked at.
    """
    from botocore.exceptions import ClientError

    def look() -> str:
        cloudformation = access.client(Persona.OPERATOR, "cloudformation")
        try:
            return str(cloudformation.describe_stacks(StackName=STACK)["Stacks"][0]["StackStatus"])
        except ClientError as error:
            if "does not exist" in str(error):
                return ""
            raise

    return access.once("account: bootstrap", look)


def look(access: Access) -> Finding:
    """Look at the bootstrap's stack and at its version."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        standing = status(access)
        version = _version(access)
    except (ClientError, BotoCoreError) as error:
        return unseen(
            _WHAT,
            f"could not be looked at ({refusals.why(error)})",
            "Allow cloudformation:DescribeStacks and ssm:GetParameter.",
        )
    region = access.target.region
    if not standing and version is None:
        return fine(
            _WHAT, f"none in {region} yet", "`kmslab up --target aws` bootstraps; or `cdk bootstrap`."
        )
    if problem := _problem(standing, version):
        anew = f"Run `cdk bootstrap aws://{access.account}/{region}`."
        return wrong(_WHAT, problem, anew, ExitCode.DEPLOYMENT)
    by = f"stack {STACK} {standing}" if standing else f"by a stack of another name than {STACK}"
    return fine(_WHAT, f"version {version}, {by}")


def _problem(standing: str, version: int | None) -> str:
    """Why the bootstrap does not serve; empty: it does."""
    if standing and standing not in USABLE:
        return f"stack {STACK} is {standing}"
    if version is None:
        return f"stack {STACK} stands, but {PARAMETER} is not in Parameter Store: CDK 1, or another qualifier"
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
