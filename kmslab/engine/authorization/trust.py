"""Role trust as IAM evaluates it: a resource policy of the role.

A trust statement that names the caller suffices; one that names the account delegates to the caller's
identity policies; a caller of another account needs both (IAM User Guide, "Policy evaluation logic").
MiniStack asks identity policies always, and lets the root user assume any role.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from kmslab.engine.authorization import settling
from kmslab.engine.authorization.caller import CALLER

ADMINISTRATOR_ROLE = "kmslab-administrator"
"""The one role that the engine's root user may assume: on AWS the root user may assume none."""


def install() -> None:
    """Apply the hooks."""
    from ministack.core import iam_actions, iam_evaluator
    from ministack.services import sts

    from kmslab.engine.hooks import extend

    extend(iam_evaluator, "_resource_policy", "service", "resource_arn")(trust_policy)
    extend(iam_actions, "request_tag_context", "service", "iam_action", "body", "params")(trust_context)
    extend(sts, "_assumed_role_arn", "role_arn", "session_name")(root_assumes_no_role)


def trust_policy(stock: Any, service: str, resource_arn: str) -> Any:
    """Give the trust policy of a role as the resource policy of ``sts:AssumeRole``."""
    if service != "sts" or ":role/" not in resource_arn:
        return stock(service, resource_arn)
    from ministack.services import iam

    account, name = resource_arn.split(":")[4], resource_arn.rsplit("/", 1)[-1]
    role = iam._roles.get_scoped(account, None, name)
    if role is None and _admitted(account, name):
        role = iam._roles.get_scoped(account, None, name)
    if role is None:
        return None
    return settling.trust_of(account, name, role.get("AssumeRolePolicyDocument")), account


def _admitted(account: str, role: str) -> bool:
    """Whether the role is that of a member account which is entered for the first time; then it is made."""
    from kmslab.engine import administrator

    folder = Path(os.environ["STATE_DIR"]).parent
    return role == administrator.NEIGHBOUR_ROLE and administrator.admit(account, folder)


def trust_context(
    stock: Any, service: str, iam_action: str, body: bytes, params: dict[str, Any]
) -> dict[str, Any]:
    """Add the condition keys of AssumeRole, which trust policies test."""
    keys: dict[str, Any] = stock(service, iam_action, body, params)
    if iam_action == "sts:AssumeRole":
        for parameter, key in (("ExternalId", "sts:ExternalId"), ("RoleSessionName", "sts:RoleSessionName")):
            value = params.get(parameter)
            if value:
                keys[key] = value[0] if isinstance(value, list) else value
    return keys


def root_assumes_no_role(stock: Any, role_arn: str, session_name: str) -> Any:
    """Refuse AssumeRole by the root user, but for the lab's own administrator role."""
    from ministack.core import iam_evaluator
    from ministack.services import iam

    caller = CALLER.get()
    if (
        caller
        and iam_evaluator.is_root_access_key(caller)
        and not role_arn.endswith(f":role/{ADMINISTRATOR_ROLE}")
    ):
        return None, iam._error(403, "AccessDenied", "Roles may not be assumed by root accounts.", ns="sts")
    return stock(role_arn, session_name)
