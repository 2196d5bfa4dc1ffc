"""Key policies: the default one, what a new one must satisfy, and the operations on them."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from kmslab.engine.authorization.decision import policy_lets_caller_update
from kmslab.engine.kms import records
from kmslab.engine.kms.errors import KmsError
from kmslab.engine.kms.paging import page
from kmslab.engine.kms.service import Call, operation

if TYPE_CHECKING:
    from collections.abc import Iterator

POLICY_BYTES = 32768
"""Longest key policy (KMS Developer Guide, "Resource quotas")."""
POLICY_NAME = "default"
"""The only policy name that a key has."""
_IDENTITY = re.compile(r"arn:aws[a-z-]*:iam::(\d{12}):(user|role)/(.+)")


def default_policy(account: str) -> str:
    """What a key made by the API gets when none is given: it delegates to IAM."""
    return json.dumps(
        {
            "Version": "2012-10-17",
            "Id": "key-default-1",
            "Statement": [
                {
                    "Sid": "Enable IAM User Permissions",
                    "Effect": "Allow",
                    "Principal": {"AWS": f"arn:aws:iam::{account}:root"},
                    "Action": "kms:*",
                    "Resource": "*",
                }
            ],
        },
        indent=2,
    )


def accepted(call: Call, policy: str | None, key_arn: str) -> str:
    """Return the policy a key may get in this call: the default one when none is given.

    Raises:
        KmsError: MalformedPolicyDocumentException for JSON, elements, principals that do not exist, and
            for a policy that would not let the caller put the next one (the lockout safety check).
    """
    if policy is None:
        return default_policy(key_arn.split(":")[4])
    if len(policy.encode()) > POLICY_BYTES:
        raise KmsError("LimitExceededException", f"The policy is longer than {POLICY_BYTES} bytes.")
    document = _parsed(policy)
    for principal in _principals(document):
        if not _exists(principal):
            raise _malformed("Policy contains a statement with one or more invalid principals.")
    if not call.get("BypassPolicyLockoutSafetyCheck") and not policy_lets_caller_update(
        policy, key_arn, call.access_key
    ):
        raise _malformed("The new key policy will not allow you to update the key policy in the future.")
    return policy


def _parsed(policy: str) -> dict[str, Any]:
    from ministack.core.iam_evaluator import validate_policy_document

    try:
        document = json.loads(policy)
    except ValueError as error:
        raise _malformed("Policy is not valid JSON") from error
    problem = validate_policy_document(document)
    if problem:
        raise _malformed(problem)
    if any("Principal" not in stmt and "NotPrincipal" not in stmt for stmt in _statements(document)):
        raise _malformed("Policy document must contain a principal in every statement")
    return dict(document)


def _statements(document: dict[str, Any]) -> list[dict[str, Any]]:
    found = document["Statement"]
    return [found] if isinstance(found, dict) else found


def _principals(document: dict[str, Any]) -> Iterator[str]:
    for statement in _statements(document):
        principal = statement.get("Principal", {})
        named = principal.get("AWS", []) if isinstance(principal, dict) else []
        yield from [named] if isinstance(named, str) else named


def _exists(principal: str) -> bool:
    """Whether IAM knows a user or role; accounts the engine has never seen are taken on trust."""
    from ministack.services import iam

    match = _IDENTITY.fullmatch(principal)
    if match is None:
        return principal == "*" or bool(
            re.fullmatch(r"\d{12}|arn:aws[a-z-]*:(iam|sts)::\d{12}:.+", principal)
        )
    account, kind, name = match.groups()
    known = {owner for entities in (iam._roles, iam._users) for owner, _ in list(entities._data)}
    entities = iam._roles if kind == "role" else iam._users
    return account not in known or entities.get_scoped(account, None, name.rsplit("/", 1)[-1]) is not None


def _malformed(message: str) -> KmsError:
    return KmsError("MalformedPolicyDocumentException", message)


def _check_name(call: Call) -> None:
    if call.get("PolicyName", POLICY_NAME) != POLICY_NAME:
        raise KmsError("NotFoundException", "No such policy exists")


@operation("GetKeyPolicy")
def get_key_policy(call: Call) -> dict[str, Any]:
    """The key policy, as it was put."""
    key = call.key(aliases_allowed=False)
    _check_name(call)
    return {"Policy": key["Policy"], "PolicyName": POLICY_NAME}


@operation("PutKeyPolicy")
def put_key_policy(call: Call) -> dict[str, Any]:
    """Replace the key policy, unless it would lock its author out."""
    key = call.key(aliases_allowed=False)
    _check_name(call)
    if key["KeyManager"] == "AWS":
        raise KmsError(
            "AccessDeniedException", f"{key['Arn']} is an AWS managed key: its policy cannot be changed."
        )
    records.require_state(key, "Disabled", "PendingImport", "Unavailable")
    key["Policy"] = accepted(call, call.get("Policy"), key["Arn"])
    return {}


@operation("ListKeyPolicies")
def list_key_policies(call: Call) -> dict[str, Any]:
    """The names of the key's policies: always ``default``."""
    call.key(aliases_allowed=False)
    return page(call, [POLICY_NAME], "PolicyNames", default=100)
