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


def account_note_name(prefix: str) -> str:
    """Name of the SSM parameter in which ``kmslab up`` notes the account's settings as it found them."""
    return f"/{prefix}/account-settings"


def faults_path(prefix: str) -> str:
    """Path of the SSM parameters that are the ledger of faults in place."""
    return f"/{prefix}/faults"


def is_tooling(prefix: str, parameter: str) -> bool:
    """Whether a parameter of that name belongs to the lab and to no stack: ``kmslab down`` removes those."""
    return parameter in (secure_string_name(prefix), account_note_name(prefix)) or parameter.startswith(
        f"{faults_path(prefix)}/"
    )
