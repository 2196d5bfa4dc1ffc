"""What each key spec can do, and its limits.

Sources: botocore's service model (enumerations); KMS Developer Guide, "Key spec reference" and
"Resource quotas"; API reference of Encrypt, Sign, GenerateMac.
"""

from __future__ import annotations

from dataclasses import dataclass

SYMMETRIC = "SYMMETRIC_DEFAULT"
ENCRYPT_DECRYPT, SIGN_VERIFY = "ENCRYPT_DECRYPT", "SIGN_VERIFY"
GENERATE_VERIFY_MAC, KEY_AGREEMENT = "GENERATE_VERIFY_MAC", "KEY_AGREEMENT"

ON_DEMAND_ROTATIONS = 25
"""On-demand rotations of one key, ever."""
DELETION_DAYS = range(7, 31)
ROTATION_DAYS = range(90, 2561)
DEFAULT_ROTATION_DAYS = 365

_RSA_SIGNING = tuple(
    f"RSASSA_{padding}_SHA_{bits}" for padding in ("PKCS1_V1_5", "PSS") for bits in (256, 384, 512)
)


@dataclass(frozen=True, slots=True)
class KeySpec:
    """One key spec.

    Attributes:
        name: as in the API.
        usages: key usage to the algorithms that a key with it offers.
        bytes: length of symmetric or HMAC key material; 0 for asymmetric keys.
    """

    name: str
    usages: dict[str, tuple[str, ...]]
    bytes: int = 0

    @property
    def asymmetric(self) -> bool:
        """Whether the key has a public part."""
        return self.bytes == 0


def _rsa(bits: int) -> KeySpec:
    return KeySpec(
        f"RSA_{bits}",
        {ENCRYPT_DECRYPT: ("RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256"), SIGN_VERIFY: _RSA_SIGNING},
    )


def _nist(bits: int, digest: int) -> KeySpec:
    return KeySpec(f"ECC_NIST_P{bits}", {SIGN_VERIFY: (f"ECDSA_SHA_{digest}",), KEY_AGREEMENT: ("ECDH",)})


def _hmac(bits: int) -> KeySpec:
    return KeySpec(f"HMAC_{bits}", {GENERATE_VERIFY_MAC: (f"HMAC_SHA_{bits}",)}, bits // 8)


KEY_SPECS: dict[str, KeySpec] = {
    spec.name: spec
    for spec in (
        KeySpec(SYMMETRIC, {ENCRYPT_DECRYPT: (SYMMETRIC,)}, 32),
        _rsa(2048),
        _rsa(3072),
        _rsa(4096),
        _nist(256, 256),
        _nist(384, 384),
        _nist(521, 512),
        KeySpec("ECC_SECG_P256K1", {SIGN_VERIFY: ("ECDSA_SHA_256",)}),
        KeySpec("ECC_NIST_EDWARDS25519", {SIGN_VERIFY: ("ED25519_SHA_512", "ED25519_PH_SHA_512")}),
        _hmac(224),
        _hmac(256),
        _hmac(384),
        _hmac(512),
        KeySpec("ML_DSA_44", {SIGN_VERIFY: ("ML_DSA_SHAKE_256",)}),
        KeySpec("ML_DSA_65", {SIGN_VERIFY: ("ML_DSA_SHAKE_256",)}),
        KeySpec("ML_DSA_87", {SIGN_VERIFY: ("ML_DSA_SHAKE_256",)}),
    )
}
"""SM2 exists in the China Regions only and is not among them."""

MANAGED_SERVICES = {
    "dynamodb": "DynamoDB data",
    "ebs": "EBS volumes",
    "lambda": "Lambda functions",
    "rds": "RDS database volumes",
    "s3": "S3 objects",
    "secretsmanager": "Secrets Manager secrets",
    "sns": "SNS data",
    "sqs": "SQS messages",
    "ssm": "SSM parameters",
}
"""Services whose managed key (``aws/s3``) the engine makes on first use, and what its description says it protects."""

ALGORITHM_MEMBER = {
    ENCRYPT_DECRYPT: "EncryptionAlgorithms",
    SIGN_VERIFY: "SigningAlgorithms",
    KEY_AGREEMENT: "KeyAgreementAlgorithms",
    GENERATE_VERIFY_MAC: "MacAlgorithms",
}
"""Key usage to the member of KeyMetadata that lists its algorithms."""
