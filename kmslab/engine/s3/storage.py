"""Bytes at rest: in the engine's folder an object under a KMS key is ciphertext, which a learner can open and see.

Each object has its own data key; the file is a mark, the data key under the KMS key, and AES-256-GCM. Whether
the reader may use the KMS key was decided before anything is opened here.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

from ministack.services import s3

from kmslab.engine.at_rest import MARK, DataKey
from kmslab.engine.hooks import extend
from kmslab.engine.s3.encryption import KEY, KMS_KINDS, SSE, context_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_HEAD = len(MARK) + 2


def seal(bucket: str, key: str, record: Mapping[str, Any], body: bytes) -> bytes:
    """Return what is written to disk: ciphertext for an object under a KMS key, else the bytes themselves.

    Args:
        bucket: of the object.
        key: of the object.
        record: MiniStack's record of the object or version, which names its encryption.
        body: the object's bytes.
    """
    sse = s3._stored_sse_headers(record)
    if sse.get(SSE) not in KMS_KINDS:
        return body
    data_key = DataKey.generate(sse[KEY], context_of(bucket, key, sse))
    sealed = data_key.encrypt(body, f"{bucket}/{key}")
    return MARK + struct.pack(">H", len(data_key.wrapped)) + data_key.wrapped + sealed


def unseal(bucket: str, key: str, record: Mapping[str, Any], stored: bytes) -> bytes:
    """Return the object's bytes.

    Raises:
        KmsError: the KMS key, or the material that wrapped the data key, is gone.
        ValueError: the file is not one of ours.
        cryptography.exceptions.InvalidTag: the file was changed.
    """
    sse = s3._stored_sse_headers(record)
    if sse.get(SSE) not in KMS_KINDS:
        return stored
    if not stored.startswith(MARK):
        raise ValueError(f"what is stored for s3://{bucket}/{key} was not written by this engine")
    end = _HEAD + int(struct.unpack(">H", stored[len(MARK) : _HEAD])[0])
    data_key = DataKey.unwrap(stored[_HEAD:end], context_of(bucket, key, sse))
    return data_key.decrypt(stored[end:], f"{bucket}/{key}")


def _persist_object(stock: Callable[..., None], bucket: str, key: str, obj: Any) -> None:
    """Write ciphertext; the body in memory goes with the write."""
    if isinstance(obj, dict) and obj.get("body") is not None:
        obj["body"] = seal(bucket, key, obj, obj["body"])
    stock(bucket, key, obj)


def _persist_displaced_version(
    stock: Callable[..., None], bucket_name: str, key: str, prior_obj: dict[str, Any] | None, versioning: str
) -> None:
    """Write an older version's ciphertext as it is on disk already."""
    if prior_obj is not None and prior_obj.get("body") is None:
        prior_obj = {**prior_obj, "body": _read_stored(bucket_name, key, prior_obj)}
    elif prior_obj is not None:
        prior_obj = {**prior_obj, "body": seal(bucket_name, key, prior_obj, prior_obj["body"])}
    stock(bucket_name, key, prior_obj, versioning)


_read_stored: Callable[..., bytes] = s3._read_body


def _read_body(stock: Callable[..., bytes], bucket_name: str, key: str, obj: dict[str, Any]) -> bytes:
    """Read plaintext for a request that has been let through."""
    stored = stock(bucket_name, key, obj)
    return stored if obj.get("body") is not None else unseal(bucket_name, key, obj, stored)


def _version_body(
    stock: Callable[..., bytes | None], bucket: dict[str, Any], bucket_name: str, key: str, v: dict[str, Any]
) -> bytes | None:
    """Read an older version's plaintext likewise."""
    stored = stock(bucket, bucket_name, key, v)
    on_disk = v.get("data") is None and s3._version_file_exists(bucket_name, key, v["version_id"])
    return unseal(bucket_name, key, v, stored) if on_disk and stored is not None else stored


def install() -> None:
    """Take over where objects meet the disk."""
    extend(s3, "_persist_object", "bucket", "key", "obj")(_persist_object)
    extend(s3, "_persist_displaced_version", "bucket_name", "key", "prior_obj", "versioning")(
        _persist_displaced_version
    )
    extend(s3, "_read_body", "bucket_name", "key", "obj")(_read_body)
    extend(s3, "_version_body", "bucket", "bucket_name", "key", "v")(_version_body)
