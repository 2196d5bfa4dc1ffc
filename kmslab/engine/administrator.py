"""The role that operates the lab: the engine makes it, only the account's root user may assume it."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

from kmslab.engine.authorization.trust import ADMINISTRATOR_ROLE
from kmslab.model.errors import ExitCode, LabError

SESSION_SECONDS = 12 * 3600
"""Longest session of the role."""


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


async def ensure_role() -> None:
    """Make the administrator role in the engine's account unless it is there.

    Raises:
        LabError: MiniStack refuses to make it.
    """
    from ministack.core.responses import get_account_id
    from ministack.services import iam

    if ADMINISTRATOR_ROLE in iam._roles:
        return
    await _iam(
        Action="CreateRole",
        RoleName=ADMINISTRATOR_ROLE,
        AssumeRolePolicyDocument=json.dumps(trust_policy(get_account_id())),
        MaxSessionDuration=str(SESSION_SECONDS),
        Description="Operates the local KMS lab",
    )
    await _iam(
        Action="AttachRolePolicy",
        RoleName=ADMINISTRATOR_ROLE,
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
