"""Multi-Region keys, AWS managed keys, and what both must not do."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.engine.conftest import eventually, policy, principal_allow, refused

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.engine.conftest import Engine

ELSEWHERE = "eu-west-1"


@pytest.fixture
def there(engine: Engine) -> Any:
    return engine.client("kms", region=ELSEWHERE)


@pytest.fixture
def pair(kms: Any, there: Any) -> str:
    """The key id of a primary and of its replica elsewhere, which is ready."""
    key = str(kms.create_key(MultiRegion=True)["KeyMetadata"]["KeyId"])
    kms.replicate_key(KeyId=key, ReplicaRegion=ELSEWHERE)
    await_enabled(there, key)
    return key


def await_enabled(kms: Any, key: str) -> None:
    """Wait as AWS says one must: a replica, or a new primary, is not ready at once."""
    eventually(lambda: state(kms, key) == "Enabled")


def state(kms: Any, key: str) -> str:
    return str(kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"])


def test_a_replica_opens_what_its_primary_sealed(engine: Engine, kms: Any, there: Any) -> None:
    primary = kms.create_key(MultiRegion=True)["KeyMetadata"]
    assert primary["KeyId"].startswith("mrk-")
    assert primary["MultiRegionConfiguration"]["MultiRegionKeyType"] == "PRIMARY"
    blob = kms.encrypt(KeyId=primary["KeyId"], Plaintext=b"x")["CiphertextBlob"]
    with refused("InvalidCiphertextException"):
        there.decrypt(CiphertextBlob=blob)
    made = kms.replicate_key(KeyId=primary["KeyId"], ReplicaRegion=ELSEWHERE, Description="copy")
    replica = made["ReplicaKeyMetadata"]
    assert replica["Arn"] == primary["Arn"].replace(engine.region, ELSEWHERE)
    assert replica["Description"] == "copy"
    assert "ReplicaTags" not in made
    assert json.loads(made["ReplicaPolicy"])["Id"] == "key-default-1"
    assert replica["MultiRegionConfiguration"] == {
        "MultiRegionKeyType": "REPLICA",
        "PrimaryKey": {"Arn": primary["Arn"], "Region": engine.region},
        "ReplicaKeys": [{"Arn": replica["Arn"], "Region": ELSEWHERE}],
    }
    await_enabled(there, primary["KeyId"])
    assert there.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"
    kms.rotate_key_on_demand(KeyId=primary["KeyId"])
    rotated = kms.encrypt(KeyId=primary["KeyId"], Plaintext=b"y")["CiphertextBlob"]
    assert there.decrypt(CiphertextBlob=rotated)["Plaintext"] == b"y"
    with refused("UnsupportedOperationException", "replica"):
        there.rotate_key_on_demand(KeyId=primary["KeyId"])
    with refused("AlreadyExistsException"):
        kms.replicate_key(KeyId=primary["KeyId"], ReplicaRegion=ELSEWHERE)
    there.disable_key(KeyId=primary["KeyId"])
    assert state(kms, primary["KeyId"]) == "Enabled"


def test_a_replica_is_creating_for_a_moment(kms: Any, there: Any) -> None:
    key = kms.create_key(MultiRegion=True)["KeyMetadata"]["KeyId"]
    blob = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    replica = kms.replicate_key(KeyId=key, ReplicaRegion=ELSEWHERE)["ReplicaKeyMetadata"]
    assert (replica["KeyState"], replica["Enabled"]) == ("Creating", False)
    with refused("KMSInvalidStateException", f"{replica['Arn']} is creating."):
        there.decrypt(CiphertextBlob=blob)
    with refused("UnsupportedOperationException", f"{replica['Arn']} is not a multi-region primary key."):
        there.replicate_key(KeyId=key, ReplicaRegion=ELSEWHERE)
    assert state(kms, key) == "Enabled"
    await_enabled(there, key)
    assert there.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"


def test_tags_and_policy_are_the_replicas_own(engine: Engine, kms: Any, there: Any) -> None:
    tags = [{"TagKey": "a", "TagValue": "1"}]
    key = kms.create_key(MultiRegion=True, Tags=tags)["KeyMetadata"]["KeyId"]
    mine = [{"TagKey": "b", "TagValue": "2"}]
    own = policy(engine.own_statement())
    made = kms.replicate_key(KeyId=key, ReplicaRegion=ELSEWHERE, Tags=mine, Policy=own)
    assert made["ReplicaTags"] == mine
    assert json.loads(made["ReplicaPolicy"]) == json.loads(own)
    assert kms.list_resource_tags(KeyId=key)["Tags"] == tags
    assert there.list_resource_tags(KeyId=key)["Tags"] == mine


def test_replicas_report_the_rotation_of_whoever_is_primary(kms: Any, there: Any, pair: str) -> None:
    kms.enable_key_rotation(KeyId=pair, RotationPeriodInDays=100)
    asked = {
        name: value
        for name, value in kms.get_key_rotation_status(KeyId=pair).items()
        if name in ("RotationPeriodInDays", "NextRotationDate")
    }
    assert asked["RotationPeriodInDays"] == 100
    assert asked.items() <= there.get_key_rotation_status(KeyId=pair).items()
    kms.update_primary_region(KeyId=pair, PrimaryRegion=ELSEWHERE)
    assert asked.items() <= kms.get_key_rotation_status(KeyId=pair).items()
    await_enabled(there, pair)
    there.disable_key_rotation(KeyId=pair)
    assert kms.get_key_rotation_status(KeyId=pair)["KeyRotationEnabled"] is False


def test_a_primary_waits_for_its_replicas_before_it_goes(kms: Any, there: Any, pair: str) -> None:
    answer = kms.schedule_key_deletion(KeyId=pair, PendingWindowInDays=7)
    assert answer["KeyState"] == "PendingReplicaDeletion"
    assert "DeletionDate" not in answer
    assert kms.describe_key(KeyId=pair)["KeyMetadata"]["PendingDeletionWindowInDays"] == 7
    assert there.schedule_key_deletion(KeyId=pair)["KeyState"] == "PendingDeletion"
    kms.cancel_key_deletion(KeyId=pair)
    assert state(kms, pair) == "Disabled"


def test_the_primary_can_move(engine: Engine, kms: Any, there: Any, pair: str) -> None:
    kms.update_primary_region(KeyId=pair, PrimaryRegion=ELSEWHERE)
    assert (state(kms, pair), state(there, pair)) == ("Updating", "Updating")
    blob = kms.encrypt(KeyId=pair, Plaintext=b"x")["CiphertextBlob"]
    assert there.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"
    there.update_key_description(KeyId=pair, Description="the primary from now on")
    with refused("KMSInvalidStateException", "is updating."):
        there.disable_key(KeyId=pair)
    eventually(lambda: state(kms, pair) == "Enabled" == state(there, pair))
    described = there.describe_key(KeyId=pair)["KeyMetadata"]["MultiRegionConfiguration"]
    assert described["MultiRegionKeyType"] == "PRIMARY"
    assert [member["Region"] for member in described["ReplicaKeys"]] == [engine.region]
    with refused("UnsupportedOperationException", "is not a multi-region primary key."):
        kms.update_primary_region(KeyId=pair, PrimaryRegion=ELSEWHERE)
    with refused("NotFoundException", "no replica"):
        there.update_primary_region(KeyId=pair, PrimaryRegion="ap-south-1")


def test_both_keys_must_let_the_primary_move(engine: Engine, kms: Any) -> None:
    mover = engine.role()
    may = policy(engine.own_statement(), principal_allow(mover, "kms:UpdatePrimaryRegion"))
    key = kms.create_key(MultiRegion=True, Policy=may)["KeyMetadata"]["KeyId"]
    for region, its_policy in ((ELSEWHERE, policy(engine.own_statement())), ("eu-west-2", may)):
        kms.replicate_key(KeyId=key, ReplicaRegion=region, Policy=its_policy)
        await_enabled(engine.client("kms", region=region), key)
    theirs = engine.client("kms", mover)
    with refused("AccessDeniedException", f":kms:{ELSEWHERE}:"):
        theirs.update_primary_region(KeyId=key, PrimaryRegion=ELSEWHERE)
    theirs.update_primary_region(KeyId=key, PrimaryRegion="eu-west-2")


@pytest.mark.parametrize("region", ["mars-north-1", "us-gov-west-1", "cn-north-1"])
def test_a_replica_is_in_a_region_of_the_partition(kms: Any, region: str) -> None:
    key = kms.create_key(MultiRegion=True)["KeyMetadata"]["KeyId"]
    with refused("UnsupportedOperationException", region):
        kms.replicate_key(KeyId=key, ReplicaRegion=region)
    assert kms.describe_key(KeyId=key)["KeyMetadata"]["MultiRegionConfiguration"]["ReplicaKeys"] == []


def test_a_single_region_key_has_no_replica(kms: Any, there: Any, make_key: Callable[..., str]) -> None:
    key = make_key()
    with refused("UnsupportedOperationException", f"{key} is not a multi-region primary key."):
        kms.replicate_key(KeyId=key, ReplicaRegion=ELSEWHERE)
    with refused("NotFoundException"):
        there.describe_key(KeyId=key.rsplit("/", 1)[-1])


def test_a_managed_key_is_made_on_first_use(engine: Engine, kms: Any) -> None:
    described = kms.describe_key(KeyId="alias/aws/s3")["KeyMetadata"]
    assert (described["KeyManager"], described["KeyState"]) == ("AWS", "Enabled")
    assert kms.describe_key(KeyId="alias/aws/s3")["KeyMetadata"]["KeyId"] == described["KeyId"]
    assert kms.get_key_rotation_status(KeyId=described["KeyId"])["RotationPeriodInDays"] == 365
    with refused("NotFoundException"):
        kms.describe_key(KeyId="alias/aws/nothing")


def test_a_managed_key_is_not_for_direct_use_nor_for_change(kms: Any) -> None:
    key = kms.describe_key(KeyId="alias/aws/secretsmanager")["KeyMetadata"]["Arn"]
    with refused("AccessDeniedException", "kms:Encrypt"):
        kms.encrypt(KeyId="alias/aws/secretsmanager", Plaintext=b"x")
    for operation, parameters in (
        ("put_key_policy", {"Policy": "{}"}),
        ("schedule_key_deletion", {}),
        ("disable_key", {}),
        ("enable_key_rotation", {}),
    ):
        with refused("AccessDeniedException"):
            getattr(kms, operation)(KeyId=key, **parameters)
