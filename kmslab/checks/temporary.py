"""Keys that checks make for themselves, where the lab's own keys must not be touched.

Made by the operator under KMS's default key policy, which hands the decision to IAM: exactly
what the lab's keys do not do, so such a key also shows the difference. A key cannot be deleted
at once; what is left is a key pending deletion, which costs nothing and cannot be used.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from kmslab.checks.samples import settle_seconds, soon
from kmslab.lab import Inconclusive
from kmslab.model.naming import PREFIX_TAG, TEMPORARY_TAG
from kmslab.model.persona import Persona

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kmslab.lab import Access, Lab

SHORTEST_WINDOW_DAYS = 7
"""The shortest deletion window that KMS accepts (KMS Developer Guide, "Deleting AWS KMS keys")."""
GRANT_NAME = "kmslab-temporary"
"""How checks name the grants that they create: a grant cannot be tagged."""
STOPPED_TAG = "kmslab:stopped"
"""Tag on a key of the lab while a check has it disabled; the value is the run's id."""


def temporary_key(lab: Lab, description: str, **parameters: Any) -> str:
    """Make a key for this check alone, for what changes a key's state or material.

    Returns: its ARN. It is scheduled for deletion when the check ends.
    """
    arn = _create(lab, description, parameters)
    lab.undo(lambda: discard(lab.access, arn))
    _wait_until_known(lab, arn)
    return arn


def scratch_key(lab: Lab, which: str = "first") -> str:
    """Return a symmetric key that the checks of one run share and whose state none of them changes.

    Made at the first call, scheduled for deletion at the end of the run (`kmslab.checks.sweep.retire`):
    a run leaves two keys pending deletion for all these checks together.
    """

    def make() -> str:
        arn = _create(lab, f"the checks of one run share it ({which})", {})
        scratch_keys(lab.access, lab.run_id).append(arn)
        _wait_until_known(lab, arn)
        return arn

    return lab.access.once(("scratch key", lab.run_id, which), make)


def scratch_keys(access: Access, run_id: str) -> list[str]:
    """ARNs of the scratch keys that a run has made so far."""
    return access.once(("scratch keys", run_id), list[str])


def put_own_policy(lab: Lab, key: str = "") -> None:
    """Put on a temporary key the policy that it has: the positive control of a refused PutKeyPolicy.

    Args:
        lab: the check's lab.
        key: a key that the operator made; the run's first scratch key unless given.
    """
    key = key or scratch_key(lab)
    policy = lab.read("kms:GetKeyPolicy", persona=Persona.OPERATOR, KeyId=key, PolicyName="default")["Policy"]
    lab.allowed(Persona.OPERATOR, "kms:PutKeyPolicy", KeyId=key, PolicyName="default", Policy=policy)


@contextmanager
def stopped(lab: Lab, key: str) -> Iterator[None]:
    """Have the key administrator disable one of the lab's keys for a while.

    The key is tagged first: if the run dies before it enables the key again, the next run does
    (`kmslab.checks.sweep`). A key that somebody else disabled has no such tag and is left alone.

    Raises:
        Inconclusive: the key was not enabled in the first place.
    """
    administrator = Persona.KEY_ADMINISTRATOR
    state = lab.read("kms:DescribeKey", KeyId=key)["KeyMetadata"]["KeyState"]
    if state != "Enabled":
        raise Inconclusive(f"the key is {state} already: enable it first")
    tags = [{"TagKey": STOPPED_TAG, "TagValue": lab.run_id}]
    lab.allowed(administrator, "kms:TagResource", KeyId=key, Tags=tags)
    lab.undo(lambda: restart(lab.access, key))
    lab.allowed(administrator, "kms:DisableKey", KeyId=key)
    yield
    lab.allowed(administrator, "kms:EnableKey", KeyId=key)
    lab.wait_until(
        lambda: lab.read("kms:DescribeKey", KeyId=key)["KeyMetadata"]["KeyState"] == "Enabled",
        "the key's return to service",
        seconds=settle_seconds(lab) + 30,
    )


def restart(access: Access, key: str) -> None:
    """Enable a key that `stopped` disabled and take its tag away."""
    kms = access.client(Persona.KEY_ADMINISTRATOR, "kms")
    kms.enable_key(KeyId=key)
    kms.untag_resource(KeyId=key, TagKeys=[STOPPED_TAG])


def discard(access: Access, arn: str) -> None:
    """Schedule the deletion of a key unless that has been done."""
    kms = access.client(Persona.OPERATOR, "kms")
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


def _wait_until_known(lab: Lab, arn: str) -> None:
    """A new key may not be known everywhere at once (KMS Developer Guide, "Eventual consistency")."""
    soon(lab, lambda: lab.read("kms:DescribeKey", persona=Persona.OPERATOR, KeyId=arn))
