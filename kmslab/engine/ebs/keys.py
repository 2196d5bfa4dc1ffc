"""EBS uses a KMS key for whoever creates, copies, attaches or reads: the rules and EC2's errors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kmslab.engine.authorization.on_behalf import use_key

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kmslab.engine.events import Refusal

    Response = tuple[int, dict[str, str], bytes | str]

MANAGED_KEY = "alias/aws/ebs"
NEW = ("DescribeKey", "CreateGrant", "GenerateDataKeyWithoutPlaintext")
"""What EBS asks of KMS for a new encrypted volume or snapshot (EBS User Guide, "Requirements for Amazon EBS
encryption": the permissions of the caller)."""
ATTACH = ("CreateGrant", "Decrypt")
GRANT = {
    "kms:GrantIsForAWSResource": "true",
    "kms:GrantOperations": ["Decrypt"],
    "kms:GrantConstraintType": "EncryptionContextSubset",
}
"""The grant that EBS makes for the instance: it may decrypt the data key of this volume only."""


def use(operations: Sequence[str], key_ref: str, resource_id: str) -> tuple[str, Refusal | None]:
    """Use a key for a volume or snapshot, with each operation in turn until one is refused.

    Returns: the key's ARN and None, or an empty string and the refusal.
    """
    arn = ""
    for operation in operations:
        context = None if operation == "DescribeKey" else {"aws:ebs:id": resource_id}
        further: dict[str, Any] = GRANT if operation == "CreateGrant" else {}
        key, refusal = use_key("ec2", operation, key_ref, context, **further)
        if key is None:
            return "", refusal
        arn = key["Arn"]
    return arn, None
