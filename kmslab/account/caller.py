"""Who the caller is, and whether the Region is one that the account uses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kmslab.account import refusals
from kmslab.account.partitions import home
from kmslab.model.errors import ExitCode, LabError
from kmslab.model.evidence import code_of
from kmslab.model.finding import fine, refused, unseen
from kmslab.model.persona import Persona

if TYPE_CHECKING:
    from kmslab.lab import Access
    from kmslab.model.finding import Finding

OFF = "not-opted-in"
"""What EC2 says of a Region that the account has not switched on."""
NOT_ACCEPTED = frozenset({"InvalidClientTokenId", "OptInRequired", "UnrecognizedClientException"})
"""What the first call is answered with there; an expired session is no such thing."""


def who(access: Access) -> Finding:
    """Name the caller, whose credentials are known to work."""
    caller = access.caller
    return fine("Credentials", f"{caller['Arn']}, account {caller['Account']}")


def region_off(access: Access, answered: BaseException | None) -> LabError | None:
    """Say that the account has not switched the Region on, if that is why the credentials were not accepted.

    Such a Region answers as if the credentials were wrong; another one of the partition then accepts them.

    Args:
        access: with the operator's credentials.
        answered: what came of the first call: botocore's error.

    Returns: None: it is something else, or could not be looked at.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    elsewhere = home(access.target.region)
    if not isinstance(answered, ClientError) or code_of(answered) not in NOT_ACCEPTED:
        return None
    if elsewhere == access.target.region:
        return None
    try:
        access.client(Persona.OPERATOR, "sts", region=elsewhere).get_caller_identity()
    except (ClientError, BotoCoreError):
        return None
    return _switched_off(access.target.region)


def _switched_off(region: str) -> LabError:
    return LabError(
        f"{region} is not switched on for this account.",
        hint=f"Switch it on (`aws account enable-region --region-name {region}`), or set AWS_REGION to another.",
        exit_code=ExitCode.TARGET,
    )


def region(access: Access) -> Finding:
    """Look whether the account uses the Region."""
    from botocore.exceptions import BotoCoreError, ClientError

    name = access.target.region
    try:
        ec2 = access.client(Persona.OPERATOR, "ec2")
        found = ec2.describe_regions(RegionNames=[name], AllRegions=True)["Regions"]
    except (ClientError, BotoCoreError) as error:
        return unseen(
            "Region",
            f"{name}; whether it is switched on could not be looked at ({refusals.why(error)})",
            refusals.mend(error, "Allow ec2:DescribeRegions to see it."),
        )
    if any(one.get("OptInStatus") == OFF for one in found):
        return refused("Region", _switched_off(name))
    return fine("Region", name)
