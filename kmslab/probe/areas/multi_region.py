"""Multi-Region keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kmslab.probe.codes import DISABLED, NOT_FOUND, UNREADABLE, UNSUPPORTED, VALIDATION
from kmslab.probe.model import probe
from kmslab.probe.samples import PLAINTEXT
from kmslab.probe.sources import api, guide

if TYPE_CHECKING:
    from kmslab.probe.bench import Bench

REPLICATED_SECONDS = 10.0
THIRD_REGION = "eu-west-1"


def _primary(bench: Bench, **parameters: object) -> str:
    return bench.key(MultiRegion=True, **parameters)


def replicated(bench: Bench, primary: str, **parameters: Any) -> str:
    """Replicate a key into the other Region and wait until it can be used; returns the replica's ARN."""
    bench.works(
        "ReplicateKey", KeyId=primary, ReplicaRegion=bench.other_region, Tags=bench.key_tags, **parameters
    )
    return await_replica(bench, primary)


def await_replica(bench: Bench, primary: str) -> str:
    """Wait until the replica in the other Region can be used, and discarded; returns its ARN."""
    arn = primary.replace(bench.region, bench.other_region)
    bench.discard_later(arn)

    def ready() -> bool:
        about = bench.make("DescribeKey", KeyId=arn, region=bench.other_region)["KeyMetadata"]
        return bool(about["KeyState"] == "Enabled")

    bench.wait(ready, "replica that can be used", seconds=REPLICATED_SECONDS)
    return arn


@probe(guide("multi-region-keys-overview"))
def a_multi_region_key_has_an_id_of_its_own_kind(bench: Bench) -> None:
    """The id of a multi-Region key begins with mrk-, and its metadata say that it is the primary.

    A single-Region key has neither.
    """
    about = bench.works("DescribeKey", KeyId=_primary(bench))["KeyMetadata"]
    bench.sees("the id begins with mrk-", about["KeyId"].startswith("mrk-"))
    bench.equal("MultiRegion", about["MultiRegion"], expected=True)
    bench.equal("its kind", about["MultiRegionConfiguration"]["MultiRegionKeyType"], "PRIMARY")
    single = bench.works("DescribeKey", KeyId=bench.shared_key())["KeyMetadata"]
    bench.contrasts("a single-Region key has another id", not single["KeyId"].startswith("mrk-"))
    bench.contrasts("and no such configuration", "MultiRegionConfiguration" not in single)


@probe(api("ReplicateKey"))
def a_replica_opens_what_the_primary_sealed(bench: Bench) -> None:
    """A replica has the id and the material of its primary.

    It decrypts the primary's ciphertext in its Region; a single-Region key's ciphertext is refused there.
    """
    primary = _primary(bench)
    replica = replicated(bench, primary)
    bench.equal("the id", replica.rpartition("/")[2] == primary.rpartition("/")[2], expected=True)
    blob = bench.make("Encrypt", KeyId=primary, Plaintext=PLAINTEXT)["CiphertextBlob"]
    opened = bench.works("Decrypt", CiphertextBlob=blob, region=bench.other_region)
    bench.sees("the plaintext comes back", opened["Plaintext"] == PLAINTEXT)
    single = bench.make("Encrypt", KeyId=bench.shared_key(), Plaintext=PLAINTEXT)["CiphertextBlob"]
    codes = (UNREADABLE, NOT_FOUND, "AccessDeniedException")
    bench.refuses(codes, "Decrypt", CiphertextBlob=single, region=bench.other_region)


@probe(api("ReplicateKey"))
def a_single_region_key_has_no_replicas(bench: Bench) -> None:
    """ReplicateKey takes multi-Region primary keys only.

    A primary is replicated; a single-Region key is UnsupportedOperationException.
    """
    replicated(bench, _primary(bench))
    bench.refuses(
        UNSUPPORTED,
        "ReplicateKey",
        KeyId=bench.shared_key(),
        ReplicaRegion=bench.other_region,
    )


@probe(api("ReplicateKey"))
def one_replica_in_a_region(bench: Bench) -> None:
    """A Region holds one replica of a key.

    The first ReplicateKey works; the second into the same Region is AlreadyExistsException.
    """
    primary = _primary(bench)
    replicated(bench, primary)
    bench.refuses("AlreadyExistsException", "ReplicateKey", KeyId=primary, ReplicaRegion=bench.other_region)


@probe(api("ReplicateKey"))
def a_replica_is_not_replicated(bench: Bench) -> None:
    """Replicas are made of the primary key only.

    The primary is replicated; ReplicateKey of the replica is UnsupportedOperationException.
    """
    replica = replicated(bench, _primary(bench))
    bench.refuses(
        UNSUPPORTED,
        "ReplicateKey",
        KeyId=replica,
        ReplicaRegion=THIRD_REGION,
        region=bench.other_region,
    )


@probe(api("DescribeKey"))
def both_know_each_other(bench: Bench) -> None:
    """Primary and replica name each other in their metadata.

    The replica names its primary and is a REPLICA; before the replication the primary names none.
    """
    primary = _primary(bench)
    family = bench.works("DescribeKey", KeyId=primary)["KeyMetadata"]["MultiRegionConfiguration"]
    bench.contrasts("at first there are no replicas", family["ReplicaKeys"] == [])
    replica = replicated(bench, primary)
    family = bench.make("DescribeKey", KeyId=primary)["KeyMetadata"]["MultiRegionConfiguration"]
    bench.equal("the replicas", [one["Arn"] == replica for one in family["ReplicaKeys"]], [True])
    about = bench.make("DescribeKey", KeyId=replica, region=bench.other_region)["KeyMetadata"]
    family = about["MultiRegionConfiguration"]
    bench.equal("the replica's kind", family["MultiRegionKeyType"], "REPLICA")
    bench.equal("its primary", family["PrimaryKey"]["Arn"] == primary, expected=True)


@probe(guide("multi-region-keys-overview"))
def policies_are_not_shared(bench: Bench) -> None:
    """Key policies, descriptions and tags of primary and replica are independent.

    A changed description is seen in its Region only.
    """
    primary = _primary(bench, Description="old")
    replica = replicated(bench, primary)
    bench.works("UpdateKeyDescription", KeyId=primary, Description="new")
    here = bench.make("DescribeKey", KeyId=primary)["KeyMetadata"]["Description"]
    bench.equal("the primary's description", here, "new")
    there = bench.make("DescribeKey", KeyId=replica, region=bench.other_region)["KeyMetadata"]
    bench.contrasts("the replica's stays", there["Description"] != "new")


@probe(guide("multi-region-keys-overview"))
def states_are_not_shared(bench: Bench) -> None:
    """Primary and replica have states of their own.

    With the primary disabled, Encrypt is DisabledException there and works with the replica.
    """
    primary = _primary(bench)
    replica = replicated(bench, primary)
    bench.make("DisableKey", KeyId=primary)
    bench.refuses(DISABLED, "Encrypt", KeyId=primary, Plaintext=PLAINTEXT)
    bench.works("Encrypt", KeyId=replica, Plaintext=PLAINTEXT, region=bench.other_region)


@probe(guide("rotate-keys#multi-region-rotate"))
def rotation_is_set_on_the_primary(bench: Bench) -> None:
    """Rotation is a shared property, set on the primary key.

    EnableKeyRotation works there and is seen in the replica; on the replica it is UnsupportedOperationException.
    """
    primary = _primary(bench)
    replica = replicated(bench, primary)
    bench.works("EnableKeyRotation", KeyId=primary)
    status = bench.make("GetKeyRotationStatus", KeyId=replica, region=bench.other_region)
    bench.equal("the replica's rotation", status["KeyRotationEnabled"], expected=True)
    bench.refuses(UNSUPPORTED, "EnableKeyRotation", KeyId=replica, region=bench.other_region)


@probe(api("ScheduleKeyDeletion"))
def replicas_go_first(bench: Bench) -> None:
    """A primary is not deleted before its replicas.

    Scheduled, it is PendingReplicaDeletion while one is left; one without replicas is PendingDeletion.
    """
    primary, alone = _primary(bench), _primary(bench)
    replicated(bench, primary)
    said = bench.works("ScheduleKeyDeletion", KeyId=primary, PendingWindowInDays=7)
    bench.equal("KeyState", said["KeyState"], "PendingReplicaDeletion")
    said = bench.works("ScheduleKeyDeletion", KeyId=alone, PendingWindowInDays=7)
    bench.contrasts("without replicas it is PendingDeletion", said["KeyState"] == "PendingDeletion")


@probe(api("UpdatePrimaryRegion"))
def another_key_can_become_the_primary(bench: Bench) -> None:
    """UpdatePrimaryRegion makes a replica the primary, and the primary a replica.

    It needs a replica there: for a Region without one it is refused.
    """
    primary = _primary(bench)
    replica = replicated(bench, primary)
    codes = (NOT_FOUND, VALIDATION, UNSUPPORTED)
    bench.refuses(codes, "UpdatePrimaryRegion", KeyId=primary, PrimaryRegion=THIRD_REGION)
    bench.works("UpdatePrimaryRegion", KeyId=primary, PrimaryRegion=bench.other_region)

    def moved() -> bool:
        about = bench.make("DescribeKey", KeyId=replica, region=bench.other_region)["KeyMetadata"]
        kind = about["MultiRegionConfiguration"]["MultiRegionKeyType"]
        return bool(kind == "PRIMARY" and about["KeyState"] == "Enabled")

    bench.wait(moved, "primary in the other Region", seconds=REPLICATED_SECONDS)
    about = bench.make("DescribeKey", KeyId=primary)["KeyMetadata"]
    bench.equal("the old primary", about["MultiRegionConfiguration"]["MultiRegionKeyType"], "REPLICA")


@probe(guide("rotate-keys#multi-region-rotate"))
def a_rotation_reaches_the_replica(bench: Bench) -> None:
    """Material that the primary rotates to is in its replicas as well.

    What the primary encrypts after a rotation opens in the other Region, and not with a changed byte.
    """
    primary = _primary(bench)
    replicated(bench, primary)
    bench.works("RotateKeyOnDemand", KeyId=primary)

    def rotated() -> bool:
        return bool(bench.make("ListKeyRotations", KeyId=primary)["Rotations"])

    bench.wait(rotated, "rotation in the history", seconds=REPLICATED_SECONDS)
    blob = bench.make("Encrypt", KeyId=primary, Plaintext=PLAINTEXT)["CiphertextBlob"]
    bench.works("Decrypt", CiphertextBlob=blob, region=bench.other_region)
    changed = blob[:-1] + bytes([blob[-1] ^ 1])
    bench.refuses(UNREADABLE, "Decrypt", CiphertextBlob=changed, region=bench.other_region)
