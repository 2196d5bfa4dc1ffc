"""Checks that no fault of a deployed lab can make fail, with the reason: see decisions/0018.

Each of them is shown to FAIL in ``tests/checks``, where the service is a fake that can be wrong.
"""

from __future__ import annotations

BEYOND: dict[str, tuple[str, ...]] = {
    "It judges KMS's cryptography and limits, on keys that the check makes or on none.": (
        "agreement.larger-curves-agree-too",
        "direct.a-dry-run-tells-and-does-nothing",
        "direct.another-context-does-not-decrypt",
        "direct.at-most-4096-bytes",
        "direct.random-bytes-come-from-kms",
        "direct.re-encryption-changes-the-context",
        "direct.re-encryption-changes-the-key",
        "direct.the-context-is-exact",
        "mac.every-hash-has-its-length",
        "public-key.a-public-key-binds-no-context",
        "public-key.the-hash-is-part-of-the-padding",
        "signing.a-wrong-algorithm-is-refused",
        "signing.ed25519-signs-the-message-itself",
        "signing.every-curve-verifies-outside-kms",
        "signing.every-post-quantum-strength-verifies-outside-kms",
        "signing.long-messages-need-a-digest",
        "signing.post-quantum-message-may-stay-outside",
        "signing.rsa-signatures-verify-outside-kms",
    ),
    "It judges what KMS does with a key's life, on keys that the check makes.": (
        "grants.the-list-goes-on-page-by-page",
        "imported.an-imported-hmac-key-is-the-owners",
        "imported.an-imported-signing-key-is-the-owners",
        "imported.imported-material-can-be-taken-back",
        "imported.imported-material-rotates-on-demand-only",
        "imported.material-expires",
        "imported.material-travels-wrapped-for-one-key",
        "inventory.an-aws-managed-key-is-not-ours",
        "inventory.the-last-use-is-on-record",
        "key-policies.a-lock-out-is-refused",
        "keys.a-disabled-key-stops",
        "keys.deletion-can-be-called-off",
        "keys.rotation-is-refused-where-it-cannot-be",
        "multi-region.one-key-in-two-regions",
        "multi-region.policy-and-tags-stay-in-their-region",
        "multi-region.rotation-is-set-on-the-primary",
        "multi-region.the-primary-leads-and-goes-last",
        "rotation.on-demand-rotation-keeps-old-ciphertexts",
        "rotation.rotation-period-has-limits",
    ),
    "Who breaks it locks out whoever could put it back.": ("key-policies.there-is-a-way-back-in",),
    "What would break it can never be put back: a rotation on demand is spent, and material stays on record.": (
        "imported.the-labs-material-is-there-or-was-never",
        "rotation.on-demand-rotations-are-left",
    ),
    "What it looks at is fixed when a key is made: it takes another key, which its alias gives away.": (
        "keys.every-key-has-its-spec-and-usage",
        "keys.every-key-is-customer-managed",
        "keys.key-material-has-its-origin",
    ),
    "It compares what the policies say with what happens: a fault changes both, and only the evaluator or the "
    "service can be wrong.": (
        "access.the-matrix-holds-for-key-pairs-and-macs",
        "access.the-matrix-holds-for-symmetric-keys",
        "access.the-matrix-holds-through-s3",
    ),
    "It judges what a service does with keys, snapshots and versions, on things that the check makes.": (
        "ebs.snapshot-inherits-the-key",
        "secrets.the-managed-key-is-not-ours",
        "volumes.a-key-on-its-way-out-makes-no-volume",
    ),
    "It judges what CloudTrail records of calls that the check makes.": (
        "audit.denied-call-is-recorded",
        "audit.direct-use-names-the-principal",
        "audit.events-hold-no-plaintext",
    ),
    "It tells how the account's setting is and judges that new volumes follow it; the lab claims neither way.": (
        "volumes.the-regions-default-is-what-it-says",
    ),
    "What it looks for is swept before any check runs; it fails when the sweep does.": (
        "teardown.nothing-of-earlier-runs-is-left",
    ),
    "It judges the AWS Encryption SDK, on the side of whoever encrypts.": (
        "caching.a-cache-keeps-contexts-apart",
        "caching.a-reader-may-cache-too",
        "caching.one-data-key-serves-several-messages",
        "envelope.an-sdk-envelope-opens-with-its-context-only",
    ),
}
"""Ids of checks, by the reason."""
