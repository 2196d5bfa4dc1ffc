"""How many requests a second KMS answers in this account and Region.

Source of the names and defaults: KMS Developer Guide, "Request quotas", a stored copy read on 2026-11-22.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kmslab.account import refusals
from kmslab.model.errors import ExitCode
from kmslab.model.finding import fine, wrong
from kmslab.model.persona import Persona

if TYPE_CHECKING:
    from kmslab.lab import Access
    from kmslab.model.finding import Finding

CREATE = "CreateKey request rate"
SYMMETRIC = "Cryptographic operations (symmetric) request rate"
CREATE_DEFAULT = 5
SYMMETRIC_DEFAULT = 10_000
SYMMETRIC_DEFAULTS = {
    **dict.fromkeys(
        (
            "us-east-2",
            "ap-southeast-1",
            "ap-southeast-2",
            "ap-northeast-1",
            "eu-central-1",
            "eu-west-2",
        ),
        20_000,
    ),
    **dict.fromkeys(("us-east-1", "us-west-2", "eu-west-1"), 100_000),
}
"""Regions where KMS answers more than elsewhere."""


def look(access: Access) -> Finding:
    """Compare the rates with AWS's defaults, for which the lab is made."""
    from botocore.exceptions import BotoCoreError, ClientError

    what = "Request rates"
    region = access.target.region
    expected = {CREATE: CREATE_DEFAULT, SYMMETRIC: SYMMETRIC_DEFAULTS.get(region, SYMMETRIC_DEFAULT)}
    found = dict(expected)
    source = ""
    try:
        pages = access.client(Persona.OPERATOR, "service-quotas").get_paginator("list_service_quotas")
        told = {
            quota["QuotaName"]: int(quota["Value"])
            for page in pages.paginate(ServiceCode="kms")
            for quota in page["Quotas"]
        }
        found = {name: told.get(name, default) for name, default in expected.items()}
    except (ClientError, BotoCoreError) as error:
        source = f" (AWS's defaults; {refusals.why(error)})"
    seen = f"KMS answers {found[CREATE]} CreateKey and {found[SYMMETRIC]:,} symmetric operations a second{source}"
    if all(found[name] >= expected[name] for name in expected):
        return fine(
            what, seen, "Everything in the account shares them: give each seat of a class its own account."
        )
    return wrong(
        what,
        f"{seen}: fewer than AWS's defaults",
        f"Deployment and checks will be throttled: ask for {expected[CREATE]} and {expected[SYMMETRIC]:,} in Service Quotas (kms).",
        ExitCode.DEPLOYMENT,
    )
