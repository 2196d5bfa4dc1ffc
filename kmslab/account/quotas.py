"""The account's quotas that a lab can run into: what is used, what the lab needs, what there is.

Aliases and grants are limited for each key (50 and 50,000: KMS Developer Guide, "Resource quotas"); the lab gives a
key one alias and a handful of grants, so there is nothing to look at.

Defaults stand in where Service Quotas may not be asked. Their sources, stored copies read on 2026-11-22: KMS
Developer Guide, "Resource quotas" and "Request quotas"; CloudTrail User Guide, "Quotas in AWS CloudTrail"; S3 User
Guide, "General purpose bucket quotas"; for volumes, secrets and VPCs public dumps of ListAWSDefaultServiceQuotas.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from kmslab.account import needs, refusals
from kmslab.account.partitions import home
from kmslab.model.errors import ExitCode
from kmslab.model.finding import fine, unseen, wrong
from kmslab.model.persona import Persona

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable, Iterator, Mapping

    from kmslab.lab import Access
    from kmslab.model.finding import Finding

GIB_PER_TIB = 1024


@dataclass(frozen=True, slots=True)
class Quota:
    """A limit on how much an account may have.

    Attributes:
        what: in words, with its unit.
        need: its name in `needs`.
        used: counts what there is.
        allows: the permission that counting takes.
        default: the documented limit.
        service: code of the service in Service Quotas; empty: the limit is fixed.
        code: of the quota there.
        unit: how many of ``what`` one of Service Quotas' units is.
        worldwide: whether it is one for all Regions.
    """

    what: str
    need: str
    used: Callable[[Access], int]
    allows: str
    default: int
    service: str = ""
    code: str = ""
    unit: int = 1
    worldwide: bool = False


def _count(service: str, operation: str, member: str, access: Access, **parameters: Any) -> int:
    return sum(len(page[member]) for page in _pages(access, service, operation, **parameters))


def _pages(access: Access, service: str, operation: str, **parameters: Any) -> Iterator[Mapping[str, Any]]:
    client = access.client(Persona.OPERATOR, service)
    yield from client.get_paginator(operation).paginate(**parameters)


def _keys(access: Access) -> int:
    """Count the customer managed keys, in any state: those that AWS manages do not count towards the quota."""
    managed = {
        alias["TargetKeyId"]
        for page in _pages(access, "kms", "list_aliases")
        for alias in page["Aliases"]
        if alias["AliasName"].startswith("alias/aws/") and "TargetKeyId" in alias
    }
    return _count("kms", "list_keys", "Keys", access) - len(managed)


def _gp3_gib(access: Access) -> int:
    of_type = [{"Name": "volume-type", "Values": ["gp3"]}]
    return sum(
        volume["Size"]
        for page in _pages(access, "ec2", "describe_volumes", Filters=of_type)
        for volume in page["Volumes"]
    )


def _trails(access: Access) -> int:
    """Count the trails that act in the Region: those of all Regions count in each."""
    return len(access.client(Persona.OPERATOR, "cloudtrail").describe_trails()["trailList"])


QUOTAS = (
    Quota(
        "KMS keys",
        needs.KEY,
        _keys,
        "kms:ListKeys and kms:ListAliases",
        100_000,
        service="kms",
        code="L-C2F1777E",
    ),
    Quota(
        "gp3 storage in GiB",
        needs.VOLUME_GIB,
        _gp3_gib,
        "ec2:DescribeVolumes",
        50 * GIB_PER_TIB,
        service="ebs",
        code="L-7A658B76",
        unit=GIB_PER_TIB,
    ),
    Quota("trails", needs.TRAIL, _trails, "cloudtrail:DescribeTrails", 5),
    Quota(
        "buckets",
        needs.BUCKET,
        # Asked for in pages: an account with a higher quota gets no list without.
        partial(_count, "s3", "list_buckets", "Buckets", PaginationConfig={"PageSize": 1000}),
        "s3:ListAllMyBuckets",
        10_000,
        service="s3",
        code="L-DC2B2D3D",
        worldwide=True,
    ),
    Quota(
        "secrets",
        needs.SECRET,
        partial(_count, "secretsmanager", "list_secrets", "SecretList"),
        "secretsmanager:ListSecrets",
        500_000,
        service="secretsmanager",
        code="L-2F66C23C",
    ),
    Quota(
        "VPCs",
        needs.VPC,
        partial(_count, "ec2", "describe_vpcs", "Vpcs"),
        "ec2:DescribeVpcs",
        5,
        service="vpc",
        code="L-F678F1CE",
    ),
)
"""The quotas that Service Quotas or the documentation tells; IAM tells its own."""

IAM = {
    "Roles": needs.ROLE,
    "Users": needs.USER,
    "Groups": needs.GROUP,
    "Policies": needs.POLICY,
}
"""Names in GetAccountSummary, each with its ``...Quota`` beside it, and what of the lab counts towards it."""


def look(access: Access, quota: Quota, needed: Counter[str]) -> list[Finding]:
    """Compare a quota with what is used and what the lab still needs; nothing where it needs nothing."""
    from botocore.exceptions import BotoCoreError, ClientError

    if not needed[quota.need]:
        return []
    what = f"Quota: {quota.what}"
    try:
        used = quota.used(access)
    except (ClientError, BotoCoreError) as error:
        return [
            unseen(
                what,
                f"could not be counted ({refusals.why(error)})",
                refusals.mend(error, f"Allow {quota.allows}."),
            )
        ]
    limit, source = _limit(access, quota)
    seen = f"{used:,} of {limit:,}{source} used; the lab needs {needed[quota.need]:,} more"
    if used + needed[quota.need] <= limit:
        return [fine(what, seen)]
    return [wrong(what, seen, _raise(access, quota, used + needed[quota.need]), ExitCode.DEPLOYMENT)]


def _limit(access: Access, quota: Quota) -> tuple[int, str]:
    """Return the limit, and in words where it is from if not from the account itself."""
    from botocore.exceptions import BotoCoreError, ClientError

    if not quota.service:
        return quota.default, ""
    client = access.client(Persona.OPERATOR, "service-quotas", region=_told_in(access, quota))
    try:
        found = client.get_service_quota(ServiceCode=quota.service, QuotaCode=quota.code)["Quota"]["Value"]
    except (ClientError, BotoCoreError) as error:
        return quota.default, f" (AWS's default; {refusals.why(error)})"
    return int(found * quota.unit), ""


def _told_in(access: Access, quota: Quota) -> str:
    return home(access.target.region) if quota.worldwide else access.target.region


def _raise(access: Access, quota: Quota, wanted: int) -> str:
    if not quota.service:
        return "AWS does not raise this quota: delete what is no longer needed, or use another Region."
    units = -(-wanted // quota.unit)
    return (
        f"Delete what is no longer needed, or ask for more: `aws service-quotas request-service-quota-increase "
        f"--service-code {quota.service} --quota-code {quota.code} --desired-value {units} "
        f"--region {_told_in(access, quota)}`."
    )


def iam(access: Access, needed: Counter[str]) -> list[Finding]:
    """Compare IAM's quotas, which IAM itself tells, with what the lab needs."""
    from botocore.exceptions import BotoCoreError, ClientError

    what = "Quota: IAM"
    wanted = {name: needed[need] for name, need in IAM.items() if needed[need]}
    if not wanted:
        return []
    try:
        told = access.client(Persona.OPERATOR, "iam").get_account_summary()["SummaryMap"]
    except (ClientError, BotoCoreError) as error:
        return [
            unseen(
                what,
                f"could not be counted ({refusals.why(error)})",
                refusals.mend(error, "Allow iam:GetAccountSummary."),
            )
        ]
    seen = []
    over = []
    for name, need in wanted.items():
        used, limit = told.get(name, 0), told[f"{name}Quota"]
        seen.append(f"{name.lower()} {used:,} of {limit:,}, {need} more")
        if used + need > limit:
            over.append(name.lower())
    line = "; ".join(seen)
    if not over:
        return [fine(what, line)]
    return [
        wrong(
            what,
            f"no room for the lab's {' and '.join(over)}: {line}",
            "Delete what is no longer needed, or ask for more in Service Quotas (iam).",
            ExitCode.DEPLOYMENT,
        )
    ]
