"""Keys that checks make for themselves, where the lab's own keys must not be touched.

Made by the operator under KMS's default key policy, which hands the decision to IAM: exactly
what the lab's keys do not do, so such a key also shows the difference. A key cannot be deleted
at once; what is left is a key pending deletion, which costs nothing and cannot be used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kmslab.lab import Inconclusive
from kmslab.model.naming import PREFIX_TAG, TEMPORARY_TAG
from kmslab.model.persona import Persona

if TYPE_CHECKING:
    from kmslab.lab import Lab

SHORTEST_WINDOW_DAYS = 7
"""The shortest deletion window that KMS accepts (KMS Developer Guide, "Deleting AWS KMS keys")."""


def temporary_key(lab: Lab, description: str, **parameters: Any) -> str:
    """Make a key for this check alone, for what changes a key's state or material.

    Returns: its ARN. It is scheduled for deletion when the check ends.
    """
    arn = _create(lab, description, parameters)
    lab.undo(lambda: discard(lab, arn))
    return arn


def scratch_key(lab: Lab, which: str = "first") -> str:
    """Return a symmetric key that the checks of one run share and whose state none of them changes.

    Made at the first call, scheduled for deletion by the sweep at the end of the run: a run
    leaves two keys pending deletion and not one per check.
    """
    arn: str = lab.access.once(
        ("scratch key", lab.run_id, which),
        lambda: _create(lab, f"the checks of one run share it ({which})", {}),
    )
    return arn


def discard(lab: Lab, arn: str) -> None:
    """Schedule the deletion of a key unless that has been done."""
    kms = lab.client(Persona.OPERATOR, "kms")
    if kms.describe_key(KeyId=arn)["KeyMetadata"]["KeyState"] != "PendingDeletion":
        kms.schedule_key_deletion(KeyId=arn, PendingWindowInDays=SHORTEST_WINDOW_DAYS)


def _create(lab: Lab, description: str, parameters: dict[str, Any]) -> str:
    from botocore.exceptions import BotoCoreError, ClientError

    tags = [
        {"TagKey": TEMPORARY_TAG, "TagValue": lab.run_id},
        {"TagKey": PREFIX_TAG, "TagValue": lab.prefix},
    ]
    try:
        answer = lab.client(Persona.OPERATOR, "kms").create_key(
            Description=f"kmslab check: {description}", Tags=tags, **parameters
        )
    except (ClientError, BotoCoreError) as error:
        raise Inconclusive(f"the operator could not make a temporary key: {error}") from error
    return str(answer["KeyMetadata"]["Arn"])
