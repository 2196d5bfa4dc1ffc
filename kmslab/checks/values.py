"""Secrets and parameters that checks make for themselves, and remove."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

from kmslab.checks.samples import temporary_tags
from kmslab.model.persona import Persona

if TYPE_CHECKING:
    from kmslab.lab import Access, Lab

SECURE = "SecureString"


def parameter_path(lab: Lab | Access) -> str:
    """Where checks put their parameters: what a crashed run left is found here."""
    return f"/{lab.prefix}/temporary/"


def secret_prefix(lab: Lab | Access) -> str:
    """How the names of checks' secrets begin: what a crashed run left is found by it."""
    return f"{lab.prefix}-temporary-"


def temporary_parameter(lab: Lab, value: str, *, kind: str = SECURE, key: str = "") -> str:
    """Have the operator store a parameter for this check alone.

    Args:
        lab: the check's lab.
        value: what is stored.
        kind: ``SecureString`` or ``String``.
        key: of a SecureString; the lab's key for secrets unless told otherwise.

    Returns: its name.
    """
    name = f"{parameter_path(lab)}{lab.run_id}-{uuid4().hex}"
    lab.undo(lambda: lab.client(Persona.OPERATOR, "ssm").delete_parameters(Names=[name]))
    under = {"KeyId": key or lab.outputs.key_secrets} if kind == SECURE else {}
    request: dict[str, Any] = {"Value": value, "Type": kind, "Tags": temporary_tags(lab), **under}
    lab.allowed(Persona.OPERATOR, "ssm:PutParameter", Name=name, **request)
    return name


def temporary_secret(lab: Lab, value: str, *, key: str = "") -> str:
    """Have the operator store a secret for this check alone.

    Args:
        lab: the check's lab.
        value: of its first version.
        key: the AWS managed key aws/secretsmanager unless told otherwise.

    Returns: its ARN. It is deleted at once when the check ends, without a recovery window.
    """
    request: dict[str, Any] = {
        "Name": f"{secret_prefix(lab)}{lab.run_id}-{uuid4().hex}",
        "SecretString": value,
        "Tags": temporary_tags(lab),
        **({"KmsKeyId": key} if key else {}),
    }
    arn = str(lab.allowed(Persona.OPERATOR, "secretsmanager:CreateSecret", **request)["ARN"])
    manager = lab.client(Persona.OPERATOR, "secretsmanager")
    lab.undo(lambda: manager.delete_secret(SecretId=arn, ForceDeleteWithoutRecovery=True))
    return arn
