"""What is proven: one module per topic, in guide order; importing this package registers every check."""

from kmslab.checks import (
    agreement,
    audit,
    direct,
    ebs,
    envelope,
    grants,
    identity,
    key_policies,
    keys,
    mac,
    public_key,
    rotation,
    s3,
    secrets,
    separation,
    signing,
)
from kmslab.checks.registry import REGISTRY, Check, run

TOPICS = (
    identity,
    keys,
    rotation,
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
)
"""Every module of checks, in the order in which a learner meets them."""

__all__ = ["REGISTRY", "TOPICS", "Check", "run"]
