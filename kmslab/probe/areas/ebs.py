"""EBS: volumes and snapshots under KMS keys, their blocks, and the Region's default."""

from __future__ import annotations

import secrets
from base64 import b64encode
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from kmslab.model.evidence import code_of
from kmslab.probe.codes import VALIDATION
from kmslab.probe.model import CouldNotLook, probe
from kmslab.probe.sources import ebs, ebs_api, ec2_api

if TYPE_CHECKING:
    from kmslab.probe.bench import Bench

BLOCK_SIZE = 512 * 1024
SETTLED_SECONDS = 15.0


def _zone(bench: Bench) -> str:
    return str(bench.make("ec2:DescribeAvailabilityZones")["AvailabilityZones"][0]["ZoneName"])


def _volume(bench: Bench, **parameters: Any) -> dict[str, Any]:
    """Make a volume of 1 GiB and return EC2's description of it, once it is made or has failed."""
    tags = [{"ResourceType": "volume", "Tags": bench.tag_list}]
    made = bench.works(
        "ec2:CreateVolume", AvailabilityZone=_zone(bench), Size=1, TagSpecifications=tags, **parameters
    )["VolumeId"]
    bench.undo(lambda: _delete(bench, made))
    return _described(bench, made)


def _delete(bench: Bench, volume: str) -> None:
    from botocore.exceptions import ClientError

    try:
        bench.client("ec2").delete_volume(VolumeId=volume)
    except ClientError as error:
        if code_of(error) != "InvalidVolume.NotFound":
            raise


def _described(bench: Bench, volume: str) -> dict[str, Any]:
    def settled() -> dict[str, Any]:
        found: dict[str, Any] = bench.make("ec2:DescribeVolumes", VolumeIds=[volume])["Volumes"][0]
        return found if found["State"] != "creating" else {}

    return bench.wait(settled, "volume that is made", seconds=SETTLED_SECONDS)


def _snapshot(bench: Bench, volume: str) -> dict[str, Any]:
    tags = [{"ResourceType": "snapshot", "Tags": bench.tag_list}]
    made = bench.works("ec2:CreateSnapshot", VolumeId=volume, TagSpecifications=tags)["SnapshotId"]
    return _completed(bench, made)


def _completed(bench: Bench, snapshot: str) -> dict[str, Any]:
    bench.undo(lambda: bench.client("ec2").delete_snapshot(SnapshotId=snapshot))

    def done() -> dict[str, Any]:
        found: dict[str, Any] = bench.make("ec2:DescribeSnapshots", SnapshotIds=[snapshot])["Snapshots"][0]
        return found if found["State"] != "pending" else {}

    return bench.wait(done, "snapshot that is complete", seconds=SETTLED_SECONDS)


@probe(ec2_api("CreateVolume"))
def an_encrypted_volume_keeps_its_key(bench: Bench) -> None:
    """A volume that is created encrypted is under the key that was named.

    It names the key; a volume that is not encrypted names none.
    """
    key = bench.key()
    sealed = _volume(bench, Encrypted=True, KmsKeyId=key)
    bench.equal("Encrypted", sealed["Encrypted"], expected=True)
    bench.equal("the key", sealed.get("KmsKeyId") == key, expected=True)
    plain = _volume(bench)
    bench.contrasts("a plain volume has no key", not plain["Encrypted"] and not plain.get("KmsKeyId"))


@probe(ec2_api("CreateVolume"))
def a_key_needs_encryption(bench: Bench) -> None:
    """KmsKeyId is for encrypted volumes.

    With Encrypted it works; with Encrypted false it is refused.
    """
    key = bench.key()
    _volume(bench, Encrypted=True, KmsKeyId=key)
    codes = ("InvalidParameterDependency", "InvalidParameterCombination", "InvalidParameterValue")
    bench.refuses(
        codes, "ec2:CreateVolume", AvailabilityZone=_zone(bench), Size=1, Encrypted=False, KmsKeyId=key
    )


@probe(ec2_api("CreateVolume"))
def a_volume_under_a_bad_key_fails_later(bench: Bench) -> None:
    """A volume under a key that is not valid seems to be created, and fails.

    Under a key that exists it becomes available; under one that does not it never does.
    """
    good = bench.key()
    bad = f"{good.rpartition('/')[0]}/00000000-0000-4000-8000-000000000000"
    bench.equal("State", _volume(bench, Encrypted=True, KmsKeyId=good)["State"], "available")
    made = bench.works(
        "ec2:CreateVolume", AvailabilityZone=_zone(bench), Size=1, Encrypted=True, KmsKeyId=bad
    )["VolumeId"]
    bench.undo(lambda: _delete(bench, made))

    def failed() -> bool:
        from botocore.exceptions import ClientError

        try:
            found = bench.client("ec2").describe_volumes(VolumeIds=[made])["Volumes"]
        except ClientError as error:
            return code_of(error) == "InvalidVolume.NotFound"
        return not found or found[0]["State"] in {"error", "deleting", "deleted"}

    bench.wait(failed, "failure of the volume", seconds=8)
    bench.contrasts("under the missing key it fails", holds=True)


@probe(ebs("ebs-encryption"))
def a_snapshot_is_under_its_volumes_key(bench: Bench) -> None:
    """The snapshot of an encrypted volume is under the same key, that of a plain one under none.

    DescribeSnapshots says so of both.
    """
    key = bench.key()
    sealed = _snapshot(bench, _volume(bench, Encrypted=True, KmsKeyId=key)["VolumeId"])
    bench.equal("Encrypted", sealed["Encrypted"], expected=True)
    bench.equal("the key", sealed.get("KmsKeyId") == key, expected=True)
    plain = _snapshot(bench, _volume(bench)["VolumeId"])
    bench.contrasts("the plain one has none", not plain["Encrypted"] and not plain.get("KmsKeyId"))


@probe(ec2_api("CopySnapshot"))
def a_copy_changes_the_key(bench: Bench) -> None:
    """CopySnapshot puts the copy under the key that it names.

    The copy is under the new key; the original stays under the old.
    """
    old, new = bench.key(), bench.key()
    source = _snapshot(bench, _volume(bench, Encrypted=True, KmsKeyId=old)["VolumeId"])
    made = bench.works(
        "ec2:CopySnapshot",
        SourceRegion=bench.region,
        SourceSnapshotId=source["SnapshotId"],
        Encrypted=True,
        KmsKeyId=new,
        TagSpecifications=[{"ResourceType": "snapshot", "Tags": bench.tag_list}],
    )["SnapshotId"]
    copy = _completed(bench, made)
    bench.equal("the copy's key", copy.get("KmsKeyId") == new, expected=True)
    bench.contrasts("the original stays under the old key", source.get("KmsKeyId") == old)


@probe(ebs("ebs-encryption"))
def a_volume_of_an_encrypted_snapshot_is_encrypted(bench: Bench) -> None:
    """A volume made of an encrypted snapshot is encrypted under its key, without being asked.

    A volume of a plain snapshot is not.
    """
    key = bench.key()
    sealed = _snapshot(bench, _volume(bench, Encrypted=True, KmsKeyId=key)["VolumeId"])
    plain = _snapshot(bench, _volume(bench)["VolumeId"])
    again = _volume(bench, SnapshotId=sealed["SnapshotId"])
    bench.equal("the key", again.get("KmsKeyId") == key, expected=True)
    bench.contrasts("the other is plain", not _volume(bench, SnapshotId=plain["SnapshotId"])["Encrypted"])


def _started(bench: Bench, key: str) -> str:
    made = bench.works("ebs:StartSnapshot", VolumeSize=1, Encrypted=True, KmsKeyArn=key, Tags=bench.tag_list)[
        "SnapshotId"
    ]
    bench.undo(lambda: bench.client("ec2").delete_snapshot(SnapshotId=made))
    return str(made)


def _put(bench: Bench, snapshot: str, block: bytes) -> None:
    bench.works("ebs:PutSnapshotBlock", **_block(snapshot, block))
    bench.works("ebs:CompleteSnapshot", SnapshotId=snapshot, ChangedBlocksCount=1)
    bench.wait(
        lambda: (
            bench.make("ec2:DescribeSnapshots", SnapshotIds=[snapshot])["Snapshots"][0]["State"]
            == "completed"
        ),
        "complete snapshot",
        seconds=SETTLED_SECONDS,
    )


def _block(snapshot: str, block: bytes) -> dict[str, Any]:
    return {
        "SnapshotId": snapshot,
        "BlockIndex": 0,
        "BlockData": block,
        "DataLength": len(block),
        "Checksum": b64encode(sha256(block).digest()).decode(),
        "ChecksumAlgorithm": "SHA256",
    }


@probe(ebs("ebs-accessing-snapshot"), slow=True)
def blocks_come_back_as_written(bench: Bench) -> None:
    """The EBS direct APIs write the blocks of a snapshot and read them.

    The block comes back as written; one that was not written does not.
    """
    block = secrets.token_bytes(BLOCK_SIZE)
    snapshot = _started(bench, bench.key())
    _put(bench, snapshot, block)
    listed = bench.works("ebs:ListSnapshotBlocks", SnapshotId=snapshot)["Blocks"]
    bench.equal("the blocks", [one["BlockIndex"] for one in listed], [0])
    where: dict[str, Any] = {"SnapshotId": snapshot, "BlockToken": listed[0]["BlockToken"]}
    read = bench.works("ebs:GetSnapshotBlock", BlockIndex=0, **where)["BlockData"].read()
    bench.sees("the block is the same", read == block)
    codes = (VALIDATION, "ResourceNotFoundException")
    bench.refuses(codes, "ebs:GetSnapshotBlock", BlockIndex=1, **where)


@probe(ebs("ebsapi-permissions"), slow=True)
def blocks_are_read_with_the_key(bench: Bench) -> None:
    """Who reads the blocks of an encrypted snapshot needs the key.

    The operator reads the block; a role with ebs:* and nothing of KMS is refused.
    """
    snapshot = _started(bench, bench.key())
    _put(bench, snapshot, secrets.token_bytes(BLOCK_SIZE))
    listed = bench.works("ebs:ListSnapshotBlocks", SnapshotId=snapshot)["Blocks"]
    request: dict[str, Any] = {"SnapshotId": snapshot, "BlockIndex": 0, "BlockToken": listed[0]["BlockToken"]}
    bench.works("ebs:GetSnapshotBlock", **request)
    codes = ("AccessDeniedException", VALIDATION)
    bench.refuses(codes, "ebs:GetSnapshotBlock", bench.world.storer, **request)


@probe(ebs_api("PutSnapshotBlock"))
def a_block_has_its_checksum(bench: Bench) -> None:
    """PutSnapshotBlock compares the block with its SHA-256 checksum.

    With the right one it is taken; with another it is refused.
    """
    block = secrets.token_bytes(BLOCK_SIZE)
    snapshot = _started(bench, bench.key())
    right = _block(snapshot, block)
    wrong: dict[str, Any] = {**right, "Checksum": b64encode(sha256(b"other").digest()).decode()}
    # Who tried it on AWS wrote down the second.
    bench.refuses((VALIDATION, "InvalidSignatureException"), "ebs:PutSnapshotBlock", **wrong)
    bench.works("ebs:PutSnapshotBlock", **right)


@probe(ebs_api("StartSnapshot"))
def an_encrypted_snapshot_needs_its_key(bench: Bench) -> None:
    """StartSnapshot under a key needs kms:GenerateDataKey with it for whoever calls.

    The operator starts one; a role with ebs:* and nothing of KMS is refused.
    """
    key = bench.key()
    _started(bench, key)
    codes = ("AccessDeniedException", VALIDATION)
    request: dict[str, Any] = {"VolumeSize": 1, "Encrypted": True, "KmsKeyArn": key}
    bench.refuses(codes, "ebs:StartSnapshot", bench.world.storer, **request)


@probe(ec2_api("ModifySnapshotAttribute"))
def a_snapshot_under_the_managed_key_is_not_shared(bench: Bench) -> None:
    """A snapshot under the AWS managed key aws/ebs cannot be shared.

    One under a customer managed key can be, one under aws/ebs not.
    """
    share: dict[str, Any] = {
        "Attribute": "createVolumePermission",
        "OperationType": "add",
        "UserIds": ["999988887777"],
    }
    ours = _snapshot(bench, _volume(bench, Encrypted=True, KmsKeyId=bench.key())["VolumeId"])
    bench.works("ec2:ModifySnapshotAttribute", SnapshotId=ours["SnapshotId"], **share)
    managed = _snapshot(bench, _volume(bench, Encrypted=True)["VolumeId"])
    codes = ("OperationNotPermitted", "InvalidParameter", "InvalidParameterValue")
    bench.refuses(codes, "ec2:ModifySnapshotAttribute", SnapshotId=managed["SnapshotId"], **share)


def _second_region(bench: Bench) -> str:
    """A Region whose settings a probe may change: the operator's own stays as it is."""
    return bench.other_region


@probe(ebs("encryption-by-default"))
def encryption_by_default_is_per_region(bench: Bench) -> None:
    """Encryption by default is a setting of the account in one Region.

    Switched on in another Region, a volume there is encrypted without asking; off, it is not.
    """
    region = _second_region(bench)

    def encrypted() -> bool:
        zone = bench.make("ec2:DescribeAvailabilityZones", region=region)["AvailabilityZones"][0]["ZoneName"]
        tags = [{"ResourceType": "volume", "Tags": bench.tag_list}]
        made = bench.works(
            "ec2:CreateVolume", AvailabilityZone=zone, Size=1, TagSpecifications=tags, region=region
        )
        bench.undo(lambda: bench.client("ec2", region=region).delete_volume(VolumeId=made["VolumeId"]))
        return bool(made["Encrypted"])

    before = bench.make("ec2:GetEbsEncryptionByDefault", region=region)["EbsEncryptionByDefault"]
    if before:
        raise CouldNotLook("encryption by default is on already in the second Region")
    bench.contrasts("off, a volume is plain", not encrypted())
    bench.undo(lambda: bench.client("ec2", region=region).disable_ebs_encryption_by_default())
    bench.works("ec2:EnableEbsEncryptionByDefault", region=region)
    bench.sees("on, a volume is encrypted", encrypted())


@probe(ec2_api("EnableSnapshotBlockPublicAccess"))
def public_snapshots_can_be_blocked(bench: Bench) -> None:
    """Block public access for snapshots is a setting of the account in one Region.

    Blocked, a snapshot cannot be made public; unblocked it says so, and the state is told.
    """
    region = _second_region(bench)
    ec2 = bench.client("ec2", region=region)
    bench.undo(ec2.disable_snapshot_block_public_access)
    bench.works("ec2:EnableSnapshotBlockPublicAccess", State="block-all-sharing", region=region)
    state = bench.make("ec2:GetSnapshotBlockPublicAccessState", region=region)["State"]
    bench.equal("State", state, "block-all-sharing")
    bench.works("ec2:DisableSnapshotBlockPublicAccess", region=region)
    state = bench.make("ec2:GetSnapshotBlockPublicAccessState", region=region)["State"]
    bench.contrasts("unblocked it says so", state == "unblocked")


@probe(ec2_api("CopySnapshot"))
def an_encrypted_snapshot_is_not_copied_plain(bench: Bench) -> None:
    """The copy of an encrypted snapshot is encrypted, whatever is asked for.

    The copy of a plain one is plain, that of an encrypted one encrypted, without being asked.
    """
    plain = _snapshot(bench, _volume(bench)["VolumeId"])
    sealed = _snapshot(bench, _volume(bench, Encrypted=True, KmsKeyId=bench.key())["VolumeId"])
    found = []
    for source in (sealed, plain):
        made = bench.works(
            "ec2:CopySnapshot",
            SourceRegion=bench.region,
            SourceSnapshotId=source["SnapshotId"],
            TagSpecifications=[{"ResourceType": "snapshot", "Tags": bench.tag_list}],
        )["SnapshotId"]
        found.append(_completed(bench, made)["Encrypted"])
    bench.equal("the encrypted one's copy", found[0], expected=True)
    bench.contrasts("the plain one's copy is plain", not found[1])
