"""The grants of the engine's keys. Source: KMS Developer Guide, "Grants in AWS KMS"."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kmslab.engine.kms.records import KeyRecord


def grants_of(key: KeyRecord) -> Iterator[dict[str, Any]]:
    """The key's grants, whoever asks."""
    from ministack.services import kms

    _, _, _, region, account, _ = key["Arn"].split(":", 5)
    return (grant for grant in kms._grants.values_scoped(account, region) if grant["KeyId"] == key["Arn"])


def is_principal(named: str | None, principal_arn: str) -> bool:
    """Whether a grant's principal is the caller: the same ARN, the session's role, or the account's root."""
    from kmslab.engine.authorization.evaluation import role_arn

    return bool(named) and named in (principal_arn, role_arn(principal_arn))


def digest_of(token: str) -> str:
    """What the engine keeps of a grant token: nobody can read a token out of the stored grants."""
    return hashlib.sha256(token.encode()).hexdigest()


def grant_of_token(token: str) -> dict[str, Any] | None:
    """The grant that a token stands for, on any key; None when it is no token of a grant that exists.

    A grant counts here from the moment it is made, so its token adds nothing to it, unless changes count late
    (`kmslab.engine.authorization.settling`).
    """
    from ministack.services import kms

    digest = digest_of(token)
    return next((grant for grant in list(kms._grants._data.values()) if digest in grant["_tokens"]), None)
