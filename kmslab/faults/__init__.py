"""What can break: one module per topic; importing this package registers every fault."""

from kmslab.faults import (
    access,
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
    log_files,
    mac,
    network,
    other_buckets,
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
    access,
    grants,
    s3,
    bucket_policies,
    other_buckets,
    ebs,
    signing,
    public_key,
    mac,
    agreement,
    envelope,
    secrets,
    audit,
    network,
    teardown,
    log_files,
)
"""Every module of faults, in the order in which a learner meets them."""

__all__ = ["REGISTRY", "TOPICS", "Fault", "fault"]
