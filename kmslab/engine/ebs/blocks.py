"""The blocks of snapshots: sparse, 512 KiB each, ciphertext where the snapshot is encrypted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kmslab.engine.at_rest import DataKey
from kmslab.engine.ebs.store import BLOCKS, DATA

if TYPE_CHECKING:
    from kmslab.engine.ebs.store import BlockSet

SIZE = 524_288
"""Bytes of a block: the only size of the EBS direct APIs."""


def _set_of(snapshot_id: str) -> BlockSet | None:
    found: BlockSet | None = BLOCKS.get(snapshot_id)
    return found


def start(snapshot_id: str, key_arn: str) -> None:
    """Begin an empty set, under a new data key when the snapshot has a KMS key."""
    wrapped = DataKey.generate(key_arn, {"aws:ebs:id": snapshot_id}).wrapped if key_arn else b""
    BLOCKS[snapshot_id] = {"wrapped_key": wrapped, "origin": snapshot_id, "indexes": []}


def _data_key(of: BlockSet) -> DataKey | None:
    return DataKey.unwrap(of["wrapped_key"], {"aws:ebs:id": of["origin"]}) if of["wrapped_key"] else None


def write(snapshot_id: str, index: int, data: bytes) -> None:
    """Store a block; the set exists."""
    target: BlockSet = BLOCKS[snapshot_id]
    key = _data_key(target)
    DATA[_name(snapshot_id, index)] = key.encrypt(data, f"{target['origin']}/{index}") if key else data
    if index not in target["indexes"]:
        target["indexes"].append(index)


def _name(snapshot_id: str, index: int) -> str:
    return f"{snapshot_id}/{index}"


def read(snapshot_id: str, index: int) -> bytes | None:
    """Return a block's plaintext, None when nothing was written there."""
    source = _set_of(snapshot_id)
    stored: bytes | None = DATA.get(_name(snapshot_id, index))
    if source is None or stored is None:
        return None
    key = _data_key(source)
    return key.decrypt(stored, f"{source['origin']}/{index}") if key else stored


def indexes(snapshot_id: str) -> list[int]:
    """The indexes of the blocks that were written, ascending."""
    source = _set_of(snapshot_id)
    return sorted(source["indexes"]) if source else []


def share(source_id: str, target_id: str, *, key_arn: str = "", same_key: bool = True) -> None:
    """Give a snapshot the blocks of another, under its own data key unless the KMS key is the same."""
    source = _set_of(source_id)
    if source is None:
        return
    if same_key:
        BLOCKS[target_id] = {**source, "indexes": list(source["indexes"])}
        for index in source["indexes"]:
            DATA[_name(target_id, index)] = DATA[_name(source_id, index)]
        return
    start(target_id, key_arn)
    for index in indexes(source_id):
        write(target_id, index, read(source_id, index) or b"")


def forget(snapshot_id: str) -> None:
    """Drop the blocks of a deleted snapshot."""
    for index in indexes(snapshot_id):
        DATA.pop(_name(snapshot_id, index), None)
    BLOCKS.pop(snapshot_id, None)
