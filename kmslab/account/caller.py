"""Who the caller is, and whether the Region is one that the account uses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kmslab.account import refusals
from kmslab.account.partitions import home
from kmslab.model.errors import ExitCode
from kmslab.model.finding import fine, unseen, wrong
from kmslab.model.persona import Persona

if TYPE_CHECKING:
    from kmslab.lab import Access
    from kmslab.model.finding import Finding

OFF = "not-opted-in"
"""What EC2 says of a Region that the account has not switched on."""


def who(access: Access) -> Finding:
    """Name the caller, whose credentials are known to work."""
    caller = access.caller
    return fine("Credentials", f"{caller['Arn']}, account {caller['Account']}")


def region_is_off(access: Access) -> bool:
    """Whether the credentials that this Region does not accept are accepted elsewhere.

    A Region that the account has not switched on answers as if the credentials were wrong.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    elsewhere = home(access.target.region)
    if elsewhere == access.target.region:
        return False
    try:
        access.client(Persona.OPERATOR, "sts", region=elsewhere).get_caller_identity()
    except (ClientError, BotoCoreError):
        return False
    return True


def switched_off(region: str) -> Finding:
    """Return that the account does not use the Region."""
    return wrong(
        "Region",
        f"{region} is not switched on for this account",
        f"Switch it on (`aws account enable-region --region-name {region}`), or set AWS_REGION to another.",
        ExitCode.TARGET,
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
            "Allow ec2:DescribeRegions to see it.",
        )
    if any(one.get("OptInStatus") == OFF for one in found):
        return switched_off(name)
    return fine("Region", name)
