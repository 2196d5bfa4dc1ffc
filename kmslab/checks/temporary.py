"""Keys that checks make for themselves, where the lab's own keys must not be touched.

Made by the operator under KMS's default key policy, which hands the decision to IAM: exactly
what the lab's keys do not do, so such a key also shows the difference. A key cannot be deleted
at once; what is left is a key pending deletion, which costs nothing and cannot be used.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from kmslab.checks.samples import settle_seconds, soon, temporary_tags
from kmslab.lab import Inconclusive
from kmslab.model.evidence import code_of
from kmslab.model.persona import Persona

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from kmslab.lab import Access, Lab

SHORTEST_WINDOW_DAYS = 7
"""The shortest deletion window that KMS accepts (KMS Developer Guide, "Deleting AWS KMS keys")."""
GRANT_NAME = "kmslab-temporary"
"""How the names of grants begin that checks create: a grant cannot be tagged."""
LEAVING = frozenset({"PendingDeletion", "PendingReplicaDeletion"})
"""States of a key whose deletion is scheduled; the second is that of a primary whose replicas go first."""
REPLICA_REGIONS = {
    "aws": ("us-west-2", "us-east-1"),
    "aws-cn": ("cn-north-1", "cn-northwest-1"),
    "aws-us-gov": ("us-gov-west-1", "us-gov-east-1"),
}
"""Where checks put replicas, by partition: keys are replicated within one (KMS Developer Guide)."""
SAMPLE = b"kmslab"
"""What is encrypted with such keys."""
STOPPED_TAG = "kmslab:stopped"
"""Tag on a key of the lab while a check has it disabled; the value is the run's id."""


def is_ours(grant: Mapping[str, Any]) -> bool:
    """Say whether a check made a grant, as ListGrants describes it."""
    return str(grant.get("Name", "")).startswith(GRANT_NAME)


def temporary_key(lab: Lab, description: str, **parameters: Any) -> str:
    """Make a key for this check alone, for what changes a key's state or material.

    Returns: its ARN. It is scheduled for deletion when the check ends.
    """
    arn = _create(lab, description, parameters)
    lab.undo(lambda: discard(lab.access, arn))
    _wait_until_known(lab, arn)
    return arn


def scratch_key(lab: Lab, which: str = "first", **parameters: Any) -> str:
    """Return a key that the checks of one run share and whose state none of them changes.

    Made at the first call, scheduled for deletion at the end of the run (`kmslab.checks.sweep.retire`):
    a run leaves one key of each kind pending deletion for all these checks together.

    Args:
        lab: the check's lab.
        which: name of the key within the run; the same name is the same key.
        parameters: of CreateKey; a symmetric encryption key without any.
    """

    def make() -> str:
        arn = _create(lab, f"the checks of one run share it ({which})", parameters)
        scratch_keys(lab.access, lab.run_id).append(arn)
        _wait_until_known(lab, arn)
        return arn

    return lab.access.once(("scratch key", lab.run_id, which), make)


def scratch_key_of_kind(lab: Lab, spec: str, usage: str) -> str:
    """Return the run's shared key of a key spec and usage: an RSA key takes a while to make."""
    return scratch_key(lab, f"{spec} for {usage}", KeySpec=spec, KeyUsage=usage)


def scratch_keys(access: Access, run_id: str) -> list[str]:
    """ARNs of the scratch keys that a run has made so far."""
    return access.once(("scratch keys", run_id), list[str])


def seen_leaving(access: Access, run_id: str) -> set[str]:
    """ARNs of the keys of earlier runs that the sweep before this run has seen waiting for their deletion."""
    return access.once(("seen leaving", run_id), set[str])


def put_own_policy(lab: Lab, key: str = "") -> None:
    """Put on a temporary key the policy that it has: the positive control of a refused PutKeyPolicy.

    Args:
        lab: the check's lab.
        key: a key that the operator made; the run's first scratch key unless given.
    """
    key = key or scratch_key(lab)
    policy = lab.read("kms:GetKeyPolicy", persona=Persona.OPERATOR, KeyId=key, PolicyName="default")["Policy"]
    lab.allowed(Persona.OPERATOR, "kms:PutKeyPolicy", KeyId=key, PolicyName="default", Policy=policy)


def metadata_of(lab: Lab, key: str) -> dict[str, Any]:
    """What KMS tells the operator, who made it, about a temporary key."""
    metadata: dict[str, Any] = lab.read("kms:DescribeKey", persona=Persona.OPERATOR, KeyId=key)["KeyMetadata"]
    return metadata


def encrypted_with(lab: Lab, key: str) -> bytes:
    """Encrypt `SAMPLE` with a temporary key, as the operator."""
    blob: bytes = lab.allowed(Persona.OPERATOR, "kms:Encrypt", KeyId=key, Plaintext=SAMPLE)["CiphertextBlob"]
    return blob


@contextmanager
def stopped(lab: Lab, key: str) -> Iterator[None]:
    """Have the key administrator disable one of the lab's keys for a while.

    The key is tagged first: if the run dies before it enables the key again, the next run does
    (`kmslab.checks.sweep`). A key that somebody else disabled has no such tag and is left alone.

    Raises:
        Inconclusive: the key was not enabled in the first place.
    """
    administrator = Persona.KEY_ADMINISTRATOR
    turn = lab.access.once(("stopping", key), threading.RLock)
    turn.acquire()
    lab.undo(turn.release)  # after the key's return, which is undone first
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
    """Schedule the deletion of a key, in whichever Region, unless that has been done."""
    from botocore.exceptions import ClientError

    kms = access.client(Persona.OPERATOR, "kms", region=arn.split(":")[3])
    try:
        kms.schedule_key_deletion(KeyId=arn, PendingWindowInDays=SHORTEST_WINDOW_DAYS)
    except ClientError as error:
        if code_of(error) != "KMSInvalidStateException":
            raise
        if kms.describe_key(KeyId=arn)["KeyMetadata"]["KeyState"] not in LEAVING:
            raise


def other_region(lab: Lab) -> str:
    """The Region for replicas: another of the target's partition that needs no opting in."""
    return next(name for name in REPLICA_REGIONS[lab.access.partition] if name != lab.access.target.region)


def key_tags(lab: Lab) -> list[dict[str, str]]:
    """The tags of a temporary key, in KMS's spelling."""
    return [{"TagKey": tag["Key"], "TagValue": tag["Value"]} for tag in temporary_tags(lab)]


def _create(lab: Lab, description: str, parameters: dict[str, Any]) -> str:
    answer = lab.read(
        "kms:CreateKey",
        persona=Persona.OPERATOR,
        Description=f"kmslab check: {description}",
        Tags=key_tags(lab),
        **parameters,
    )
    return str(answer["KeyMetadata"]["Arn"])


def _wait_until_known(lab: Lab, arn: str) -> None:
    """A new key may not be known everywhere at once (KMS Developer Guide, "Eventual consistency")."""
    if settle_seconds(lab):
        soon(lab, lambda: metadata_of(lab, arn))
