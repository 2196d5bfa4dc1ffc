"""What a target enforces. A check names what it needs; beyond that it is UNPROVABLE there."""

from __future__ import annotations

from enum import StrEnum


class Capability(StrEnum):
    """A behaviour of AWS that an emulator may lack."""

    IAM = "iam"
    """Identity policies, permissions boundaries and role trust decide."""
    KEY_POLICIES = "key-policies"
    """A key policy decides, for the account root too."""
    GRANTS = "grants"
    CONDITION_KEYS = "condition-keys"
    """``kms:*`` condition keys of the request and the key are evaluated."""
    AUTHENTICATED_ENCRYPTION = "authenticated-encryption"
    """Another encryption context or a changed byte does not decrypt."""
    KEY_STATES = "key-states"
    """A disabled key or one pending deletion cannot be used."""
    ROTATION = "rotation"
    """On-demand rotation makes new key material; old ciphertexts still open."""
    ASYMMETRIC = "asymmetric"
    """RSA, ECC, ECDH and HMAC keys with real cryptography."""
    POST_QUANTUM = "post-quantum"
    """ML-DSA keys."""
    IMPORTED_MATERIAL = "imported-material"
    MULTI_REGION = "multi-region"
    """Replicas of a key in other Regions, with its id and material."""
    KMS_ON_BEHALF_OF_CALLER = "kms-on-behalf-of-caller"
    """S3, EBS and Secrets Manager use the key with the caller's permissions."""
    SSE_C_BLOCKING = "sse-c-blocking"
    """A bucket's blocked encryption types are refused."""
    TLS = "tls"
    """``aws:SecureTransport`` is true over TLS and false over plain HTTP."""
    PLAIN_HTTP = "plain-http"
    """The target also answers plain HTTP, so that a policy's refusal of it can be seen."""
    ENCRYPTION_UPDATES = "encryption-updates"
    """UpdateObjectEncryption moves a stored object to another key."""
    OPAQUE_ETAGS = "opaque-etags"
    """The ETag of an object under a KMS key is not its MD5 digest."""
    KEYS_OF_VERSIONS = "keys-of-versions"
    """Secrets Manager tells the key of each version of a secret."""
    EBS_ENCRYPTION = "ebs-encryption"
    EBS_DIRECT_APIS = "ebs-direct-apis"
    KMS_TRAIL = "kms-trail"
    """CloudTrail's event history shows KMS calls with principal, key and service."""
    LOG_FILES = "log-files"
    """CloudTrail delivers log files and signed digests to the trail's bucket."""
    POLICY_SIMULATION = "policy-simulation"
    """``iam:SimulatePrincipalPolicy`` answers."""
    ALARMS = "alarms"
    """EventBridge delivers CloudTrail's KMS events to their targets."""


ALL: frozenset[Capability] = frozenset(Capability)
"""What AWS enforces."""
DECIDING = frozenset({Capability.IAM, Capability.KEY_POLICIES})
"""What every denial by KMS needs: identity policies and key policies decide."""
DECIDING_FULLY = DECIDING | {Capability.CONDITION_KEYS, Capability.GRANTS}
"""Everything that KMS decides by."""
ON_BEHALF = DECIDING | {Capability.KMS_ON_BEHALF_OF_CALLER}
"""What every denial by KMS needs when a service asks it for the caller."""
