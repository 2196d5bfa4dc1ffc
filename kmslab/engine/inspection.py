"""What lies on the disk for an object, a snapshot, a volume, a secret or a parameter: ciphertext, and what opens it.

Reads the files of a lab whether its engine runs or not. Nothing is decrypted that a KMS key or a customer's key
has encrypted; the seal around the saved state, under the lab's own secret, is.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from kmslab.engine.s3.headers import CUSTOMER_ALGORITHM, KEY, SSE, context_of
from kmslab.engine.s3.sealed import ROOT_KEY, SealedFile
from kmslab.model.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    State = dict[str, Any]

MOST_BLOCKS = 4
"""How many blocks of a snapshot are shown."""
_S3 = "s3://"
_SIDECAR = ".meta.json"
_VERSIONS = ".versions"
_LAB_KEY = f"the lab's S3 key, in the file {ROOT_KEY}"
_NOBODYS = "the customer's, which is not kept"
NO_KEY = "none"


@dataclass(frozen=True, slots=True)
class Stored:
    """One thing on the disk.

    Attributes:
        what: an object, a version, a block, in words.
        where: file or folder.
        content: its bytes as they are there, for a part of the saved state without the seal; empty where
            they are plaintext, which is not shown.
        kind: how it is encrypted, in words.
        key: ARN of the KMS key, or whose key it is.
        data_key: the encrypted data key; empty when the KMS key or the customer's key encrypts the content.
        context: the encryption context.
        sealed_again: whether the file holds it under the lab's secret once more.
    """

    what: str
    where: Path
    content: bytes
    kind: str
    key: str
    data_key: bytes = b""
    context: Mapping[str, str] = field(default_factory=dict)
    sealed_again: bool = False


def find(home: Path, name: str) -> list[Stored]:
    """Find what a name stands for on the disk of a lab.

    Args:
        home: the lab's folder.
        name: ``s3://bucket/key``; the id of a snapshot or volume; the name or ARN of a secret or parameter.

    Raises:
        LabError: nothing of this name is stored.
    """
    folder = home / "engine"
    if name.startswith(_S3):
        found = list(_objects(folder / "s3", *name.removeprefix(_S3).partition("/")[::2]))
    else:
        found = _kept(folder / "state", name)
    if not found:
        raise LabError(
            f"the engine has stored nothing for {name}",
            hint="give s3://bucket/key, a snapshot, a volume, or the name or ARN of a secret or parameter",
        )
    return found


def _objects(objects: Path, bucket: str, key: str) -> Iterator[Stored]:
    """The object and its older versions, in whichever account has the bucket."""
    accounts = [one for one in objects.glob("*") if one.is_dir() and one.name != _VERSIONS]
    folders = [
        one / bucket for one in accounts if bucket and "/" not in bucket and not bucket.startswith(".")
    ]
    for sidecar in sorted(path for folder in folders for path in folder.rglob(f"*{_SIDECAR}")):
        facts = json.loads(sidecar.read_text())
        if facts.get("key") != key:
            continue
        content, current = sidecar.with_name(sidecar.name.removesuffix(_SIDECAR)), facts.get("version_id")
        if content.is_file() and not facts.get("is_delete_marker"):
            yield _object(content, bucket, key, facts, f" version {current}" if current else "")
        account = sidecar.relative_to(objects).parts[0]
        for version in facts.get("versions", ()):
            older = objects / _VERSIONS / account / bucket / version["version_id"]
            files = [one for one in older.rglob("*") if one.is_file()]
            plain = [one for one in files if one == older / key]
            for file in plain or files[:1]:
                yield _object(file, bucket, key, version, f" version {version['version_id']}")


def _object(file: Path, bucket: str, key: str, facts: Mapping[str, Any], version: str) -> Stored:
    sse, content = facts.get("preserved_headers", {}), file.read_bytes()
    what, parts = f"object {_S3}{bucket}/{key}{version}", SealedFile.parse(content)
    if parts is None:
        return Stored(what, file, b"", "not encrypted", NO_KEY)
    if CUSTOMER_ALGORITHM in sse:
        return Stored(what, file, content, "SSE-C", _NOBODYS)
    if parts.under_root_key:
        return Stored(what, file, content, "SSE-S3", _LAB_KEY, parts.wrapped)
    kind = {"aws:kms:dsse": "DSSE-KMS"}.get(sse.get(SSE, ""), "SSE-KMS")
    return Stored(what, file, content, kind, sse.get(KEY, ""), parts.wrapped, context_of(bucket, key, sse))


def _kept(folder: Path, name: str) -> list[Stored]:
    """What the saved state holds under a name."""
    from kmslab.engine import snapshot

    if not folder.is_dir():
        return []
    state = snapshot.read(folder)
    if name.startswith("snap-"):
        return list(_blocks(state, folder, name))
    if name.startswith("vol-"):
        return list(_volume(state, folder, name))
    return [*_secrets(state, folder, name), *_parameters(state, folder, name)]


def _entries(state: State, service: str, store: str) -> dict[tuple[str, ...], Any]:
    """A store of a service in all accounts and Regions."""
    found = state.get(service, {}).get(store)
    # A scoped dictionary is false outside its account.
    return {} if found is None else dict(found._data)


def _blocks(state: State, folder: Path, snapshot_id: str, what: str = "") -> Iterator[Stored]:
    sets, data = _entries(state, "kmslab", "ebs-block-sets"), _entries(state, "kmslab", "ebs-block-data")
    for scope, blocks in sets.items():
        if scope[-1] != snapshot_id:
            continue
        wrapped, shown = blocks["wrapped_key"], sorted(blocks["indexes"])
        for index in shown[:MOST_BLOCKS]:
            more = len(shown) - MOST_BLOCKS if index == shown[:MOST_BLOCKS][-1] else 0
            name = f"block {index} of {what or 'snapshot ' + snapshot_id}"
            name += f" ({more} more)" if more > 0 else ""
            if not wrapped:
                yield Stored(name, folder, b"", "not encrypted", NO_KEY, sealed_again=True)
                continue
            content = data[(*scope[:-1], f"{snapshot_id}/{index}")]
            context = {"aws:ebs:id": blocks["origin"]}
            yield Stored(name, folder, content, "EBS", _arn(wrapped), wrapped, context, sealed_again=True)


def _volume(state: State, folder: Path, volume_id: str) -> Iterator[Stored]:
    """A volume's content is that of the snapshot it was made from: no instance ever writes to it."""
    for scope, volume in _entries(state, "ec2", "volumes").items():
        if scope[-1] != volume_id:
            continue
        source = volume.get("SnapshotId") or ""
        found = list(_blocks(state, folder, source, f"volume {volume_id}, from snapshot {source}"))
        kind = "EBS" if volume.get("Encrypted") else "not encrypted"
        empty = Stored(f"volume {volume_id}, empty", folder, b"", kind, volume.get("KmsKeyId") or NO_KEY)
        yield from found or [empty]


def _secrets(state: State, folder: Path, name: str) -> Iterator[Stored]:
    for secret in _entries(state, "secretsmanager", "secrets").values():
        if name not in (secret["Name"], secret["ARN"], secret["ARN"][:-7]):
            continue
        for version_id, version in secret["Versions"].items():
            labels = ", ".join(version["Stages"]) or "no label"
            context = {"SecretARN": secret["ARN"], "SecretVersionId": version_id}
            for copy in version["Copies"]:
                yield Stored(
                    f"secret {secret['Name']} version {version_id} ({labels})",
                    folder,
                    copy["Ciphertext"],
                    "Secrets Manager",
                    copy["Key"],
                    copy["WrappedKey"],
                    context,
                    sealed_again=True,
                )


def _parameters(state: State, folder: Path, name: str) -> Iterator[Stored]:
    for parameter in _entries(state, "ssm", "parameters").values():
        if name not in (parameter["Name"], parameter["ARN"]):
            continue
        what = f"parameter {parameter['Name']} version {parameter['Version']}"
        if parameter["Type"] != "SecureString":
            yield Stored(what, folder, b"", "not encrypted", NO_KEY)
            continue
        blob = base64.b64decode(parameter["Value"])
        context = {"PARAMETER_ARN": parameter["ARN"]}
        yield Stored(what, folder, blob, "SecureString", _arn(blob), context=context)


def _arn(blob: bytes) -> str:
    """The KMS key that a ciphertext names."""
    from kmslab.engine.kms.envelope import key_arn_of

    return key_arn_of(blob)
