"""The grants of the engine's keys. Source: KMS Developer Guide, "Grants in AWS KMS"."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kmslab.engine.kms.records import KeyRecord


def grants_of(key: KeyRecord) -> Iterator[dict[str, Any]]:
    """The key's grants, whoever asks."""
    from ministack.services import kms

    return (grant for grant in list(kms._grants._data.values()) if grant["KeyId"] == key["Arn"])


def is_principal(named: str | None, principal_arn: str) -> bool:
    """Whether a grant's principal is the caller: the same ARN, the session's role, or the account's root."""
    from kmslab.engine.authorization.evaluation import role_arn

    return bool(named) and named in (principal_arn, role_arn(principal_arn))
