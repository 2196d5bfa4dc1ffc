"""``userIdentity`` of a trail record: who acted (CloudTrail User Guide, "CloudTrail userIdentity element")."""

from __future__ import annotations

import time
from typing import Any

from ministack.core import iam_evaluator
from ministack.core.responses import get_account_id
from ministack.services import iam

from kmslab.engine.authorization.caller import acting_session_arn

_ASSUMED_ROLE = ":assumed-role/"


def user_identity(access_key: str, principal_arn: str = "", invoked_by: str = "") -> dict[str, Any]:
    """Describe the principal of a call.

    Args:
        access_key: who signed the request; may be empty.
        principal_arn: who acts instead: a role's ARN, or a service principal.
        invoked_by: the service that called for the principal.
    """
    if principal_arn.endswith(".amazonaws.com"):
        return {"type": "AWSService", "invokedBy": principal_arn}
    if principal_arn:
        found = _assumed_role(acting_session_arn(principal_arn), "", "")
        invoked_by = invoked_by or "cloudformation.amazonaws.com"
    elif access_key and iam_evaluator.is_root_access_key(access_key):
        account = get_account_id()
        arn = f"arn:aws:iam::{account}:root"
        found = {
            "type": "Root",
            "principalId": account,
            "arn": arn,
            "accountId": account,
            "accessKeyId": access_key,
        }
    else:
        found = _of_access_key(access_key)
    return {**found, "invokedBy": invoked_by} if invoked_by else found


def _of_access_key(access_key: str) -> dict[str, Any]:
    caller = iam_evaluator.resolve_caller_identity(access_key)
    if caller is None:
        return {"type": "Unknown", "accessKeyId": access_key}
    arn = caller["userArn"]
    if _ASSUMED_ROLE in arn:
        return _assumed_role(arn, caller["userId"], access_key, caller["session"] or {})
    return {
        "type": "IAMUser",
        "principalId": caller["userId"],
        "arn": arn,
        "accountId": caller["accountId"],
        "accessKeyId": access_key,
        "userName": arn.rsplit("/", 1)[-1],
    }


def _assumed_role(
    arn: str, user_id: str, access_key: str, session: dict[str, Any] | None = None
) -> dict[str, Any]:
    account = arn.split(":")[4]
    role_name, session_name = arn.split(_ASSUMED_ROLE)[1].split("/")[:2]
    role = iam._roles.get_scoped(account, None, role_name) or {}
    role_id = role.get("RoleId", user_id.partition(":")[0])
    created = (session or {}).get("CreatedAt") or time.time()
    return {
        "type": "AssumedRole",
        "principalId": user_id or f"{role_id}:{session_name}",
        "arn": arn,
        "accountId": account,
        **({"accessKeyId": access_key} if access_key else {}),
        "sessionContext": {
            "sessionIssuer": {
                "type": "Role",
                "principalId": role_id,
                "arn": role.get("Arn", f"arn:aws:iam::{account}:role/{role_name}"),
                "accountId": account,
                "userName": role_name,
            },
            "attributes": {
                "creationDate": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(float(created))),
                "mfaAuthenticated": "false",
            },
        },
    }


def user_name(identity: dict[str, Any]) -> str:
    """LookupEvents' ``Username``: the user, the role session, ``root``, or the service."""
    if identity["type"] == "Root":
        return "root"
    return str(identity.get("arn", identity.get("invokedBy", ""))).rsplit("/", 1)[-1]
