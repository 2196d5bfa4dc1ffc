"""Multi-Region keys, AWS managed keys, and what both must not do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.engine.conftest import refused

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.engine.conftest import Engine

ELSEWHERE = "eu-west-1"


@pytest.fixture
def there(engine: Engine) -> Any:
    return engine.client("kms", region=ELSEWHERE)


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
    assert replica["MultiRegionConfiguration"] == {
        "MultiRegionKeyType": "REPLICA",
        "PrimaryKey": {"Arn": primary["Arn"], "Region": engine.region},
        "ReplicaKeys": [{"Arn": replica["Arn"], "Region": ELSEWHERE}],
    }
    assert there.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"
    kms.rotate_key_on_demand(KeyId=primary["KeyId"])
    rotated = kms.encrypt(KeyId=primary["KeyId"], Plaintext=b"y")["CiphertextBlob"]
    assert there.decrypt(CiphertextBlob=rotated)["Plaintext"] == b"y"
    with refused("UnsupportedOperationException", "replica"):
        there.rotate_key_on_demand(KeyId=primary["KeyId"])
    with refused("AlreadyExistsException"):
        kms.replicate_key(KeyId=primary["KeyId"], ReplicaRegion=ELSEWHERE)
    there.disable_key(KeyId=primary["KeyId"])
    assert kms.describe_key(KeyId=primary["KeyId"])["KeyMetadata"]["KeyState"] == "Enabled"


def test_a_primary_waits_for_its_replicas_before_it_goes(kms: Any, there: Any) -> None:
    key = kms.create_key(MultiRegion=True)["KeyMetadata"]["KeyId"]
    kms.replicate_key(KeyId=key, ReplicaRegion=ELSEWHERE)
    answer = kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    assert answer["KeyState"] == "PendingReplicaDeletion"
    assert "DeletionDate" not in answer
    assert kms.describe_key(KeyId=key)["KeyMetadata"]["PendingDeletionWindowInDays"] == 7
    assert there.schedule_key_deletion(KeyId=key)["KeyState"] == "PendingDeletion"
    kms.cancel_key_deletion(KeyId=key)
    assert kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] == "Disabled"


def test_the_primary_can_move(engine: Engine, kms: Any, there: Any) -> None:
    key = kms.create_key(MultiRegion=True)["KeyMetadata"]["KeyId"]
    kms.replicate_key(KeyId=key, ReplicaRegion=ELSEWHERE)
    kms.update_primary_region(KeyId=key, PrimaryRegion=ELSEWHERE)
    described = there.describe_key(KeyId=key)["KeyMetadata"]["MultiRegionConfiguration"]
    assert described["MultiRegionKeyType"] == "PRIMARY"
    assert [member["Region"] for member in described["ReplicaKeys"]] == [engine.region]
    with refused("UnsupportedOperationException"):
        kms.update_primary_region(KeyId=key, PrimaryRegion=ELSEWHERE)


def test_a_single_region_key_has_no_replica(kms: Any, there: Any, make_key: Callable[..., str]) -> None:
    key = make_key()
    with refused("UnsupportedOperationException", "not a multi-Region key"):
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
