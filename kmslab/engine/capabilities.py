"""What the local engine enforces; a test holds it to this by probing (`kmslab.probe`)."""

from __future__ import annotations

from kmslab.model.capability import ALL, Capability

CAPABILITIES: frozenset[Capability] = ALL
"""Everything that the lab's checks ask for."""
