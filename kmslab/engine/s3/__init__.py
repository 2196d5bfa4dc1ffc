"""S3: objects under KMS keys, with the caller's own permissions on the key."""

from __future__ import annotations


def install() -> None:
    """Apply the room's hooks to MiniStack."""
    from kmslab.engine.s3 import (
        acls,
        answers,
        buckets,
        calls,
        checksums,
        conditions,
        configuration,
        copies,
        customer_keys,
        documents,
        encryption,
        errors,
        etag,
        first,
        forms,
        lifecycle,
        listings,
        markers,
        multipart,
        preconditions,
        queries,
        slices,
        storage,
        told,
        update,
        upload_listings,
        uploads,
        version_ids,
        websites,
    )

    # The call is bound around all that works on it: each dispatch wraps those before it.
    for module in (
        errors,
        configuration,
        queries,
        buckets,
        lifecycle,
        update,
        first,
        answers,
        calls,
        customer_keys,
        encryption,
        etag,
        multipart,
    ):
        module.install()
    for module in (
        checksums,
        storage,
        conditions,
        forms,
        copies,
        uploads,
        slices,
        preconditions,
        documents,
        listings,
        upload_listings,
        version_ids,
        acls,
        markers,
        websites,
        told,
    ):
        module.install()
