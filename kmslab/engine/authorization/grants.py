"""Whether a grant allows a call. Source: KMS Developer Guide, "Grants in AWS KMS"; API reference, CreateGrant."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kmslab.engine.kms.specs import SYMMETRIC_OPERATIONS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from kmslab.engine.kms.records import KeyRecord


def grants_of(key: KeyRecord) -> Iterator[dict[str, Any]]:
    """The key's grants, whoever asks."""
    from ministack.services import kms

    return (grant for grant in list(kms._grants._data.values()) if grant["KeyId"] == key["Arn"])


def grant_allows(
    key: KeyRecord,
    principal_arn: str,
    operation: str,
    context: Mapping[str, str] | None,
    source_arn: str = "",
) -> bool:
    """Whether one of the key's grants allows the operation to the principal with this context."""
    return any(
        operation in grant["Operations"]
        and is_principal(grant.get("GranteePrincipal"), principal_arn)
        and _constraints_met(grant.get("Constraints") or {}, operation, context or {}, source_arn)
        for grant in grants_of(key)
    )


def is_principal(named: str | None, principal_arn: str) -> bool:
    """Whether a grant's principal is the caller: the same ARN, the session's role, or the account's root."""
    from kmslab.engine.authorization.evaluation import role_arn

    return bool(named) and named in (principal_arn, role_arn(principal_arn))


def _constraints_met(
    constraints: Mapping[str, Any], operation: str, context: Mapping[str, str], source_arn: str
) -> bool:
    if "SourceArn" in constraints and constraints["SourceArn"] != source_arn:
        return False
    # The constraint narrows operations that take a context; it does not touch the others.
    if operation not in SYMMETRIC_OPERATIONS:
        return True
    if "EncryptionContextEquals" in constraints and constraints["EncryptionContextEquals"] != dict(context):
        return False
    subset: Mapping[str, str] = constraints.get("EncryptionContextSubset") or {}
    return all(context.get(name) == value for name, value in subset.items())
