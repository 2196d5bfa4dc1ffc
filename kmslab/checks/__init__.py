"""What is proven: one module per topic, in guide order; importing this package registers every check."""

from kmslab.checks import agreement, audit, ebs, mac, public_key, s3, secrets, signing
from kmslab.checks.registry import REGISTRY, Check, run

TOPICS = (s3, ebs, signing, public_key, mac, agreement, secrets, audit)
"""The modules of checks, in guide order."""

__all__ = ["REGISTRY", "TOPICS", "Check", "run"]
