"""What is proven: one module per topic, in guide order; importing this package registers every check."""

from kmslab.checks.registry import REGISTRY, Check, run

__all__ = ["REGISTRY", "Check", "run"]
