"""Checks that notice the faults of several topics, named by what they have in common."""

from __future__ import annotations

NOBODY_ELSE = "access.nobody-else-gets-at-what-keys-protect"
WITHOUT_CONTEXT = "access.nobody-decrypts-without-the-context"
SIMULATED = "access.the-simulator-agrees"
MATRIX_OF_S3 = "access.the-matrix-holds-through-s3"
ALL_KEYS = "identity.no-persona-has-all-keys"
DELEGATED = "key-policies.use-is-delegated-only-through-a-service"
SERVICES = "key-policies.services-keys-serve-their-service-only"
CONTEXT = "key-policies.direct-use-demands-the-context"
CONTEXT_DECIDES = "direct.the-policy-demands-the-context"
LIMITS = "key-policies.grants-are-made-within-limits"
LIMITS_DECIDE = "grants.a-grant-without-a-context-is-refused"
GRANTED_AWAY = "escalation.nobody-grants-a-key-away"
WIDENS = "escalation.the-admin-user-cannot-widen-anything"

WAYS_UP = (
    "escalation.nobody-rewrites-a-key-policy",
    GRANTED_AWAY,
    "escalation.nobody-turns-an-alias",
    "escalation.nobody-replicates-a-key",
    "escalation.only-the-administrator-ends-a-key",
    WIDENS,
)
"""What everybody with kms:* in IAM can do with a key that leaves the decision to IAM."""
STORING = (
    "s3.objects-are-stored-under-the-labs-key",
    "s3.reader-reads-what-the-owner-wrote",
    "s3.all-of-s3-without-the-key-is-refused",
    "s3.writing-needs-the-key",
    "s3.outsider-is-refused",
    "s3.another-key-is-refused",
    "s3.other-encryption-is-refused",
    "s3.managed-key-is-refused",
    "s3.customer-provided-key-is-refused",
    "s3.disabled-key-stops-reads",
    "s3.copy-encrypts-anew",
    "s3.dual-layer-bucket-has-no-bucket-key",
    "objects.every-object-is-under-the-labs-key",
    "objects.encryption-of-a-stored-object-stays",
    "objects.a-presigned-url-carries-its-signers-permissions",
    "objects.an-object-under-another-key-is-found-and-re-encrypted",
    "objects.versions-keep-their-keys",
    "objects.a-multipart-upload-is-under-the-key",
    "objects.a-multipart-upload-needs-the-key",
    "objects.copies-obey-the-same-rules",
    "objects.a-range-needs-the-key-too",
    "objects.metadata-is-not-encrypted",
    "objects.the-etag-is-no-fingerprint",
    "objects.dual-layer-objects-need-the-key",
    "audit.use-through-s3-names-both",
    "audit.bucket-key-is-recorded-with-the-bucket",
)
"""What the data owner stores first, to look at it or to have others refused."""
NEW_VOLUMES = (
    "ebs.volume-from-snapshot-needs-the-key",
    "ebs.written-blocks-come-back",
    "ebs.blocks-need-the-key",
    "ebs.writing-blocks-needs-the-key",
    "ebs.disabled-key-stops-new-volumes",
    "volumes.an-encrypted-snapshot-cannot-become-public",
    "volumes.a-snapshot-under-the-managed-key-cannot-be-shared",
    "volumes.a-copy-cannot-be-unencrypted",
    "audit.use-through-ebs-names-both",
)
"""What the data owner makes a volume or a snapshot for, under the lab's key, to look at it or to have others refused."""
KEYS_IN_IAM = (ALL_KEYS, SIMULATED, NOBODY_ELSE)
"""What sees that an identity policy gives keys to a persona who is to have none."""
