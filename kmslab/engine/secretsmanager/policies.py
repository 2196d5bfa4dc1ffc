"""Resource policies of secrets, which decide together with the caller's own policies."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from ministack.services import secretsmanager

from kmslab.authorization.model import ALLOW, Policy
from kmslab.engine.secretsmanager import records, replicas
from kmslab.engine.secretsmanager.errors import SecretsError
from kmslab.engine.secretsmanager.service import operation

if TYPE_CHECKING:
    from collections.abc import Mapping

    Members = dict[str, Any]


def _parsed(text: str) -> Mapping[str, Any]:
    """Read a policy.

    Raises:
        SecretsError: it cannot be read as one.
    """
    try:
        document = json.loads(text)
        Policy.parse("policy", document)
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        raise SecretsError(
            "MalformedPolicyDocumentException", "This resource policy contains a syntax error."
        ) from error
    if not isinstance(document, dict):
        raise SecretsError(
            "MalformedPolicyDocumentException", "This resource policy contains a syntax error."
        )
    return document


def is_public(document: Mapping[str, Any]) -> bool:
    """Whether a statement allows everybody, and no condition narrows that."""
    found = document.get("Statement", [])
    return any(
        one.get("Effect") == ALLOW
        and one.get("Principal") in ("*", {"AWS": "*"}, {"AWS": ["*"]})
        and not one.get("Condition")
        for one in (found if isinstance(found, list) else [found])
    )


@operation("PutResourcePolicy")
def put_resource_policy(parameters: Members) -> Members:
    """Give a secret a policy; one for everybody is refused if the request says so."""
    secret = records.find_primary(parameters["SecretId"])
    document = _parsed(parameters["ResourcePolicy"])
    if parameters.get("BlockPublicPolicy") and is_public(document):
        raise SecretsError(
            "PublicPolicyException",
            "You can't attach this resource policy because it grants broad access to the secret.",
        )
    account, region = records.owner(secret)
    secretsmanager._resource_policies.set_scoped(account, region, secret["ARN"], parameters["ResourcePolicy"])
    replicas.synchronise(secret)
    return {"ARN": secret["ARN"], "Name": secret["Name"]}


@operation("GetResourcePolicy")
def get_resource_policy(parameters: Members) -> Members:
    """Tell the policy, if there is one."""
    secret = records.find(parameters["SecretId"])
    text = _of(secret["ARN"], *records.owner(secret))
    named = {"ARN": secret["ARN"], "Name": secret["Name"]}
    return {**named, "ResourcePolicy": text} if text else named


@operation("DeleteResourcePolicy")
def delete_resource_policy(parameters: Members) -> Members:
    """Take the policy away, from replicas too."""
    secret = records.find_primary(parameters["SecretId"])
    account, home = records.owner(secret)
    for region in (home, *(one["Region"] for one in secret.get("ReplicationStatus", ()))):
        arn = secret["ARN"].replace(f":{home}:", f":{region}:", 1)
        secretsmanager._resource_policies.pop_scoped(account, region, arn, None)
    return {"ARN": secret["ARN"], "Name": secret["Name"]}


@operation("ValidateResourcePolicy")
def validate_resource_policy(parameters: Members) -> Members:
    """Say whether a policy is well formed and does not let everybody in."""
    if secret_id := parameters.get("SecretId"):
        records.find(secret_id)
    if not is_public(_parsed(parameters["ResourcePolicy"])):
        return {"PolicyValidationPassed": True, "ValidationErrors": []}
    error = {
        "CheckName": "PUBLIC_POLICY",
        "ErrorMessage": "Resource policy grants broad access to the secret.",
    }
    return {"PolicyValidationPassed": False, "ValidationErrors": [error]}


def _of(arn: str, account: str, region: str) -> str:
    return str(secretsmanager._resource_policies.get_scoped(account, region, arn) or "")


def policy_for_arn(_stock: object, resource_arn: str) -> tuple[str, str] | None:
    """Give the policy and the owner of a secret, which may be another account's, to IAM's evaluation."""
    secret = records.look_up(resource_arn)
    if secret is None:
        return None
    account, region = records.owner(secret)
    return _of(secret["ARN"], account, region), account
