"""What can break: one module per topic; importing this package registers every fault."""

from kmslab.faults import (
    agreement,
    audit,
    bucket_policies,
    direct,
    ebs,
    envelope,
    grants,
    identity,
    imported,
    key_policies,
    keys,
    mac,
    network,
    public_key,
    rotation,
    s3,
    secrets,
    separation,
    signing,
    tags,
    teardown,
)
from kmslab.faults.registry import REGISTRY, Fault, fault

TOPICS = (
    identity,
    keys,
    tags,
    rotation,
    imported,
    direct,
    key_policies,
    separation,
    grants,
    s3,
    ebs,
    signing,
    public_key,
    mac,
    agreement,
    envelope,
    secrets,
    audit,
    network,
    bucket_policies,
    teardown,
)
"""Every module of faults, in the order in which a learner meets them."""

__all__ = ["REGISTRY", "TOPICS", "Fault", "fault"]
