"""Looks at an account before the lab is deployed in it; changes nothing.

Every look answers for itself: what stops one of them does not stop the others.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

from kmslab.account import (
    bootstrap,
    caller,
    clock,
    labs,
    needs,
    offers,
    permissions,
    quotas,
    rates,
    refusals,
    sandbox,
)
from kmslab.model.finding import fine, refused, unseen
from kmslab.model.naming import stack_name
from kmslab.model.outputs import LabStack

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable, Iterable

    from kmslab.lab import Access
    from kmslab.model.finding import Finding
    from kmslab.model.settings import LabSettings

READERS = 8
"""Looks at a time."""


def examine(access: Access, settings: LabSettings, command: str) -> list[Finding]:
    """Look at everything, side by side, and return it in the order in which a deployment needs it.

    An account that was not named as a sandbox is looked at no further than that.

    Args:
        access: with credentials that are known to work.
        settings: of the lab that is to be deployed.
        command: what the user would type to deploy, for a hint to repeat.
    """
    named, about = _sandbox(access, settings, command)
    first = [caller.who(access), *about]
    if not named:
        return first
    needed = _needed(access, settings)
    looks: list[Callable[[], Iterable[Finding]]] = [
        lambda: [clock.look(access)],
        lambda: [caller.region(access)],
        lambda: [offers.look(access, settings)],
        lambda: [bootstrap.look(access, settings)],
        lambda: labs.look(access),
        lambda: [permissions.look_at_caller(access, settings)],
        lambda: [permissions.look_at_cloudformation(access, settings)],
        *(partial(quotas.look, access, quota, needed) for quota in quotas.QUOTAS),
        lambda: quotas.iam(access, needed),
        lambda: [rates.look(access)],
    ]
    with ThreadPoolExecutor(READERS, thread_name_prefix="account") as pool:
        rest = pool.map(lambda look: look(), looks)
        return [*first, *(finding for found in rest for finding in found)]


def _needed(access: Access, settings: LabSettings) -> Counter[str]:
    """What the lab still takes; all of it where it could not be looked at what stands."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        names = {stack.name for stack in labs.listed(access) if stack.prefix == access.prefix}
    except (ClientError, BotoCoreError):
        names = set()
    standing = {stack for stack in LabStack if stack_name(access.prefix, stack) in names}
    return needs.still_needed(settings, standing)


def _sandbox(access: Access, settings: LabSettings, command: str) -> tuple[bool, list[Finding]]:
    """Apply the one rule; return whether the account was named, and what there is to say."""
    from botocore.exceptions import BotoCoreError, ClientError

    what = "Sandbox"
    try:
        standing = sandbox.look(access, settings)
    except (ClientError, BotoCoreError) as error:
        named = access.account in settings.sandbox_accounts
        return named, [
            unseen(
                what, f"could not be looked at ({refusals.why(error)})", refusals.mend(error, "Try again.")
            )
        ]
    if refusal := sandbox.refusal(standing, command):
        findings = [refused(what, refusal)]
        if standing.unseen:
            findings.append(unseen("Account's tag", *_tag_unseen(standing)))
        return False, findings
    findings = [fine(what, f"account {standing.account} is named by {standing.named_by}")]
    if doubt := sandbox.doubt(standing):
        findings.append(unseen("Organization", doubt, "Allow organizations:DescribeOrganization."))
    return True, findings


def _tag_unseen(standing: sandbox.Standing) -> tuple[str, str]:
    return (
        f"whether {sandbox.TAG}={sandbox.TAG_VALUE} names the account could not be looked at ({standing.unseen})",
        "Only the organization's management account and its delegates may read it: docs/sandbox-accounts.md.",
    )
