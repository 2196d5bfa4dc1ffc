"""CloudFormation: the resource types a KMS lab needs, the properties it rests on, and who it acts as."""

from __future__ import annotations


def install() -> None:
    """Apply the room's hooks to MiniStack."""
    from kmslab.engine.cloudformation import (
        buckets,
        compute,
        conditions,
        drift,
        execution_role,
        functions,
        gone,
        identity,
        keys,
        patience,
        secrets,
        topics,
        trails,
    )

    for module in (
        *(conditions, execution_role, patience, functions),
        *(buckets, compute, identity, keys, secrets, topics, trails, drift, gone),
    ):
        module.install()
