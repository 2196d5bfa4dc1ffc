"""Removing objects of a versioned bucket for good: all versions and delete markers, as many as one request takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    Version = Mapping[str, Any]


def pages_of_versions(s3: Any, bucket: str, prefix: str = "") -> Iterator[Sequence[Version]]:
    """List the versions and delete markers of the objects whose keys begin so.

    Args:
        s3: a client.
        bucket: its name.
        prefix: how the keys begin; empty: every object.

    Returns: page by page, none of them empty. A page is as many as one request deletes: 1,000 (S3 API Reference,
        "ListObjectVersions" and "DeleteObjects").

    Raises:
        ClientError, BotoCoreError: the bucket cannot be listed.
    """
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=prefix):
        if found := [*page.get("Versions", ()), *page.get("DeleteMarkers", ())]:
            yield found


def delete_versions(s3: Any, bucket: str, versions: Sequence[Version]) -> list[dict[str, str]]:
    """Delete one page of versions.

    Returns: those that S3 keeps, as a lock or a policy makes it do, each with ``Key`` and ``Code``: S3 says so of
        each, and not of the request.

    Raises:
        ClientError, BotoCoreError: the request as a whole failed.
    """
    named = [{"Key": one["Key"], "VersionId": one["VersionId"]} for one in versions]
    kept: list[dict[str, str]] = s3.delete_objects(
        Bucket=bucket, Delete={"Objects": named, "Quiet": True}
    ).get("Errors", [])
    return kept
