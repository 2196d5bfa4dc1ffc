"""Looks at an account before the lab is deployed in it; changes nothing.

Every look answers for itself: what stops one of them does not stop the others.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

from kmslab.account import bootstrap, caller, labs, needs, permissions, quotas, rates, refusals, sandbox
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

    Args:
        access: with credentials that are known to work.
        settings: of the lab that is to be deployed.
        command: what the user would type to deploy, for a hint to repeat.
    """
    needed = _needed(access, settings)
    looks: list[Callable[[], Iterable[Finding]]] = [
        lambda: [caller.who(access)],
        lambda: [caller.region(access)],
        lambda: _sandbox(access, settings, command),
        lambda: [bootstrap.look(access)],
        lambda: labs.look(access),
        lambda: [permissions.look_at_caller(access, settings)],
        lambda: [permissions.look_at_cloudformation(access, settings)],
        *(partial(quotas.look, access, quota, needed) for quota in quotas.QUOTAS),
        lambda: quotas.iam(access, needed),
        lambda: [rates.look(access)],
    ]
    with ThreadPoolExecutor(READERS, thread_name_prefix="account") as pool:
        return [finding for found in pool.map(lambda look: look(), looks) for finding in found]


def _needed(access: Access, settings: LabSettings) -> Counter[str]:
    """What the lab still takes; all of it where it could not be looked at what stands."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        names = {stack.name for stack in labs.listed(access) if stack.prefix == access.prefix}
    except (ClientError, BotoCoreError):
        names = set()
    standing = {stack for stack in LabStack if stack_name(access.prefix, stack) in names}
    return needs.still_needed(settings, standing)


def _sandbox(access: Access, settings: LabSettings, command: str) -> list[Finding]:
    from botocore.exceptions import BotoCoreError, ClientError

    what = "Sandbox"
    try:
        standing = sandbox.look(access, settings)
    except (ClientError, BotoCoreError) as error:
        return [unseen(what, f"could not be looked at ({refusals.why(error)})", "Try again.")]
    if refusal := sandbox.refusal(standing, command):
        found = refused(what, refusal)
        if not standing.unseen:
            return [found]
        return [found, unseen("Account's tag", *_tag_unseen(standing))]
    named = fine(what, f"account {standing.account} is named by {standing.named_by}")
    if doubt := sandbox.doubt(standing):
        return [named, unseen("Organization", doubt, "Allow organizations:DescribeOrganization.")]
    return [named]


def _tag_unseen(standing: sandbox.Standing) -> tuple[str, str]:
    return (
        f"whether {sandbox.TAG}={sandbox.TAG_VALUE} names the account could not be looked at ({standing.unseen})",
        "Only the organization's management account and its delegates may read it: docs/sandbox-accounts.md.",
    )
