"""What the services keep survives a restart of the engine, and still opens only with its key."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from kmslab.engine import control
from tests.engine.conftest import Engine
from tests.engine.ebs import BLOCK_SIZE, snapshot_of

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / ".kmslab"


def test_objects_versions_blocks_and_settings_are_there_again(home: Path) -> None:
    block, bucket = os.urandom(BLOCK_SIZE), "bucket-restart"
    try:
        engine = Engine(home, control.start(home))
        key = engine.key()
        s3, ec2, ebs = (engine.client(name) for name in ("s3", "ec2", "ebs"))
        s3.create_bucket(Bucket=bucket)
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
        sse = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key}
        first = s3.put_object(Bucket=bucket, Key="a", Body=b"first", **sse)["VersionId"]
        s3.put_object(Bucket=bucket, Key="a", Body=b"second", **sse, BucketKeyEnabled=True)
        ec2.enable_ebs_encryption_by_default()
        ec2.modify_ebs_default_kms_key_id(KmsKeyId=key)
        snapshot = snapshot_of(ebs, {1: block}, Encrypted=True, KmsKeyArn=key)
        control.stop(home)
        kept = b"".join(path.read_bytes() for path in (home / "engine").rglob("*") if path.is_file())
        assert b"first" not in kept
        assert block not in kept

        engine = Engine(home, control.start(home))
        s3, ec2, ebs = (engine.client(name) for name in ("s3", "ec2", "ebs"))
        assert s3.get_object(Bucket=bucket, Key="a")["Body"].read() == b"second"
        assert s3.get_object(Bucket=bucket, Key="a", VersionId=first)["Body"].read() == b"first"
        assert ec2.get_ebs_encryption_by_default()["EbsEncryptionByDefault"] is True
        assert ec2.get_ebs_default_kms_key_id()["KmsKeyId"] == key
        listed = ebs.list_snapshot_blocks(SnapshotId=snapshot)["Blocks"]
        assert ebs.get_snapshot_block(SnapshotId=snapshot, **listed[0])["BlockData"].read() == block
    finally:
        control.stop(home)
