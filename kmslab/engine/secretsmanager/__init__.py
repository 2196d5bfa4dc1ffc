"""Secrets Manager: secrets encrypted under KMS keys, read and written as the caller.

The operations are ours; MiniStack keeps the stores and finds this room's functions where other services ask
for a secret.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kmslab.engine.secretsmanager.records import Secret


def resolve(_stock: object, secret_id: str | None, **_scope: bool) -> tuple[str | None, Secret | None]:
    """Find a secret for IAM, which wants its whole ARN; a secret may be another account's."""
    from kmslab.engine.secretsmanager import records
    from kmslab.engine.secretsmanager.errors import SecretsError

    try:
        found = records.look_up(secret_id or "")
    except SecretsError:
        return None, None
    return (found["Name"], found) if found else (None, None)


def resolve_secret_string(
    _stock: object, secret_id: str, version_stage: str = "AWSCURRENT", version_id: str | None = None
) -> str | None:
    """Decrypt for another service, CloudFormation's dynamic references above all.

    Raises:
        ValueError: KMS refuses whoever that service acts as.
    """
    from kmslab.engine.secretsmanager.errors import SecretsError
    from kmslab.engine.secretsmanager.service import perform

    version = {"VersionId": version_id} if version_id else {"VersionStage": version_stage}
    try:
        found: dict[str, Any] = perform("GetSecretValue", {"SecretId": secret_id, **version})
    except SecretsError as error:
        if error.code == "ResourceNotFoundException":
            return None
        raise ValueError(f"The secret {secret_id} cannot be decrypted: {error.message}") from error
    value: str | None = found.get("SecretString")
    return value


def install() -> None:
    """Apply the room's hooks to MiniStack."""
    from ministack.services import secretsmanager

    from kmslab.engine.hooks import extend
    from kmslab.engine.secretsmanager import (  # noqa: F401  # importing a room registers its operations
        editing,
        lifecycle,
        passwords,
        policies,
        reading,
        replicas,
        rotation,
        service,
    )

    extend(secretsmanager, "handle_request", "method", "path", "headers", "body", "query_params")(
        service.handle_request
    )
    extend(secretsmanager, "_resolve", "secret_id")(resolve)
    extend(secretsmanager, "secret_policy_for_arn", "resource_arn")(policies.policy_for_arn)
    extend(secretsmanager, "resolve_secret_string", "secret_id", "version_stage", "version_id")(
        resolve_secret_string
    )
