"""What can be asked of a key: which operations mean something for it, with which parameters, by which route.

Sources: botocore's model of KMS; KMS Developer Guide, "Permissions reference" and "Encryption context"; the
S3, EBS, Secrets Manager and Systems Manager guides for the encryption contexts of their services.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kmslab.authorization.keys import CROSS_ACCOUNT, SYMMETRIC_OPERATIONS, kms_request
from kmslab.model.naming import ENCRYPTION_CONTEXT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kmslab.access.reading import Key, Reading
    from kmslab.authorization.model import Request

SYMMETRIC = "SYMMETRIC_DEFAULT"
RSA_ALGORITHM = "RSAES_OAEP_SHA_256"
SERVICES = ("s3", "ec2", "ebs", "secretsmanager", "ssm", "cloudformation")
"""Services that use a key for their caller: routes that can be asked about."""

_USAGES = {
    "Encrypt": "ENCRYPT_DECRYPT",
    "Decrypt": "ENCRYPT_DECRYPT",
    "ReEncryptFrom": "ENCRYPT_DECRYPT",
    "ReEncryptTo": "ENCRYPT_DECRYPT",
    "Sign": "SIGN_VERIFY",
    "Verify": "SIGN_VERIFY",
    "GenerateMac": "GENERATE_VERIFY_MAC",
    "VerifyMac": "GENERATE_VERIFY_MAC",
    "DeriveSharedSecret": "KEY_AGREEMENT",
}
_ROTATION = ("DisableKeyRotation", "EnableKeyRotation", "RotateKeyOnDemand")
_IMPORT = ("DeleteImportedKeyMaterial", "GetParametersForImport", "ImportKeyMaterial")
MULTI_REGION = ("ReplicateKey", "UpdatePrimaryRegion")
"""Operations of multi-Region keys."""
PERMISSIONS = CROSS_ACCOUNT | {
    *_ROTATION,
    *_IMPORT,
    *MULTI_REGION,
    "CancelKeyDeletion",
    "CreateAlias",
    "DeleteAlias",
    "DisableKey",
    "EnableKey",
    "GetKeyPolicy",
    "ListKeyPolicies",
    "ListKeyRotations",
    "ListResourceTags",
    "PutKeyPolicy",
    "ScheduleKeyDeletion",
    "TagResource",
    "UntagResource",
    "UpdateAlias",
    "UpdateKeyDescription",
}
"""Every permission that is on a key (service authorization reference, "Actions defined by AWS KMS")."""


def means_something(operation: str, key: Key) -> bool:
    """Whether an operation can be done with this kind of key at all."""
    metadata = key.metadata
    symmetric: bool = metadata["KeySpec"] == SYMMETRIC
    if usage := _USAGES.get(operation):
        return bool(metadata["KeyUsage"] == usage)
    if operation.startswith("GenerateDataKey"):
        return symmetric
    if operation == "GetPublicKey":
        return not symmetric and metadata["KeyUsage"] != "GENERATE_VERIFY_MAC"
    if operation in _ROTATION:
        return symmetric and metadata.get("Origin") == "AWS_KMS"
    if operation in _IMPORT:
        return bool(metadata.get("Origin") == "EXTERNAL")
    return bool(metadata.get("MultiRegion")) if operation in MULTI_REGION else True


def parameters(operation: str, key: Key, context: Mapping[str, str], grantee: str = "") -> dict[str, Any]:
    """The parameters with which the operation would be called, without those that no policy can see.

    Args:
        operation: the permission without ``kms:``.
        key: on which.
        context: the encryption context that a grant is constrained to; empty: a grant without constraints.
        grantee: ARN of whom a grant is for; the account's root when empty.
    """
    found: dict[str, Any] = {"KeyId": key.arn}
    if operation in ("Encrypt", "Decrypt"):
        found["EncryptionAlgorithm"] = SYMMETRIC if key.metadata["KeySpec"] == SYMMETRIC else RSA_ALGORITHM
    elif operation in ("Sign", "Verify"):
        found |= {"SigningAlgorithm": key.metadata["SigningAlgorithms"][0], "MessageType": "RAW"}
    elif operation in ("GenerateMac", "VerifyMac"):
        found["MacAlgorithm"] = key.metadata["MacAlgorithms"][0]
    elif operation == "DeriveSharedSecret":
        found["KeyAgreementAlgorithm"] = "ECDH"
    elif operation.startswith("GenerateDataKeyPair"):
        found["KeyPairSpec"] = "ECC_NIST_P256"
    elif operation == "CreateGrant":
        found |= {"GranteePrincipal": grantee or f"{_root(key)}", "Operations": [grantable(key)]}
        if context and takes_context("Decrypt", key):
            found["Constraints"] = {"EncryptionContextEquals": dict(context)}
    elif operation == "ReplicateKey":
        found["ReplicaRegion"] = "eu-west-1"
    return found


def grantable(key: Key) -> str:
    """The most secret operation of a key that a grant can give."""
    return {
        "SIGN_VERIFY": "Sign",
        "GENERATE_VERIFY_MAC": "GenerateMac",
        "KEY_AGREEMENT": "DeriveSharedSecret",
    }.get(str(key.metadata["KeyUsage"]), "Decrypt")


def takes_context(operation: str, key: Key) -> bool:
    """Whether a request has an encryption context: operations of symmetric encryption keys."""
    return operation in SYMMETRIC_OPERATIONS and key.metadata["KeySpec"] == SYMMETRIC


def request(
    reading: Reading,
    operation: str,
    key: Key,
    *,
    via: str = "",
    context: Mapping[str, str] | None = None,
    grantee: str = "",
    **condition_keys: Any,
) -> Request:
    """A request on a key as its policies see it.

    Args:
        reading: whose account and Region it is in.
        operation: the permission without ``kms:``.
        key: on which.
        via: the service that calls for its caller; empty for a direct call.
        context: the encryption context, of the request or of a grant's constraint; the lab's when None.
        grantee: ARN of whom a grant is for.
        condition_keys: further ones.
    """
    context = ENCRYPTION_CONTEXT if context is None else context
    for_service = {"kms:GrantIsForAWSResource": True} if via and operation == "CreateGrant" else {}
    return kms_request(
        operation,
        key.arn,
        account=reading.account,
        metadata=key.metadata,
        aliases=key.aliases,
        tags=key.tags,
        parameters=parameters(operation, key, {} if via else context, grantee),
        context=context if takes_context(operation, key) else None,
        via_service=via,
        region=reading.region,
        condition_keys={**of_connection(reading), **for_service, **condition_keys},
    )


def of_connection(reading: Reading) -> dict[str, Any]:
    """Condition keys of a request over TLS to the target's Region."""
    return {"aws:SecureTransport": True, "aws:RequestedRegion": reading.region}


def _root(key: Key) -> str:
    fields = key.arn.split(":")
    return f"arn:{fields[1]}:iam::{fields[4]}:root"
