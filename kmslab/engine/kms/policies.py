"""Key policies: the default one, what a new one must satisfy, and the operations on them."""

from __future__ import annotations

from typing import Any

from kmslab.engine.authorization.decision import policy_lets_caller_update
from kmslab.engine.kms.errors import KmsError
from kmslab.engine.kms.policy_documents import malformed, parsed, written
from kmslab.engine.kms.service import Call, operation

POLICY_BYTES = 32768
"""Longest key policy (KMS Developer Guide, "Resource quotas")."""
POLICY_NAME = "default"
"""The only policy name that a key has."""


def default_policy(account: str) -> str:
    """What a key made by the API gets when none is given: it delegates to IAM."""
    return written(
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
        }
    )


def accepted(call: Call, policy: str | None, key_arn: str) -> str:
    """Return the policy a key may get in this call: the default one when none is given.

    Raises:
        KmsError: LimitExceededException for its length; MalformedPolicyDocumentException for JSON, elements,
            principals that do not exist, and for a policy that would not let the caller put the next one
            (the lockout safety check).
    """
    if policy is None:
        return default_policy(key_arn.split(":")[4])
    if len(policy.encode()) > POLICY_BYTES:
        raise KmsError("LimitExceededException", f"The policy is longer than {POLICY_BYTES} bytes.")
    document = written(parsed(policy))
    if not call.get("BypassPolicyLockoutSafetyCheck") and not policy_lets_caller_update(
        document, key_arn, call.access_key
    ):
        raise malformed("The new key policy will not allow you to update the key policy in the future.")
    return document


def _check_name(call: Call) -> None:
    if call.get("PolicyName", POLICY_NAME) != POLICY_NAME:
        raise KmsError("NotFoundException", "No such policy exists")


@operation("GetKeyPolicy")
def get_key_policy(call: Call) -> dict[str, Any]:
    """The key policy."""
    key = call.key(aliases_allowed=False)
    _check_name(call)
    return {"Policy": key["Policy"], "PolicyName": POLICY_NAME}


@operation("PutKeyPolicy")
def put_key_policy(call: Call) -> dict[str, Any]:
    """Replace the key policy, in any state of the key, unless it would lock its author out."""
    key = call.key(aliases_allowed=False)
    _check_name(call)
    if key["KeyManager"] == "AWS":
        raise KmsError(
            "AccessDeniedException", f"{key['Arn']} is an AWS managed key: its policy cannot be changed."
        )
    key["Policy"] = accepted(call, call.get("Policy"), key["Arn"])
    return {}


@operation("ListKeyPolicies")
def list_key_policies(call: Call) -> dict[str, Any]:
    """The names of the key's policies: always ``default``, on one page whatever the Limit."""
    call.key(aliases_allowed=False)
    return {"PolicyNames": [POLICY_NAME], "Truncated": False}
