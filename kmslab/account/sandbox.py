"""The one rule: which account of AWS the lab may touch (decision 0033).

An account is a sandbox if the settings name it, or if its organization tagged it as one. The organization's
management account is none, whoever names it, and the root user is nobody's to use.

Sources: Organizations API Reference, "DescribeOrganization" (any account may call it), "ListTagsForResource" and
"TagResource" (the management account and delegated administrators only); Organizations User Guide, "Service
control policies" (they do not affect the management account). From botocore 1.43.106 and stored copies, 2026-11.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from kmslab.account import refusals
from kmslab.model.errors import ExitCode, LabError
from kmslab.model.evidence import code_of
from kmslab.model.persona import Persona

if TYPE_CHECKING:
    from botocore.exceptions import ClientError

    from kmslab.lab import Access
    from kmslab.model.settings import LabSettings

TAG = "kmslab:sandbox"
"""Tag on an account, set in Organizations, that names it as a sandbox."""
TAG_VALUE = "true"
"""The tag's only value that does."""

_NO_ORGANIZATION = "AWSOrganizationsNotInUseException"
_OTHER_ORGANIZATION = "TargetNotFoundException"
"""What the reader is told of an account that is not in its organization."""
_BY_POLICY = "service control policy"
"""Words in a refusal that only a member account can get."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What decides whether an account may be touched.

    Attributes:
        account: its 12-digit id.
        root: whether the credentials are the root user's.
        in_settings: whether ``kmslab.sandbox_accounts`` names it.
        management: the management account's id; empty: the account is in no organization, or is a member of
            one that does not show it; None: it could not be looked at.
        tagged: whether the organization's tag names it; None: that could not be looked at, or nobody asked.
        unseen: why something could not be looked at; may be empty.
    """

    account: str
    root: bool
    in_settings: bool
    management: str | None = ""
    tagged: bool | None = None
    unseen: str = ""

    @property
    def named_by(self) -> str:
        """What names it as a sandbox; empty: nothing does."""
        if self.in_settings:
            return "kmslab.sandbox_accounts"
        return f"its organization's tag {TAG}={TAG_VALUE}" if self.tagged else ""


def look(access: Access, settings: LabSettings, reader: Access | None = None) -> Standing:
    """Ask who the caller is, and of the account's organization no more than the rule needs.

    A missing permission is an answer (None). Anything else that fails is raised: the rule fails closed.

    Args:
        access: with the operator's credentials in the account.
        settings: which name sandboxes.
        reader: who reads the account's tag: a delegated administrator's account for a seat of its class; None: the
            account itself. Which account manages the organization is asked in the account itself in any case,
            since the reader may be of another organization.

    Raises:
        ClientError, BotoCoreError: the credentials do not work, or AWS did not answer.
    """
    caller = access.caller
    found = Standing(
        caller["Account"],
        root=caller["Arn"].endswith(":root"),
        in_settings=caller["Account"] in settings.sandbox_accounts,
    )
    if found.root:
        return found
    found = _with_management(access, found)
    if found.in_settings or not found.management or found.management == found.account:
        return found
    return _with_tag(reader or access, found)


def _with_management(access: Access, found: Standing) -> Standing:
    from botocore.exceptions import ClientError

    organizations = access.client(Persona.OPERATOR, "organizations")
    try:
        organization = organizations.describe_organization()["Organization"]
    except ClientError as error:
        if code_of(error) == _NO_ORGANIZATION or _is_member(error):
            return found
        if refusals.denied(error):
            return replace(found, management=None, unseen=refusals.why(error))
        raise
    return replace(found, management=str(organization["MasterAccountId"]))


def _is_member(error: ClientError) -> bool:
    """Whether a service control policy refused: none does so in the management account."""
    return refusals.denied(error) and _BY_POLICY in error.response["Error"].get("Message", "")


def _with_tag(access: Access, found: Standing) -> Standing:
    from botocore.exceptions import ClientError

    pages = access.client(Persona.OPERATOR, "organizations").get_paginator("list_tags_for_resource")
    try:
        tags = {
            tag["Key"]: tag["Value"]
            for page in pages.paginate(ResourceId=found.account)
            for tag in page["Tags"]
        }
    except ClientError as error:
        if code_of(error) == _OTHER_ORGANIZATION:
            return replace(found, tagged=False)
        if refusals.denied(error):
            return replace(found, unseen=refusals.why(error))
        raise
    return replace(found, tagged=tags.get(TAG) == TAG_VALUE)


def refusal(standing: Standing, command: str) -> LabError | None:
    """Return why the account must be left alone; None: it is a sandbox.

    Args:
        standing: what was looked at.
        command: what the user typed, for the hint to repeat.
    """
    account = standing.account
    if standing.root:
        return LabError(
            f"These credentials are the root user's of account {account}, which the lab does not use.",
            hint="Sign in as a role or an IAM user: the root user can assume no role, and every persona is one.",
            exit_code=ExitCode.TARGET,
        )
    if standing.management == account:
        return LabError(
            f"Account {account} is the management account of its organization, so the lab leaves it alone.",
            hint="Use a member account: no service control policy holds in this one, and naming it changes nothing.",
            exit_code=ExitCode.TARGET,
        )
    if not standing.named_by:
        return LabError(
            f"Account {account} is not named as a sandbox, so the lab leaves it alone.",
            hint=f"If it is one: `{command} -c kmslab.sandbox_accounts={account}`, or name it in cdk.json.",
            exit_code=ExitCode.TARGET,
        )
    return None


def doubt(standing: Standing) -> str:
    """Return what the rule could not make sure of about a sandbox, in one line; empty: nothing."""
    if standing.management is not None:
        return ""
    return (
        f"Whether account {standing.account} is its organization's management account could not be looked at "
        f"({standing.unseen})."
    )
