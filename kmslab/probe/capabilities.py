"""The capabilities of a target, from what the probes saw there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kmslab.model.capability import Capability
from kmslab.probe.model import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from kmslab.model.target import Target
    from kmslab.probe.model import Result

SHOWN_BY: Mapping[Capability, tuple[str, ...]] = {
    Capability.IAM: (
        "key-policies.nobody-may-what-nobody-allows",
        "key-policies.a-boundary-limits-identity-policies",
    ),
    Capability.KEY_POLICIES: (
        "key-policies.a-key-policy-shuts-out",
        "key-policies.iam-needs-the-key-policy",
    ),
    Capability.GRANTS: (
        "grants.decrypt-is-permitted-by-a-grant",
        "grants.a-grant-permits-its-operations-only",
        "grants.encryption-context-equals",
        "grants.a-revoked-grant-permits-nothing",
    ),
    Capability.CONDITION_KEYS: (
        "condition-keys.encryption-context",
        "condition-keys.via-service",
        "condition-keys.key-spec",
    ),
    Capability.AUTHENTICATED_ENCRYPTION: (
        "cryptography.another-context-does-not-decrypt",
        "cryptography.a-changed-byte-does-not-decrypt",
    ),
    Capability.KEY_STATES: (
        "states.decrypt-needs-a-key-that-is-not-disabled",
        "states.decrypt-needs-a-key-that-is-not-pending-deletion",
    ),
    Capability.ROTATION: ("rotation.a-rotated-key-opens-what-it-sealed",),
    Capability.ASYMMETRIC: (
        "signing.ecdsa-sha-256-with-ecc-nist-p256",
        "signing.rsassa-pss-sha-256-with-rsa-2048",
        "cryptography.rsa-2048-with-rsaes-oaep-sha-256-takes-190-bytes",
        "agreement.ecdh-on-ecc-nist-p256",
        "macs.hmac-sha-256",
    ),
    Capability.POST_QUANTUM: ("signing.ml-dsa-shake-256-with-ml-dsa-44",),
    Capability.IMPORTED_MATERIAL: (
        "imported-material.deleted-material-stops-the-key",
        "imported-material.other-material-is-refused",
    ),
    Capability.MULTI_REGION: ("multi-region.a-replica-opens-what-the-primary-sealed",),
    Capability.KMS_ON_BEHALF_OF_CALLER: (
        "s3.get-needs-decrypt",
        "s3.get-needs-a-key-that-is-not-disabled",
        "secrets-manager.reading-needs-decrypt",
        "ebs.blocks-are-read-with-the-key",
    ),
    Capability.SSE_C_BLOCKING: ("s3.sse-c-can-be-blocked",),
    Capability.TLS: ("condition-keys.secure-transport",),
    Capability.PLAIN_HTTP: ("condition-keys.secure-transport",),
    Capability.ENCRYPTION_UPDATES: ("s3.a-stored-object-moves-to-another-key",),
    Capability.OPAQUE_ETAGS: ("s3.the-etag-under-a-key-is-no-digest",),
    Capability.KEYS_OF_VERSIONS: ("secrets-manager.versions-tell-their-key",),
    Capability.EBS_ENCRYPTION: ("ebs.an-encrypted-volume-keeps-its-key",),
    Capability.EBS_DIRECT_APIS: ("ebs.blocks-come-back-as-written",),
    Capability.KMS_TRAIL: ("cloudtrail.every-call-is-recorded",),
    Capability.LOG_FILES: ("cloudtrail.log-files-and-digests-are-delivered",),
    Capability.POLICY_SIMULATION: ("key-policies.the-simulator-looks-at-the-context",),
    Capability.ALARMS: ("cloudtrail.an-alarm-hears-what-it-asked-for",),
}
"""The probes that must all be as documented on a target that has a capability."""

NEEDED = tuple(dict.fromkeys(name for names in SHOWN_BY.values() for name in names))
"""The probes that tell all capabilities."""


def capabilities(results: Iterable[Result]) -> frozenset[Capability]:
    """Return the capabilities that a target was seen to have. What was not probed it does not have."""
    seen = {one.probe.id for one in results if one.outcome is Outcome.AS_DOCUMENTED}
    return frozenset(one for one, names in SHOWN_BY.items() if seen.issuperset(names))


def of_target(target: Target, prefix: str) -> frozenset[Capability]:
    """Look what a target is capable of, by the probes that tell it."""
    from kmslab.probe import runner
    from kmslab.probe.world import World

    return capabilities(runner.run_all(World(target, prefix), runner.catalogue(NEEDED)))
