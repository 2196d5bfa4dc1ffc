"""S3's content brought in line with the saved state, after an end that the engine did not choose.

MiniStack writes an object's content when it is put; everything else is saved some moments later.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

from kmslab.engine.s3.sealed import SealedFile

if TYPE_CHECKING:
    from pathlib import Path

    from kmslab.engine.snapshot import State

_HEAD = 512
"""Bytes of a sealed file that hold its key's ARN for certain."""
_SLACK_SECONDS = 5.0
"""More than passes between the copy of the state and the end of its writing."""
_SIDECAR = ".meta.json"
_VERSIONS = ".versions"
"""Where MiniStack keeps older versions, beside the folders of the accounts."""


def reconcile(objects: Path, services: State, saved: float) -> list[str]:
    """Remove from S3's content what the state does not know; return the name of each thing removed.

    Buckets made after the state was saved, objects since then under keys that are newer still, and halves of
    objects whose writing was cut short. To be called before MiniStack reads the content, at its import.

    Args:
        objects: the folder of S3's content.
        services: from `kmslab.engine.snapshot.read`.
        saved: when that was saved, in seconds since the epoch.
    """
    removed = []
    known = set(_scoped(services, "s3", "buckets_meta"))
    for top in (objects, objects / _VERSIONS):
        for bucket in [one for account in _folders(top) for one in _folders(account)]:
            if (bucket.parent.name, bucket.name) not in known:
                shutil.rmtree(bucket)
                removed.append(f"bucket {bucket.name}")
    keys = {key["Arn"] for key in _scoped(services, "kms", "keys").values()}
    since = saved - _SLACK_SECONDS
    contents = [one for one in objects.rglob("*") if one.is_file() and not one.name.endswith(_SIDECAR)]
    for path in [one for one in contents if one.stat().st_mtime > since]:
        sidecar = path.with_name(path.name + _SIDECAR)
        if _is_half(path, sidecar, objects) or not _key_of(path) <= keys:
            path.unlink()
            sidecar.unlink(missing_ok=True)
            removed.append(f"object {path.relative_to(objects)}")
    return removed


def _scoped(services: State, service: str, store: str) -> dict[tuple[str, ...], Any]:
    """A store of a service in all accounts and Regions."""
    found = services.get(service, {}).get(store)
    # A scoped dictionary is false outside its account.
    return {} if found is None else dict(found._data)


def _folders(parent: Path) -> list[Path]:
    """The accounts of S3's content, or the buckets of one."""
    return (
        [one for one in parent.iterdir() if one.is_dir() and one.name != _VERSIONS] if parent.is_dir() else []
    )


def _is_half(path: Path, sidecar: Path, objects: Path) -> bool:
    """Whether a file is what MiniStack leaves when it dies between an object's content and its metadata."""
    if path.name.endswith(".tmp"):
        return True
    return not sidecar.exists() and not path.is_relative_to(objects / _VERSIONS)


def _key_of(path: Path) -> set[str]:
    """The ARN of the KMS key that an object's content is sealed under; nothing when it is not."""
    with path.open("rb") as file:
        sealed = SealedFile.parse(file.read(_HEAD))
    return {arn} if sealed and (arn := sealed.kms_key_arn) else set()
