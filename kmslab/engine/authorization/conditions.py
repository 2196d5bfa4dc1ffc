"""The condition keys of a call on a key.

Source: service authorization reference, "Condition keys for AWS KMS", and the KMS Developer Guide,
"AWS KMS condition keys". Values are what the policy evaluator compares: strings, or lists of strings
for multivalued keys.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kmslab.engine.kms.records import KeyRecord

_PARAMETERS = {
    "BypassPolicyLockoutSafetyCheck": "kms:BypassPolicyLockoutSafetyCheck",
    "EncryptionAlgorithm": "kms:EncryptionAlgorithm",
    "ExpirationModel": "kms:ExpirationModel",
    "GranteePrincipal": "kms:GranteePrincipal",
    "GranteeServicePrincipal": "kms:GranteeServicePrincipal",
    "KeyAgreementAlgorithm": "kms:KeyAgreementAlgorithm",
    "KeyPairSpec": "kms:DataKeyPairSpec",
    "MacAlgorithm": "kms:MacAlgorithm",
    "MessageType": "kms:MessageType",
    "Operations": "kms:GrantOperations",
    "PendingWindowInDays": "kms:ScheduleKeyDeletionPendingWindowInDays",
    "PrimaryRegion": "kms:PrimaryRegion",
    "ReplicaRegion": "kms:ReplicaRegion",
    "RetiringPrincipal": "kms:RetiringPrincipal",
    "RetiringServicePrincipal": "kms:RetiringServicePrincipal",
    "RotationPeriodInDays": "kms:RotationPeriodInDays",
    "SigningAlgorithm": "kms:SigningAlgorithm",
    "ValidTo": "kms:ValidTo",
    "WrappingAlgorithm": "kms:WrappingAlgorithm",
    "WrappingKeySpec": "kms:WrappingKeySpec",
}
"""Request parameter to condition key."""

_DEFAULTS: dict[str, dict[str, Any]] = {
    "CreateKey": {
        "kms:BypassPolicyLockoutSafetyCheck": False,
        "kms:KeyOrigin": "AWS_KMS",
        "kms:KeySpec": "SYMMETRIC_DEFAULT",
        "kms:KeyUsage": "ENCRYPT_DECRYPT",
        "kms:MultiRegion": False,
    },
    "PutKeyPolicy": {"kms:BypassPolicyLockoutSafetyCheck": False},
    "ReplicateKey": {"kms:BypassPolicyLockoutSafetyCheck": False},
    "CreateGrant": {"kms:GrantIsForAWSResource": False},
    "ListGrants": {"kms:GrantIsForAWSResource": False},
    "RevokeGrant": {"kms:GrantIsForAWSResource": False},
    "ScheduleKeyDeletion": {"kms:ScheduleKeyDeletionPendingWindowInDays": 30},
    "Sign": {"kms:MessageType": "RAW"},
    "Verify": {"kms:MessageType": "RAW"},
    "Encrypt": {"kms:EncryptionAlgorithm": "SYMMETRIC_DEFAULT"},
    "Decrypt": {"kms:EncryptionAlgorithm": "SYMMETRIC_DEFAULT"},
    "ImportKeyMaterial": {"kms:ExpirationModel": "KEY_MATERIAL_EXPIRES"},
}
"""Operation to the keys that have a value although the request does not give it."""

_NEW_KEY = {
    "CustomerMasterKeySpec": "kms:KeySpec",
    "KeySpec": "kms:KeySpec",
    "KeyUsage": "kms:KeyUsage",
    "MultiRegion": "kms:MultiRegion",
    "Origin": "kms:KeyOrigin",
}
"""CreateKey's parameters that describe the key to be."""


def text(value: Any) -> Any:
    """A value as the evaluator compares it: ``true`` for True, strings for numbers, lists kept."""
    if isinstance(value, list):
        return [str(item) for item in value]
    return str(value).lower() if isinstance(value, bool) else str(value)


def of_request(operation: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Condition keys that follow from the operation's own parameters."""
    keys = dict(_DEFAULTS.get(operation, {}))
    names = {**_PARAMETERS, **_NEW_KEY} if operation == "CreateKey" else _PARAMETERS
    keys.update({key: parameters[name] for name, key in names.items() if parameters.get(name) is not None})
    if constraints := parameters.get("Constraints"):
        keys["kms:GrantConstraintType"] = next(iter(constraints))
        # The permissions reference lists both encryption context keys for CreateGrant, too.
        keys.update(of_encryption_context(next(iter(constraints.values()))))
    if operation in ("CreateKey", "TagResource", "ReplicateKey"):
        tags = parameters.get("Tags") or []
        keys.update({f"aws:RequestTag/{tag['TagKey']}": tag["TagValue"] for tag in tags})
        if tags:
            keys["aws:TagKeys"] = [tag["TagKey"] for tag in tags]
    if operation == "UntagResource":
        keys["aws:TagKeys"] = list(parameters["TagKeys"])
    if str(parameters.get("KeyId", "")).startswith("alias/"):
        keys["kms:RequestAlias"] = parameters["KeyId"]
    elif ":alias/" in str(parameters.get("KeyId", "")):
        keys["kms:RequestAlias"] = parameters["KeyId"].split(":", 5)[5]
    return {name: text(value) for name, value in keys.items()}


def of_encryption_context(context: Mapping[str, str] | None) -> dict[str, Any]:
    """Condition keys of an encryption context; none for an absent or empty one."""
    if not context:
        return {}
    pairs: dict[str, Any] = {f"kms:EncryptionContext:{name}": value for name, value in context.items()}
    return {**pairs, "kms:EncryptionContextKeys": list(context)}


def of_key(key: KeyRecord) -> dict[str, Any]:
    """Condition keys that describe the key."""
    from kmslab.engine.kms.records import alias_names

    tags = {f"aws:ResourceTag/{tag['TagKey']}": tag["TagValue"] for tag in key["Tags"]}
    return {
        "kms:KeyOrigin": key["Origin"],
        "kms:KeySpec": key["KeySpec"],
        "kms:KeyUsage": key["KeyUsage"],
        "kms:MultiRegion": text(bool(key.get("MultiRegion"))),
        "kms:MultiRegionKeyType": _member_type(key),
        "kms:ResourceAliases": alias_names(key),
        **tags,
    }


def _member_type(key: KeyRecord) -> str | None:
    if not key.get("MultiRegion"):
        return None
    return "PRIMARY" if key["Arn"].split(":")[3] == key["primary_region"] else "REPLICA"
