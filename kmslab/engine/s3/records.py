"""MiniStack's record of the object, the version or the delete marker that a request names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ministack.services import s3

if TYPE_CHECKING:
    from kmslab.engine.s3.calls import Record


def found(bucket: str, key: str, version_id: str) -> Record | None:
    """The object or the version that a request names; ``null`` names an object without versions, too."""
    current: Record | None = (s3._buckets.get(bucket) or {}).get("objects", {}).get(key)
    if current and (not version_id or version_id == (current.get("version_id") or "null")):
        return current
    versions: list[Record] = s3._object_versions.get((bucket, key)) or []
    return next((one for one in versions if one["version_id"] == version_id), None)


def marker_of(bucket: str, key: str, version_id: str) -> Record | None:
    """The delete marker that a request names, by its version or as the latest of a key's versions."""
    versions: list[Record] = s3._object_versions.get((bucket, key)) or []
    named = [one for one in versions if (one["version_id"] == version_id if version_id else one["is_latest"])]
    return next((one for one in named if one.get("is_delete_marker")), None)
