"""EBS: volumes and snapshots under KMS keys, encryption by default, and the EBS direct APIs."""

from __future__ import annotations


def install() -> None:
    """Apply the room's hooks to MiniStack."""
    from kmslab.engine.ebs import (
        api,
        defaults,
        dry_runs,
        instances,
        resources,
        sharing,
        snapshots,
        store,
        volumes,
    )

    for module in (store, defaults, volumes, snapshots, sharing, instances, resources, api, dry_runs):
        module.install()
