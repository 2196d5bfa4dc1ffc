"""The EBS direct APIs: real blocks in and out of snapshots, under IAM and the snapshot's key."""

from __future__ import annotations

import os
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from tests.engine.conftest import allow, refused
from tests.engine.ebs import BLOCK_SIZE, checksum, put_block, snapshot_of

if TYPE_CHECKING:
    from tests.engine.conftest import Engine

EBS_ALL = allow("ebs:*")
WRITE = ("kms:DescribeKey", "kms:CreateGrant", "kms:GenerateDataKeyWithoutPlaintext", "kms:Decrypt")


def read(ebs: Any, snapshot: str) -> dict[int, bytes]:
    found = ebs.list_snapshot_blocks(SnapshotId=snapshot)["Blocks"]
    return {
        b["BlockIndex"]: ebs.get_snapshot_block(SnapshotId=snapshot, **b)["BlockData"].read() for b in found
    }


@pytest.fixture
def ebs(engine: Engine) -> Any:
    return engine.client("ebs")


@pytest.fixture
def block() -> bytes:
    return os.urandom(BLOCK_SIZE)


def test_blocks_come_back_as_they_were_written(ebs: Any, key: str, block: bytes) -> None:
    started = ebs.start_snapshot(
        VolumeSize=2, Encrypted=True, KmsKeyArn=key, Description="d", Tags=[{"Key": "a", "Value": "b"}]
    )
    assert (started["Status"], started["KmsKeyArn"], started["BlockSize"]) == ("pending", key, BLOCK_SIZE)
    snapshot = started["SnapshotId"]
    assert put_block(ebs, snapshot, 4095, block)["Checksum"] == checksum(block)
    assert ebs.complete_snapshot(SnapshotId=snapshot, ChangedBlocksCount=1)["Status"] == "completed"
    listed = ebs.list_snapshot_blocks(SnapshotId=snapshot)
    assert (listed["VolumeSize"], listed["BlockSize"]) == (2, BLOCK_SIZE)
    got = ebs.get_snapshot_block(SnapshotId=snapshot, **listed["Blocks"][0])
    assert (got["BlockData"].read(), got["Checksum"], got["DataLength"]) == (
        block,
        checksum(block),
        BLOCK_SIZE,
    )


def test_ec2_knows_the_snapshot_its_key_and_its_tags(
    engine: Engine, ebs: Any, key: str, block: bytes
) -> None:
    snapshot = snapshot_of(ebs, {0: block}, Encrypted=True, KmsKeyArn=key, Tags=[{"Key": "a", "Value": "b"}])
    shown = engine.client("ec2").describe_snapshots(SnapshotIds=[snapshot])["Snapshots"][0]
    assert (shown["State"], shown["KmsKeyId"], shown["VolumeSize"]) == ("completed", key, 1)
    assert shown["Tags"] == [{"Key": "a", "Value": "b"}]


def test_reading_takes_permission_to_decrypt(engine: Engine, ebs: Any, key: str, block: bytes) -> None:
    snapshot = snapshot_of(ebs, {0: block}, Encrypted=True, KmsKeyArn=key)
    via = {"StringEquals": {"kms:ViaService": f"ec2.{engine.region}.amazonaws.com"}}
    reader = engine.role(EBS_ALL, allow("kms:Decrypt", Condition=via))
    assert read(engine.client("ebs", reader), snapshot) == {0: block}
    operator = engine.client("ebs", engine.role(EBS_ALL))
    listed = operator.list_snapshot_blocks(SnapshotId=snapshot)["Blocks"]
    with refused("AccessDeniedException", "kms:Decrypt", key):
        operator.get_snapshot_block(SnapshotId=snapshot, **listed[0])


def test_the_snapshot_is_the_encryption_context(engine: Engine, ebs: Any, key: str, block: bytes) -> None:
    first, second = (snapshot_of(ebs, {0: block}, Encrypted=True, KmsKeyArn=key) for _ in range(2))
    only_first = {"StringEquals": {"kms:EncryptionContext:aws:ebs:id": first}}
    reader = engine.client("ebs", engine.role(EBS_ALL, allow("kms:Decrypt", Condition=only_first)))
    assert read(reader, first) == {0: block}
    with refused("AccessDeniedException", "kms:Decrypt"):
        read(reader, second)


def test_writing_takes_permission_on_the_key(engine: Engine, key: str, block: bytes) -> None:
    snapshot_of(
        engine.client("ebs", engine.role(EBS_ALL, allow(*WRITE))), {0: block}, Encrypted=True, KmsKeyArn=key
    )
    with refused("AccessDeniedException", "kms:CreateGrant"):
        lacking = engine.role(
            EBS_ALL, allow("kms:DescribeKey", "kms:GenerateDataKeyWithoutPlaintext", "kms:Decrypt")
        )
        engine.client("ebs", lacking).start_snapshot(VolumeSize=1, Encrypted=True, KmsKeyArn=key)


@pytest.mark.parametrize(
    "lacking",
    ["StartSnapshot", "PutSnapshotBlock", "CompleteSnapshot", "ListSnapshotBlocks", "GetSnapshotBlock"],
)
def test_each_operation_is_an_iam_action_on_the_snapshot(engine: Engine, block: bytes, lacking: str) -> None:
    everything = {
        "StartSnapshot",
        "PutSnapshotBlock",
        "CompleteSnapshot",
        "ListSnapshotBlocks",
        "GetSnapshotBlock",
    }
    rest = [f"ebs:{name}" for name in sorted(everything - {lacking})]
    limited = engine.client(
        "ebs", engine.role(allow(*rest, Resource=f"arn:aws:ec2:{engine.region}::snapshot/*"))
    )
    with refused("AccessDeniedException", f"ebs:{lacking}"):
        read(limited, snapshot_of(limited, {0: block}))


def test_a_snapshot_of_another_name_is_not_meant(engine: Engine, ebs: Any, block: bytes) -> None:
    first, second = (snapshot_of(ebs, {0: block}) for _ in range(2))
    only_first = allow("ebs:*", Resource=f"arn:aws:ec2:{engine.region}::snapshot/{first}")
    reader = engine.client("ebs", engine.role(only_first))
    assert read(reader, first) == {0: block}
    with refused("AccessDeniedException", "ebs:ListSnapshotBlocks"):
        read(reader, second)


def test_a_disabled_key_stops_reading(engine: Engine, ebs: Any, kms: Any, key: str, block: bytes) -> None:
    snapshot = snapshot_of(ebs, {0: block}, Encrypted=True, KmsKeyArn=key)
    kms.disable_key(KeyId=key)
    with refused("ValidationException", "disabled"):
        read(ebs, snapshot)
    kms.enable_key(KeyId=key)
    assert read(ebs, snapshot) == {0: block}


def test_a_copy_under_another_key_holds_the_same_blocks(
    engine: Engine, ebs: Any, kms: Any, key: str, block: bytes
) -> None:
    other = engine.key(engine.account_statement())
    source = snapshot_of(ebs, {7: block}, Encrypted=True, KmsKeyArn=key)
    copy = engine.client("ec2").copy_snapshot(
        SourceRegion=engine.region, SourceSnapshotId=source, Encrypted=True, KmsKeyId=other
    )["SnapshotId"]
    kms.disable_key(KeyId=key)
    assert read(ebs, copy) == {7: block}


def test_a_volume_restored_from_a_snapshot_passes_its_blocks_on(
    engine: Engine, ebs: Any, key: str, block: bytes
) -> None:
    ec2, source = engine.client("ec2"), snapshot_of(ebs, {7: block}, Encrypted=True, KmsKeyArn=key)
    zone = ec2.describe_availability_zones()["AvailabilityZones"][0]["ZoneName"]
    volume = ec2.create_volume(AvailabilityZone=zone, SnapshotId=source)
    assert (volume["KmsKeyId"], volume["Size"]) == (key, 1)
    assert read(ebs, ec2.create_snapshot(VolumeId=volume["VolumeId"])["SnapshotId"]) == {7: block}


def test_changed_blocks_are_those_that_differ(ebs: Any, key: str, block: bytes) -> None:
    parent = snapshot_of(ebs, {1: block, 2: block}, Encrypted=True, KmsKeyArn=key)
    child = snapshot_of(ebs, {2: bytes(BLOCK_SIZE), 3: block}, ParentSnapshotId=parent)
    assert read(ebs, child) == {1: block, 2: bytes(BLOCK_SIZE), 3: block}
    changed = ebs.list_changed_blocks(FirstSnapshotId=parent, SecondSnapshotId=child)["ChangedBlocks"]
    assert [(c["BlockIndex"], "FirstBlockToken" in c) for c in changed] == [(2, True), (3, False)]


def test_changed_blocks_are_told_within_one_lineage_only(engine: Engine, ebs: Any, block: bytes) -> None:
    """EBS API Reference, "ListChangedBlocks": two snapshots of the same volume or snapshot lineage."""
    ec2, first, other = engine.client("ec2"), snapshot_of(ebs, {1: block}), snapshot_of(ebs, {1: block})
    with pytest.raises(ClientError) as caught:
        ebs.list_changed_blocks(FirstSnapshotId=first, SecondSnapshotId=other)
    answer: Any = caught.value.response
    assert (answer["Error"]["Code"], answer["Reason"]) == ("ValidationException", "UNRELATED_SNAPSHOTS")
    zone = ec2.describe_availability_zones()["AvailabilityZones"][0]["ZoneName"]
    volume = ec2.create_volume(AvailabilityZone=zone, SnapshotId=first)["VolumeId"]
    snapshots = [ec2.create_snapshot(VolumeId=volume)["SnapshotId"] for _ in range(2)]
    snapshots.append(ec2.copy_snapshot(SourceRegion=engine.region, SourceSnapshotId=first)["SnapshotId"])
    for relative in snapshots:
        answer = ebs.list_changed_blocks(FirstSnapshotId=first, SecondSnapshotId=relative)
        assert answer["ChangedBlocks"] == []
    empty = ec2.create_volume(AvailabilityZone=zone, Size=1)["VolumeId"]
    unrelated = ec2.create_snapshot(VolumeId=empty)["SnapshotId"]
    with refused("ValidationException", "lineage"):
        ebs.list_changed_blocks(FirstSnapshotId=unrelated, SecondSnapshotId=snapshots[0])


def test_a_child_takes_the_key_of_its_parent(ebs: Any, key: str, block: bytes) -> None:
    parent = snapshot_of(ebs, {1: block}, Encrypted=True, KmsKeyArn=key)
    assert ebs.start_snapshot(VolumeSize=1, ParentSnapshotId=parent)["KmsKeyArn"] == key
    with refused("ValidationException", "ParentSnapshotId"):
        ebs.start_snapshot(VolumeSize=1, ParentSnapshotId=parent, Encrypted=True)


def test_lists_come_in_pages(engine: Engine, ebs: Any) -> None:
    snapshot = ebs.start_snapshot(VolumeSize=1)["SnapshotId"]
    for index in range(101):
        put_block(ebs, snapshot, index, bytes(BLOCK_SIZE))
    ebs.complete_snapshot(SnapshotId=snapshot, ChangedBlocksCount=101)
    first = ebs.list_snapshot_blocks(SnapshotId=snapshot, MaxResults=100)
    second = ebs.list_snapshot_blocks(SnapshotId=snapshot, MaxResults=100, NextToken=first["NextToken"])
    assert [b["BlockIndex"] for b in first["Blocks"] + second["Blocks"]] == list(range(101))
    assert "NextToken" not in second
    for token in ("bm9uc2Vuc2U=", "KK"):
        with refused("ValidationException", f"The pagination token {token} is invalid."):
            ebs.list_snapshot_blocks(SnapshotId=snapshot, NextToken=token)
    engine.client("ec2").delete_snapshot(SnapshotId=snapshot)  # 50 MiB of the engine's memory


def test_a_block_that_is_not_as_announced_is_refused(ebs: Any, block: bytes) -> None:
    """Codes and sentences as users wrote them down who tried it on AWS."""
    snapshot = ebs.start_snapshot(VolumeSize=1)["SnapshotId"]
    other = checksum(b"other")
    mismatch = (
        "The value passed in as x-amz-Checksum does not match the computed checksum. "
        f"Computed checksum: {checksum(block)} expected checksum: {other}"
    )
    with refused("InvalidSignatureException", mismatch):
        put_block(ebs, snapshot, 0, block, Checksum=other)
    with refused("ValidationException") as told:
        put_block(ebs, snapshot, 0, block, ChecksumAlgorithm="MD5")
    assert told["Message"] == ""
    with refused("ValidationException", "bytes"):
        put_block(ebs, snapshot, 0, block, DataLength=512)


def test_a_block_outside_the_volume_is_refused(ebs: Any, block: bytes) -> None:
    snapshot = ebs.start_snapshot(VolumeSize=1)["SnapshotId"]
    put_block(ebs, snapshot, 2047, block)
    with refused("ValidationException", "Block index 2048 is beyond the volume size extent"):
        put_block(ebs, snapshot, 2048, block)


def test_a_snapshot_is_read_when_completed_and_written_until_then(ebs: Any, block: bytes) -> None:
    snapshot = ebs.start_snapshot(VolumeSize=1)["SnapshotId"]
    with refused("ValidationException", "not completed"):
        ebs.list_snapshot_blocks(SnapshotId=snapshot)
    put_block(ebs, snapshot, 0, block)
    ebs.complete_snapshot(SnapshotId=snapshot, ChangedBlocksCount=1)
    with refused("ConflictException", "completed"):
        put_block(ebs, snapshot, 1, block)


def aggregated(*written: bytes) -> str:
    """The checksum of a snapshot, as AWS's coldsnap makes it: of its blocks' checksums as bytes, in their order."""
    return checksum(b"".join(sha256(data).digest() for data in written))


@pytest.mark.parametrize("inherits", [False, True])
def test_what_was_written_is_compared_with_what_is_told(engine: Engine, ebs: Any, inherits: bool) -> None:
    """A wrong count or checksum is answered like a right one; then the snapshot is in the state error."""
    ec2, first, second = engine.client("ec2"), bytes(BLOCK_SIZE), b"x" * BLOCK_SIZE
    parent = {"ParentSnapshotId": snapshot_of(ebs, {7: second})} if inherits else {}
    right = aggregated(first, second)
    for count, told, state in (
        (2, right, "completed"),
        (2, None, "completed"),
        (1, right, "error"),
        (3, None, "error"),
        (2, aggregated(second, first), "error"),
    ):
        snapshot = ebs.start_snapshot(VolumeSize=1, **parent)["SnapshotId"]
        for index, data in ((5, second), (2, first), (2, first)):
            put_block(ebs, snapshot, index, data)
        how = {"ChecksumAlgorithm": "SHA256", "ChecksumAggregationMethod": "LINEAR"}
        given = {"Checksum": told, **how} if told else {}
        ebs.complete_snapshot(SnapshotId=snapshot, ChangedBlocksCount=count, **given)
        assert ec2.describe_snapshots(SnapshotIds=[snapshot])["Snapshots"][0]["State"] == state
        ec2.delete_snapshot(SnapshotId=snapshot)


@pytest.mark.parametrize(
    "wrong",
    [
        {"ChecksumAlgorithm": "SHA666"},
        {"ChecksumAggregationMethod": "RIDICULOUS"},
        {"Checksum": "Abracadabra!"},
        {"ChangedBlocksCount": -1},
        {"ChangedBlocksCount": "9" * 5000},
    ],
    ids=["algorithm", "method", "checksum", "below zero", "thousands of digits"],
)
def test_what_the_model_does_not_allow_is_refused_without_a_word(ebs: Any, wrong: dict[str, Any]) -> None:
    snapshot = ebs.start_snapshot(VolumeSize=1)["SnapshotId"]
    with refused("ValidationException") as told:
        ebs.complete_snapshot(**{"SnapshotId": snapshot, "ChangedBlocksCount": 0, **wrong})
    assert told["Message"] == ""
    assert ebs.complete_snapshot(SnapshotId=snapshot, ChangedBlocksCount=0)["Status"] == "completed"


@pytest.mark.parametrize("wrong", [{"MaxResults": 99}, {"MaxResults": 10_001}, {"StartingBlockIndex": -1}])
def test_a_list_is_asked_for_within_bounds(ebs: Any, wrong: dict[str, Any]) -> None:
    """Which is looked at before the snapshot."""
    with refused("ValidationException") as told:
        ebs.list_snapshot_blocks(SnapshotId="snap-0123456789abcdef0", **wrong)
    assert told["Message"] == ""


def test_a_token_is_good_for_its_own_block_only(ebs: Any, block: bytes) -> None:
    snapshot = snapshot_of(ebs, {0: block, 1: block})
    tokens = [b["BlockToken"] for b in ebs.list_snapshot_blocks(SnapshotId=snapshot)["Blocks"]]
    with refused("ValidationException", f"The block token {tokens[1]} is invalid."):
        ebs.get_snapshot_block(SnapshotId=snapshot, BlockIndex=0, BlockToken=tokens[1])


def test_an_unknown_snapshot_is_not_found(ebs: Any) -> None:
    with refused("ResourceNotFoundException", "The snapshot 'snap-0123456789abcdef0' does not exist."):
        ebs.list_snapshot_blocks(SnapshotId="snap-0123456789abcdef0")
    never_given_out = (
        "Value (snap-f123456789abcdef0) for parameter snapshotId is invalid. Expected: 'snap-...'."
    )
    with refused("ValidationException", never_given_out):
        ebs.list_snapshot_blocks(SnapshotId="snap-f123456789abcdef0")
    with refused("ValidationException") as told:
        ebs.list_snapshot_blocks(SnapshotId="snap-THING")
    assert told["Message"] == ""


def test_a_deleted_snapshot_takes_its_blocks_along(engine: Engine, ebs: Any, block: bytes) -> None:
    snapshot = snapshot_of(ebs, {0: block})
    engine.client("ec2").delete_snapshot(SnapshotId=snapshot)
    with refused("ResourceNotFoundException"):
        read(ebs, snapshot)


def test_stored_blocks_are_ciphertext(inside: object, block: bytes) -> None:
    from kmslab.engine.ebs import blocks, store
    from kmslab.engine.kms import service

    key = service.perform("CreateKey", {}, access_key="AKIAINSIDEINSIDEINSI")["KeyMetadata"]["Arn"]
    blocks.start("snap-0a", key)
    blocks.write("snap-0a", 3, block)
    stored = store.DATA["snap-0a/3"]
    assert block[:64] not in stored
    assert len(stored) > BLOCK_SIZE
    assert blocks.read("snap-0a", 3) == block


def test_the_blocks_of_a_deleted_snapshot_are_not_kept(inside: object, block: bytes) -> None:
    from ministack.services import ec2

    from kmslab.engine.ebs import blocks, snapshots, store

    snapshots.record("snap-0b", 1, description="", key="", state="completed")
    blocks.start("snap-0b", "")
    blocks.write("snap-0b", 0, block)
    assert store.BLOCKS["snap-0b"]["indexes"] == [0]
    assert store.DATA["snap-0b/0"] == block
    ec2._delete_snapshot({"SnapshotId": ["snap-0b"]})
    assert "snap-0b" not in store.BLOCKS
    assert "snap-0b/0" not in store.DATA


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ({"Encrypted": True, "KmsKeyArn": "alias/aws/ebs"}, "INVALID_CUSTOMER_KEY"),
        ({"ParentSnapshotId": "vol-0"}, "INVALID_SNAPSHOT_ID"),
        ({"Timeout": 5}, "INVALID_PARAMETER_VALUE"),
        ({"Description": "d" * 256}, "INVALID_PARAMETER_VALUE"),
        ({"Encrypted": "yes"}, "INVALID_PARAMETER_VALUE"),
        ({"VolumeSize": 0}, "INVALID_VOLUME_SIZE"),
    ],
)
def test_a_snapshot_is_not_started_with_wrong_members(ebs: Any, members: dict[str, Any], reason: str) -> None:
    with pytest.raises(ClientError) as caught:
        ebs.start_snapshot(**{"VolumeSize": 1, **members})
    answer: Any = caught.value.response
    assert (answer["Error"]["Code"], answer["Reason"]) == ("ValidationException", reason)


def test_a_repeated_start_starts_one_snapshot(engine: Engine, ebs: Any, key: str) -> None:
    request = {"VolumeSize": 1, "Encrypted": True, "KmsKeyArn": key, "ClientToken": f"token-{key[-12:]}"}
    first, again = ebs.start_snapshot(**request), ebs.start_snapshot(**request)
    assert again["SnapshotId"] == first["SnapshotId"]
    assert first["SseType"] == "sse-kms"
    with refused("ConflictException"):
        ebs.start_snapshot(**{**request, "VolumeSize": 2})
