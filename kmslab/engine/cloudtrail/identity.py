"""``userIdentity`` of a trail record: who acted (CloudTrail User Guide, "CloudTrail userIdentity element")."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from ministack.core import iam_evaluator
from ministack.core.responses import get_account_id
from ministack.services import iam

from kmslab.engine.authorization.caller import acting_session_arn

if TYPE_CHECKING:
    from collections.abc import Mapping

Identity = dict[str, Any]

_ASSUMED_ROLE = ":assumed-role/"


def user_identity(access_key: str, principal_arn: str = "", invoked_by: str = "") -> Identity:
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
        found = _root(get_account_id(), access_key, {})
    else:
        found = _of_access_key(access_key)
    return {**found, "invokedBy": invoked_by} if invoked_by else found


def _of_access_key(access_key: str) -> Identity:
    caller = iam_evaluator.resolve_caller_identity(access_key)
    if caller is None:
        return {"type": "Unknown", "accessKeyId": access_key}
    arn = caller["userArn"]
    session = caller["session"] or {}
    if _ASSUMED_ROLE in arn:
        return _assumed_role(arn, caller["userId"], access_key, session)
    if ":federated-user/" in arn:
        return _federated_user(arn, caller["userId"], access_key, session)
    if arn.endswith(":root"):
        return _root(caller["accountId"], access_key, session)
    return {**_user(arn, caller["userId"]), "accessKeyId": access_key, **_session_context(session)}


def _root(account: str, access_key: str, session: Mapping[str, Any]) -> Identity:
    arn = f"arn:aws:iam::{account}:root"
    who = {"type": "Root", "principalId": account, "arn": arn, "accountId": account}
    return {**who, "accessKeyId": access_key, **_session_context(session)}


def _user(arn: str, user_id: str) -> Identity:
    return {
        "type": "IAMUser",
        "principalId": user_id,
        "arn": arn,
        "accountId": arn.split(":")[4],
        "userName": arn.rsplit("/", 1)[-1],
    }


def _federated_user(arn: str, user_id: str, access_key: str, session: Mapping[str, Any]) -> Identity:
    """Somebody whom an IAM user, or the root user, gave credentials with GetFederationToken."""
    account, issuer_arn = arn.split(":")[4], str(session.get("SourcePrincipalArn", ""))
    if issuer_arn.endswith(":root"):
        issuer = {"type": "Root", "principalId": account, "arn": issuer_arn, "accountId": account}
    else:
        user = iam._users.get_scoped(account, None, issuer_arn.rsplit("/", 1)[-1]) or {}
        issuer = _user(issuer_arn, str(user.get("UserId", "")))
    return {
        "type": "FederatedUser",
        "principalId": user_id,
        "arn": arn,
        "accountId": account,
        "accessKeyId": access_key,
        **_session_context(session, issuer),
    }


def _assumed_role(
    arn: str, user_id: str, access_key: str, session: Mapping[str, Any] | None = None
) -> Identity:
    account = arn.split(":")[4]
    role_name, session_name = arn.split(_ASSUMED_ROLE)[1].split("/")[:2]
    role = iam._roles.get_scoped(account, None, role_name) or {}
    role_id = role.get("RoleId", user_id.partition(":")[0])
    issuer = {
        "type": "Role",
        "principalId": role_id,
        "arn": role.get("Arn", f"arn:aws:iam::{account}:role/{role_name}"),
        "accountId": account,
        "userName": role_name,
    }
    return {
        "type": "AssumedRole",
        "principalId": user_id or f"{role_id}:{session_name}",
        "arn": arn,
        "accountId": account,
        **({"accessKeyId": access_key} if access_key else {}),
        # CloudFormation's session of its execution role begins with the call.
        **_session_context(session or {"IssuedAt": time.time()}, issuer),
    }


def _session_context(session: Mapping[str, Any], issuer: Identity | None = None) -> Identity:
    """How temporary credentials were obtained and when; nothing for an access key of a user's own.

    Nobody signs in with MFA: the engine's STS knows no devices.
    """
    if not session:
        return {}
    created = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(float(session["IssuedAt"])))
    attributes = {"creationDate": created, "mfaAuthenticated": "false"}
    return {
        "sessionContext": {**({"sessionIssuer": issuer} if issuer else {}), "attributes": attributes},
    }


def user_name(identity: dict[str, Any]) -> str:
    """LookupEvents' ``Username``: the user, the role session, ``root``, or the service."""
    if identity["type"] == "Root":
        return "root"
    return str(identity.get("arn", identity.get("invokedBy", ""))).rsplit("/", 1)[-1]
