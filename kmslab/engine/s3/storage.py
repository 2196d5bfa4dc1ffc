"""Bytes at rest: in the engine's folder every object is ciphertext, which a learner can open and see.

Each object has its own data key (`kmslab.engine.s3.sealed`). Whether the reader may use the KMS key was decided
before anything is opened here. DSSE-KMS's second layer is not emulated: one layer of AES-256-GCM is on the disk.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ministack.services import s3

from kmslab.engine.at_rest import DataKey
from kmslab.engine.hooks import extend
from kmslab.engine.s3 import sealed
from kmslab.engine.s3.calls import CALL
from kmslab.engine.s3.headers import CUSTOMER_ALGORITHM, KEY, KMS_KINDS, SSE, context_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class Ciphertext(bytes):
    """What is on the disk already, to be written elsewhere as it is: to move a version takes no key."""

    __slots__ = ()


@cache
def _root_key() -> sealed.RootKey:
    return sealed.RootKey.of(Path(s3.DATA_DIR).parent)


def _customer_keys() -> list[DataKey]:
    """The keys that the request at hand brought: for what it writes or reads, and for the source of a copy."""
    call = CALL.get()
    return [DataKey(b"", key) for key in (call.customer_key, call.source_key) if key] if call else []


def seal(bucket: str, key: str, record: Mapping[str, Any], body: bytes) -> bytearray:
    """Return what is written to disk.

    Args:
        bucket: of the object.
        key: of the object.
        record: MiniStack's record of the object or version, which names its encryption.
        body: the object's bytes.

    Raises:
        LookupError: the object is under SSE-C and the request brought no key.
    """
    sse, name = s3._stored_sse_headers(record), f"{bucket}/{key}"
    if sse.get(SSE) in KMS_KINDS:
        data_key = DataKey.generate(sse[KEY], context_of(bucket, key, sse))
    elif CUSTOMER_ALGORITHM in sse:
        if not (brought := _customer_keys()):
            raise LookupError(f"nobody brought the customer's key of s3://{name}")
        data_key = brought[0]
    else:
        data_key = _root_key().generate(name)
    return sealed.build(data_key, body, name)


def unseal(bucket: str, key: str, record: Mapping[str, Any], stored: bytes) -> bytes:
    """Return the object's bytes.

    Raises:
        KmsError: the KMS key, or the material that wrapped the data key, is gone.
        ValueError: the file is not one of ours.
        LookupError: the object is under SSE-C and the request brought no key.
        cryptography.exceptions.InvalidTag: the file was changed.
    """
    from cryptography.exceptions import InvalidTag

    sse, name, file = s3._stored_sse_headers(record), f"{bucket}/{key}", sealed.SealedFile.parse(stored)
    if file is None and not sse.keys() & {KEY, CUSTOMER_ALGORITHM}:
        return stored  # of a lab that was made before objects without a KMS key were sealed too
    if file is None:
        raise ValueError(f"what is stored for s3://{name} was not written by this engine")
    if sse.get(SSE) in KMS_KINDS:
        return DataKey.unwrap(file.wrapped, context_of(bucket, key, sse)).decrypt(file.ciphertext, name)
    if CUSTOMER_ALGORITHM not in sse:
        return _root_key().unwrap(file.wrapped, name).decrypt(file.ciphertext, name)
    for data_key in _customer_keys():
        try:
            return data_key.decrypt(file.ciphertext, name)
        except InvalidTag:
            continue
    raise LookupError(f"nobody brought the customer's key of s3://{name}")


def _persist_object(stock: Callable[..., None], bucket: str, key: str, obj: Any) -> None:
    """Write ciphertext; the body in memory goes once it is written."""
    body = obj.get("body") if isinstance(obj, dict) else None
    if body is None or isinstance(body, Ciphertext):
        stock(bucket, key, obj)
        return
    written = {**obj, "body": seal(bucket, key, obj, body)}
    stock(bucket, key, written)
    if written["body"] is None:
        obj["body"] = None


def _persist_displaced_version(
    stock: Callable[..., None], bucket_name: str, key: str, prior_obj: dict[str, Any] | None, versioning: str
) -> None:
    """Write an older version's ciphertext as it is on disk already."""
    if prior_obj is not None and prior_obj.get("body") is None:
        prior_obj = {**prior_obj, "body": Ciphertext(_read_stored(bucket_name, key, prior_obj))}
    elif prior_obj is not None and not isinstance(prior_obj["body"], Ciphertext):
        sealed_body = seal(bucket_name, key, prior_obj, prior_obj["body"])
        prior_obj = {**prior_obj, "body": Ciphertext(sealed_body)}
    stock(bucket_name, key, prior_obj, versioning)


_read_stored: Callable[..., bytes] = s3._read_body


def _read_body(stock: Callable[..., bytes], bucket_name: str, key: str, obj: dict[str, Any]) -> bytes:
    """Read plaintext for a request that has been let through; a deletion moves ciphertext."""
    stored, call = stock(bucket_name, key, obj), CALL.get()
    if obj.get("body") is not None:
        return stored
    return Ciphertext(stored) if call and call.deletes else unseal(bucket_name, key, obj, stored)


def _version_body(
    stock: Callable[..., bytes | None], bucket: dict[str, Any], bucket_name: str, key: str, v: dict[str, Any]
) -> bytes | None:
    """Read an older version's plaintext likewise."""
    stored, call = stock(bucket, bucket_name, key, v), CALL.get()
    if stored is None or not s3._version_file_exists(bucket_name, key, v["version_id"]):
        return stored
    return Ciphertext(stored) if call and call.deletes else unseal(bucket_name, key, v, stored)


def _version_entry(
    stock: Callable[..., dict[str, Any]], obj: dict[str, Any], version_id: str, data: object
) -> dict[str, Any]:
    """Keep no version's content in memory: it is on the disk."""
    del data
    return stock(obj, version_id, None)


def _preserve_null_version(
    stock: Callable[..., None],
    bucket_name: str,
    key: str,
    versions: list[Any],
    prior_obj: dict[str, Any] | None,
) -> None:
    """Keep an object from before versioning without reading it: its content is on the disk by now."""
    stock(bucket_name, key, versions, prior_obj and {**prior_obj, "body": b""})


def install() -> None:
    """Take over where objects meet the disk."""
    extend(s3, "_persist_object", "bucket", "key", "obj")(_persist_object)
    extend(s3, "_persist_displaced_version", "bucket_name", "key", "prior_obj", "versioning")(
        _persist_displaced_version
    )
    extend(s3, "_read_body", "bucket_name", "key", "obj")(_read_body)
    extend(s3, "_version_body", "bucket", "bucket_name", "key", "v")(_version_body)
    extend(s3, "_version_entry_from_record", "obj", "version_id", "data")(_version_entry)
    extend(s3, "_preserve_null_version", "bucket_name", "key", "versions", "prior_obj")(
        _preserve_null_version
    )
