"""Names that more than one room needs, each made in one place."""

from __future__ import annotations

PREFIX_TAG = "kmslab:prefix"
"""Tag on everything the lab creates; the value is the lab's prefix."""
TEMPORARY_TAG = "kmslab:temporary"
"""Tag on what a check creates for itself; swept by the next run. The value is the run's id."""
ENCRYPTION_CONTEXT = {"kmslab": "training"}
"""The encryption context that the data owner must use with the app key."""


def stack_name(prefix: str, stack: str) -> str:
    """Name of a CloudFormation stack: ``kms-lab-keys``."""
    return f"{prefix}-{stack}"


def role_name(prefix: str, persona: str) -> str:
    """Name of a persona's IAM role: ``kms-lab-data-owner``."""
    return f"{prefix}-{persona}"


def alias_name(prefix: str, key: str) -> str:
    """Alias of a key: ``alias/kms-lab/s3``."""
    return f"alias/{prefix}/{key}"


def secure_string_name(prefix: str) -> str:
    """Name of the SSM SecureString that the tooling creates, since CloudFormation cannot."""
    return f"/{prefix}/secure-string"
