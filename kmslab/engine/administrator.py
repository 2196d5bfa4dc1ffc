"""The role that operates the lab, and the role through which the lab reaches the account beside it.

The engine makes both. The first one may be assumed by the lab's root user only. The neighbour is set up as AWS
Organizations sets up a member account: its OrganizationAccountAccessRole trusts the lab's account, whose own
policies decide who assumes it (AWS Organizations User Guide, "Accessing member accounts").
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

from kmslab.engine.authorization.trust import ADMINISTRATOR_ROLE
from kmslab.engine.identity import neighbour_of
from kmslab.model.errors import ExitCode, LabError

SESSION_SECONDS = 12 * 3600
"""Longest session of the roles."""
NEIGHBOUR_ROLE = "OrganizationAccountAccessRole"
"""The role of a member account that its organization's management account may assume."""


def trust_policy(account_id: str) -> dict[str, Any]:
    """Who may assume the role: the account's root user, nobody else."""
    root = f"arn:aws:iam::{account_id}:root"
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"AWS": root},
                "Action": "sts:AssumeRole",
                "Condition": {"ArnEquals": {"aws:PrincipalArn": root}},
            }
        ],
    }


def neighbour_trust(account_id: str) -> dict[str, Any]:
    """Who may assume the neighbour's role: whom the lab's account lets."""
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{account_id}:root"},
        "Action": "sts:AssumeRole",
    }
    return {"Version": "2012-10-17", "Statement": [statement]}


async def ensure_role() -> None:
    """Make the administrator role, and the role in the neighbour's account, unless they are there.

    Raises:
        LabError: MiniStack refuses to make one.
    """
    from ministack.core.responses import get_account_id, get_region, request_scope

    account = get_account_id()
    await _ensure(ADMINISTRATOR_ROLE, trust_policy(account), "Operates the local KMS lab")
    with request_scope(neighbour_of(account), get_region()):
        await _ensure(NEIGHBOUR_ROLE, neighbour_trust(account), "Lets the lab's account in")


async def _ensure(name: str, trust: dict[str, Any], description: str) -> None:
    from ministack.services import iam

    if name in iam._roles:
        return
    await _iam(
        Action="CreateRole",
        RoleName=name,
        AssumeRolePolicyDocument=json.dumps(trust),
        MaxSessionDuration=str(SESSION_SECONDS),
        Description=description,
    )
    await _iam(
        Action="AttachRolePolicy",
        RoleName=name,
        PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess",
    )


async def _iam(**parameters: str) -> None:
    from ministack.services import iam

    body = urlencode(parameters).encode()
    status, _, answer = await iam.handle_request("POST", "/", {}, body, {})
    if status != 200:  # noqa: PLR2004  # HTTP's OK
        raise LabError(
            f"the engine could not make its administrator role: {answer!r}", exit_code=ExitCode.ENGINE
        )
