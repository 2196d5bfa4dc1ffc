"""Multi-Region keys: one key material in several Regions, and everything else in each Region on its own.

The checks of one run share a primary key and its replica, made by the operator; both are on their way out
when the run ends. S3 and other services treat a multi-Region key like any key of one Region: there is
nothing to show about them here.
"""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Any

from kmslab.checks.registry import check
from kmslab.checks.samples import refused_soon, settle_seconds, soon
from kmslab.checks.temporary import (
    SAMPLE,
    SHORTEST_WINDOW_DAYS,
    discard,
    encrypted_with,
    key_tags,
    metadata_of,
    other_region,
    scratch_key,
    scratch_keys,
    temporary_key,
)
from kmslab.model.capability import Capability
from kmslab.model.persona import Persona

if TYPE_CHECKING:
    from kmslab.lab import Lab

GUIDE = "14-multi-region"
"""What is shown above all is that a replica's key policy is nobody's but the replica's."""
OPERATOR = Persona.OPERATOR
NEEDS = frozenset({Capability.MULTI_REGION})
ELSEWHERE = frozenset({"AccessDeniedException", "InvalidCiphertextException", "NotFoundException"})
"""What KMS may answer to a ciphertext whose key is not in the Region: it does not say which."""
UNSUPPORTED = frozenset({"UnsupportedOperationException"})
REPLICATION_SECONDS = 60.0
PERIOD_DAYS = 180


@check(guide=GUIDE, needs=NEEDS, changes_keys=True)
def one_key_in_two_regions(lab: Lab) -> str:
    """What is encrypted in one Region opens in another, where the key has a replica, without a call between them.

    Primary and replica have one key id and one key material. They are two keys all the same, with an ARN each.
    A key of one Region has no such relative: its ciphertext does not open elsewhere.
    """
    primary, replica, there = _family(lab)
    for one, where, kind in ((primary, lab, "PRIMARY"), (replica, there, "REPLICA")):
        about = metadata_of(where, one)
        found = about["MultiRegionConfiguration"]["MultiRegionKeyType"]
        lab.expect(found == kind, f"the key in {where.region} is a {found}, not the {kind}")
        lab.expect(about["KeyId"] == primary.rpartition("/")[2], "the two keys have different key ids")
    for here, source, away, target in ((lab, primary, there, replica), (there, replica, lab, primary)):
        blob = encrypted_with(here, source)
        known, opened = _open(here, source, blob), soon(away, partial(_open, away, target, blob))
        lab.expect(opened["Plaintext"] == SAMPLE, "another plaintext came back")
        lab.expect(known["KeyMaterialId"] == opened["KeyMaterialId"], "the two keys used different material")
    there.refused(
        OPERATOR, "kms:Decrypt", codes=ELSEWHERE, CiphertextBlob=encrypted_with(lab, scratch_key(lab))
    )
    return (
        f"{lab.region} and {there.region} open each other's ciphertexts; a single-Region key's stays closed"
    )


@check(guide=GUIDE, needs=NEEDS, changes_keys=True)
def policy_and_tags_stay_in_their_region(lab: Lab) -> str:
    """A replica has a key policy, tags and a description of its own: nothing keeps them in step.

    Whoever tightens the primary's policy and forgets a replica has tightened nothing: the same material
    is there under the old one. So whoever may replicate a key decides who may use it.
    """
    primary, replica, there = _family(lab)
    before = _policy(there, replica)
    policy = json.loads(_policy(lab, primary))
    policy["Id"] = f"kmslab-{lab.run_id}"
    lab.allowed(OPERATOR, "kms:PutKeyPolicy", KeyId=primary, PolicyName="default", Policy=json.dumps(policy))
    mark = {"TagKey": "kmslab:region", "TagValue": lab.region}
    lab.allowed(OPERATOR, "kms:TagResource", KeyId=primary, Tags=[mark])
    soon(lab, lambda: lab.expect(mark in _tags(lab, primary), "the primary did not take its new tag"))
    soon(
        lab, lambda: lab.expect(policy["Id"] in _policy(lab, primary), "the primary did not take its policy")
    )
    lab.expect(_policy(there, replica) == before, "the replica's policy changed with the primary's")
    lab.expect(mark not in _tags(there, replica), "the replica took the primary's tag")
    return f"a policy and a tag put on the key in {lab.region} did not reach its replica in {there.region}"


@check(guide=GUIDE, needs=NEEDS | {Capability.ROTATION}, changes_keys=True)
def rotation_is_set_on_the_primary(lab: Lab) -> str:
    """Rotation is set on the primary alone, and its replicas follow.

    That is the one setting that they share, since they share the material: were each rotated by
    itself, one could not open what the other encrypted. The replica itself refuses to be rotated.
    """
    primary, replica, there = _family(lab)
    lab.allowed(OPERATOR, "kms:EnableKeyRotation", KeyId=primary, RotationPeriodInDays=PERIOD_DAYS)
    soon(
        lab,
        lambda: lab.expect(
            _period(there, replica) == PERIOD_DAYS, "the replica does not rotate as its primary"
        ),
    )
    there.refused(OPERATOR, "kms:EnableKeyRotation", codes=UNSUPPORTED, KeyId=replica)
    before = metadata_of(there, replica)["CurrentKeyMaterialId"]
    lab.allowed(OPERATOR, "kms:RotateKeyOnDemand", KeyId=primary)
    there.refused(OPERATOR, "kms:RotateKeyOnDemand", codes=UNSUPPORTED, KeyId=replica)
    lab.wait_until(
        lambda: metadata_of(there, replica)["CurrentKeyMaterialId"] != before,
        "the replica's rotation with its primary",
        seconds=settle_seconds(lab) * 4 + 2,
    )
    same = (
        metadata_of(lab, primary)["CurrentKeyMaterialId"]
        == metadata_of(there, replica)["CurrentKeyMaterialId"]
    )
    lab.expect(same, "primary and replica have different material after a rotation")
    return "the replica follows the primary's period and its rotation, and refuses one of its own"


@check(guide=GUIDE, needs=NEEDS | {Capability.KEY_STATES}, changes_keys=True)
def the_primary_leads_and_goes_last(lab: Lab) -> str:
    """Only a primary makes replicas, one in each Region, and it cannot be deleted before the last of them.

    Its deletion may be scheduled: it then waits, unusable, as PendingReplicaDeletion. The replica goes on
    opening what the primary encrypted, so deleting a multi-Region key means deleting every one of them.
    """
    primary = temporary_key(lab, "a primary that goes last", MultiRegion=True)
    replica, there = _replicate(lab, primary)
    lab.undo(lambda: discard(lab.access, replica))
    again: dict[str, Any] = {"KeyId": primary, "ReplicaRegion": there.region}
    lab.refused(OPERATOR, "kms:ReplicateKey", codes={"AlreadyExistsException"}, **again)
    lab.refused(OPERATOR, "kms:ReplicateKey", codes=UNSUPPORTED, **{**again, "KeyId": scratch_key(lab)})
    there.refused(OPERATOR, "kms:ReplicateKey", codes=UNSUPPORTED, KeyId=replica, ReplicaRegion=lab.region)
    blob = encrypted_with(lab, primary)
    _open(lab, primary, blob)
    window = SHORTEST_WINDOW_DAYS
    lab.allowed(OPERATOR, "kms:ScheduleKeyDeletion", KeyId=primary, PendingWindowInDays=window)
    state = metadata_of(lab, primary)["KeyState"]
    lab.expect(state == "PendingReplicaDeletion", f"a primary with a replica became {state}")
    unusable = {"KMSInvalidStateException"}
    refused_soon(lab, OPERATOR, "kms:Decrypt", codes=unusable, CiphertextBlob=blob, KeyId=primary)
    lab.expect(_open(there, replica, blob)["Plaintext"] == SAMPLE, "another plaintext came back")
    return "a second replica in one Region and a replica's replica are refused; the primary waits for its replica"


def _family(lab: Lab) -> tuple[str, str, Lab]:
    """The run's primary and replica, and the lab in the replica's Region."""
    primary = scratch_key(lab, "multi-Region primary", MultiRegion=True)

    def make() -> str:
        replica, _ = _replicate(lab, primary)
        return replica

    replica = lab.access.once(("scratch replica", lab.run_id), make)
    return primary, replica, lab.in_region(other_region(lab))


def _replicate(lab: Lab, primary: str) -> tuple[str, Lab]:
    """Make a replica in another Region, and wait until it can be used; returns its ARN and the lab there."""
    there = lab.in_region(other_region(lab))
    made = lab.allowed(
        OPERATOR,
        "kms:ReplicateKey",
        KeyId=primary,
        ReplicaRegion=there.region,
        Description="kmslab check: a replica; the checks of one run may share it",
        Tags=key_tags(lab),
    )
    replica = str(made["ReplicaKeyMetadata"]["Arn"])
    scratch_keys(lab.access, lab.run_id).append(replica)
    lab.wait_until(
        lambda: soon(lab, lambda: metadata_of(there, replica))["KeyState"] == "Enabled",
        "the replica",
        seconds=settle_seconds(lab) + REPLICATION_SECONDS,
    )
    return replica, there


def _open(lab: Lab, key: str, blob: bytes) -> dict[str, Any]:
    opened: dict[str, Any] = lab.allowed(OPERATOR, "kms:Decrypt", KeyId=key, CiphertextBlob=blob)
    return opened


def _policy(lab: Lab, key: str) -> str:
    return str(lab.read("kms:GetKeyPolicy", persona=OPERATOR, KeyId=key, PolicyName="default")["Policy"])


def _tags(lab: Lab, key: str) -> list[dict[str, str]]:
    tags: list[dict[str, str]] = lab.read("kms:ListResourceTags", persona=OPERATOR, KeyId=key)["Tags"]
    return tags


def _period(lab: Lab, key: str) -> int | None:
    period: int | None = lab.read("kms:GetKeyRotationStatus", persona=OPERATOR, KeyId=key).get(
        "RotationPeriodInDays"
    )
    return period
