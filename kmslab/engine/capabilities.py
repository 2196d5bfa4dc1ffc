"""What the local engine enforces; a test holds it to this by probing (`kmslab.probes`)."""

from __future__ import annotations

from kmslab.model.capability import ALL, Capability

CAPABILITIES: frozenset[Capability] = ALL - {
    # MiniStack's policy simulator ignores ContextEntries and permissions boundaries.
    Capability.POLICY_SIMULATION,
}
