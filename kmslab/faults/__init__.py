"""What can break: one module per topic; importing this package registers every fault."""

from kmslab.faults import tags
from kmslab.faults.registry import REGISTRY, Fault, fault

TOPICS = (tags,)
"""Every module of faults, in the order in which a learner meets them."""

__all__ = ["REGISTRY", "TOPICS", "Fault", "fault"]
