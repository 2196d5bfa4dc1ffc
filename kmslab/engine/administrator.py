"""The role that operates the lab, and the role through which the lab reaches the account beside it.

The engine makes both. The first one may be assumed by the lab's root user only. The neighbour is set up as AWS
Organizations sets up a member account: its OrganizationAccountAccessRole trusts the lab's account, whose own
policies decide who assumes it (AWS Organizations User Guide, "Accessing member accounts"). So is every seat of a
class, when somebody first enters its account.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

from kmslab.engine import state
from kmslab.engine.authorization.trust import ADMINISTRATOR_ROLE
from kmslab.engine.identity import members, neighbour_of
from kmslab.model.errors import ExitCode, LabError

if TYPE_CHECKING:
    from pathlib import Path

SESSION_SECONDS = 12 * 3600
"""Longest session of the roles."""
NEIGHBOUR_ROLE = "OrganizationAccountAccessRole"
"""The role of a member account that its organization's management account may assume."""
_OK = 200


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
    _ensure(ADMINISTRATOR_ROLE, trust_policy(account), "Operates the local KMS lab")
    with request_scope(neighbour_of(account), get_region()):
        _ensure(NEIGHBOUR_ROLE, neighbour_trust(account), "Lets the lab's account in")


def admit(account: str, folder: Path) -> bool:
    """Make the role through which the lab's account enters a member account, if it is one.

    Args:
        account: which is entered.
        folder: the engine's, where its members are written down.

    Returns: whether the role was made.

    Raises:
        LabError: MiniStack refuses to make it.
    """
    from ministack.core.responses import get_region, request_scope

    lab = os.environ["MINISTACK_ACCOUNT_ID"]
    if account == lab or account not in members(folder):
        return False
    with request_scope(account, get_region()):
        _ensure(NEIGHBOUR_ROLE, neighbour_trust(lab), "Lets the lab's account in")
    state.changed()
    return True


def _ensure(name: str, trust: dict[str, Any], description: str) -> None:
    from ministack.services import iam

    if name in iam._roles:
        return
    _answered(
        iam._create_role(
            {
                "RoleName": name,
                "AssumeRolePolicyDocument": json.dumps(trust),
                "MaxSessionDuration": str(SESSION_SECONDS),
                "Description": description,
            }
        )
    )
    policy = "arn:aws:iam::aws:policy/AdministratorAccess"
    _answered(iam._attach_role_policy({"RoleName": name, "PolicyArn": policy}))


def _answered(response: tuple[int, Any, Any]) -> None:
    if response[0] != _OK:
        raise LabError(
            f"the engine could not make its administrator role: {response[2]!r}", exit_code=ExitCode.ENGINE
        )
