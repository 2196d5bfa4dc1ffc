"""Nothing that is encrypted lies on the disk in the clear, whenever one looks; `inspection` shows what lies there."""

from __future__ import annotations

import base64
import hashlib
import os
import signal
import uuid
from typing import TYPE_CHECKING, Any

import pytest

from kmslab.commands.at_rest import dump
from kmslab.engine import control, inspection
from kmslab.model.errors import LabError
from tests.engine.conftest import Engine
from tests.engine.ebs import BLOCK_SIZE, put_block

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BUCKET = "canaries"


def canary() -> bytes:
    """A text that is nowhere else; its length is a multiple of 3, so that base64 of it has one form in the middle."""
    return f"canary-{uuid.uuid4().hex}-{uuid.uuid4().hex}yy".encode()


def forms(plaintext: bytes) -> list[bytes]:
    """The plaintext, its hexadecimal and its base64 at each of the three alignments."""
    shifted = [base64.b64encode(b"\0" * by + plaintext)[4:-4] for by in range(3)]
    return [plaintext, plaintext.hex().encode(), plaintext.hex().upper().encode(), *shifted]


def found_in(folder: Path, plaintext: bytes) -> list[Path]:
    """The files below a folder that hold the plaintext in one of its forms."""
    wanted = forms(plaintext)
    files = [path for path in folder.rglob("*") if path.is_file()]
    return [path for path in files if any(form in path.read_bytes() for form in wanted)]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    home = tmp_path_factory.mktemp("canaries") / ".kmslab"
    yield home
    control.stop(home)


class Canaries:
    """One plaintext of each kind, stored in an engine under one KMS key."""

    def __init__(self, engine: Engine) -> None:
        self.key = engine.key()
        self.plaintexts: dict[str, bytes] = {}
        self.names: dict[str, str] = {}
        self.customer = os.urandom(32)
        self._objects(engine.client("s3"))
        self._parameters(engine.client("ssm"))
        self._secrets(engine.client("secretsmanager"))
        self._snapshot(engine.client("ebs"))

    def new(self, kind: str, name: str) -> bytes:
        self.names[kind] = name
        return self.plaintexts.setdefault(kind, canary())

    def _objects(self, s3: Any) -> None:
        s3.create_bucket(Bucket=BUCKET)
        allowed = {"BlockedEncryptionTypes": {"EncryptionType": ["NONE"]}}
        s3.put_bucket_encryption(Bucket=BUCKET, ServerSideEncryptionConfiguration={"Rules": [allowed]})
        s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
        under = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": self.key}
        objects: dict[str, dict[str, Any]] = {
            "SSE-S3": {},
            "older": {},
            "older again": under,
            "SSE-KMS": under,
            "bucket key": {**under, "BucketKeyEnabled": True},
            "DSSE-KMS": {**under, "ServerSideEncryption": "aws:kms:dsse"},
            "SSE-C": self.customer_key(),
        }
        for kind, parameters in objects.items():
            name = "older" if kind.startswith("older") else kind
            body = self.new(kind, f"s3://{BUCKET}/{name}")
            s3.put_object(Bucket=BUCKET, Key=name, Body=body, **parameters)
        s3.put_object(Bucket=BUCKET, Key="older", Body=b"newer")
        s3.copy_object(Bucket=BUCKET, Key="copied", CopySource=f"{BUCKET}/SSE-S3", **under)
        odd = "folder//odd key"
        s3.put_object(Bucket=BUCKET, Key=odd, Body=self.new("odd", f"s3://{BUCKET}/{odd}"))
        for kind in ("whole", "unfinished"):
            upload = s3.create_multipart_upload(Bucket=BUCKET, Key=kind, **under)["UploadId"]
            named = {"Bucket": BUCKET, "Key": kind, "UploadId": upload}
            etag = s3.upload_part(**named, PartNumber=1, Body=self.new(kind, f"s3://{BUCKET}/{kind}"))["ETag"]
            if kind == "whole":
                parts = {"Parts": [{"PartNumber": 1, "ETag": etag}]}
                s3.complete_multipart_upload(**named, MultipartUpload=parts)

    def customer_key(self) -> dict[str, str]:
        return {
            "SSECustomerAlgorithm": "AES256",
            "SSECustomerKey": base64.b64encode(self.customer).decode(),
            "SSECustomerKeyMD5": base64.b64encode(hashlib.md5(self.customer).digest()).decode(),  # noqa: S324  # the API's checksum
        }

    def _parameters(self, ssm: Any) -> None:
        for kind, tier in (("parameter", "Standard"), ("advanced", "Advanced")):
            value = self.new(kind, f"/canary/{kind}").decode()
            ssm.put_parameter(
                Name=f"/canary/{kind}", Value=value, Type="SecureString", Tier=tier, KeyId=self.key
            )
        self.clear = canary()
        ssm.put_parameter(Name="/canary/clear", Value=self.clear.decode(), Type="String")

    def _secrets(self, secrets: Any) -> None:
        text = self.new("secret", "canary").decode()
        secrets.create_secret(Name="canary", SecretString=text, KmsKeyId=self.key)
        secrets.put_secret_value(SecretId="canary", SecretBinary=self.new("binary", "canary"))

    def _snapshot(self, ebs: Any) -> None:
        made = ebs.start_snapshot(VolumeSize=1, Encrypted=True, KmsKeyArn=self.key)["SnapshotId"]
        put_block(ebs, made, 7, self.new("block", made).ljust(BLOCK_SIZE, b"."))
        ebs.complete_snapshot(SnapshotId=made, ChangedBlocksCount=1)


def test_no_canary_is_found_while_it_runs_after_a_kill_and_after_a_stop(home: Path, tmp_path: Path) -> None:
    engine = Engine(home, control.start(home))
    canaries = Canaries(engine)
    os.kill(engine.info.pid, signal.SIGKILL)
    while control.status(home):
        pass
    for kind, plaintext in canaries.plaintexts.items():
        assert not found_in(home, plaintext), f"{kind}, after a kill"
    engine = Engine(home, control.start(home))
    s3 = engine.client("s3")
    for kind in ("SSE-S3", "SSE-KMS", "bucket key", "DSSE-KMS", "whole"):
        assert s3.get_object(Bucket=BUCKET, Key=kind)["Body"].read() == canaries.plaintexts[kind]
    got = s3.get_object(Bucket=BUCKET, Key="SSE-C", **canaries.customer_key())
    assert got["Body"].read() == canaries.plaintexts["SSE-C"]
    assert not found_in(home, base64.b64encode(canaries.customer))
    control.stop(home)
    for kind, plaintext in canaries.plaintexts.items():
        assert not found_in(home, plaintext), f"{kind}, after a stop"
    # The same search finds what is there: a parameter that is not encrypted, and each form in a file.
    assert found_in(home / "engine" / "state", canaries.clear)
    for number, form in enumerate(forms(canaries.clear)):
        (tmp_path / f"form-{number}").write_bytes(b"before " + form + b" after")
    assert len(found_in(tmp_path, canaries.clear)) == len(forms(canaries.clear))
    _shows_where_each_lies(home, canaries)


def _shows_where_each_lies(home: Path, canaries: Canaries) -> None:
    """Whatever is asked for is shown as ciphertext, under its key, with its context."""
    arn = f"arn:aws:s3:::{BUCKET}"
    expected = {
        "SSE-S3": ("SSE-S3", "the lab's S3 key", {}),
        "SSE-KMS": ("SSE-KMS", canaries.key, {"aws:s3:arn": f"{arn}/SSE-KMS"}),
        "bucket key": ("SSE-KMS", canaries.key, {"aws:s3:arn": arn}),
        "DSSE-KMS": ("DSSE-KMS", canaries.key, {"aws:s3:arn": f"{arn}/DSSE-KMS"}),
        "SSE-C": ("SSE-C", "the customer's", {}),
        "odd": ("SSE-S3", "the lab's S3 key", {}),
        "block": ("EBS", canaries.key, {"aws:ebs:id": canaries.names["block"]}),
    }
    for kind, (how, key, context) in expected.items():
        (stored,) = inspection.find(home, canaries.names[kind])
        assert stored.kind == how
        assert stored.key.startswith(key)
        assert stored.context == context
        assert canaries.plaintexts[kind] not in stored.content
        assert len(stored.content) > len(canaries.plaintexts[kind])
        assert bool(stored.data_key) is (how != "SSE-C")
        assert stored.where.is_file() is not stored.sealed_again
        if stored.where.is_file():
            assert stored.where.read_bytes() == stored.content
    versions = inspection.find(home, f"s3://{BUCKET}/older")
    assert [one.kind for one in versions] == ["SSE-S3", "SSE-S3", "SSE-KMS"]
    assert len({one.where for one in versions}) == 3
    secrets = inspection.find(home, "canary")
    assert {(one.kind, one.key, *sorted(one.context)) for one in secrets} == {
        ("Secrets Manager", canaries.key, "SecretARN", "SecretVersionId")
    }
    assert ["(AWSPREVIOUS)" in one.what for one in secrets] == [True, False]
    (parameter,) = inspection.find(home, "/canary/parameter")
    assert (parameter.kind, parameter.key) == ("SecureString", canaries.key)
    (clear,) = inspection.find(home, "/canary/clear")
    assert (clear.kind, clear.content) == ("not encrypted", b"")


@pytest.mark.parametrize(
    "name", ["s3://canaries", "s3://../state/services.json", "s3://none/none", "vol-1", "snap-1", "none"]
)
def test_what_is_not_stored_is_said_so(home: Path, name: str) -> None:
    with pytest.raises(LabError, match="stored nothing for"):
        inspection.find(home, name)


def test_a_dump_is_read_as_hexdump_shows_it() -> None:
    assert list(dump(b"KLS3\x00\xacKL1 and more")) == [
        "  00000000  4b 4c 53 33 00 ac 4b 4c 31 20 61 6e 64 20 6d 6f  |KLS3..KL1 and mo|",
        f"  00000010  {'72 65':<48} |re|",
    ]
