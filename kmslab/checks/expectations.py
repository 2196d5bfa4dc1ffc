"""What the lab promises about its keys, written down here independently of `stacks`.

The table is that of the README ("The keys"). A check that took its expectation from what
it judges would always be right.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kmslab.model.outputs import LabOutputs

SYMMETRIC = "SYMMETRIC_DEFAULT"
ENCRYPT_DECRYPT = "ENCRYPT_DECRYPT"


@dataclass(frozen=True, slots=True)
class ExpectedKey:
    """What one key must be.

    Attributes:
        name: last part of its alias; ``key_<name>`` is its output.
        spec: KeySpec.
        usage: KeyUsage.
        origin: who makes the key material: KMS (AWS_KMS) or its owner (EXTERNAL).
        rotates: whether KMS can rotate it by itself, and must.
        multi_region: whether it is a multi-Region primary.
    """

    name: str
    spec: str = SYMMETRIC
    usage: str = ENCRYPT_DECRYPT
    origin: str = "AWS_KMS"
    rotates: bool = True
    multi_region: bool = False

    def arn(self, outputs: LabOutputs) -> str:
        """ARN of the deployed key; empty if it is optional and not deployed."""
        value: str = getattr(outputs, f"key_{self.name}")
        return value


KEYS = (
    ExpectedKey("s3"),
    ExpectedKey("ebs"),
    ExpectedKey("secrets"),
    ExpectedKey("trail"),
    ExpectedKey("app"),
    ExpectedKey("imported", origin="EXTERNAL", rotates=False),
    ExpectedKey("signing", "ECC_NIST_P256", "SIGN_VERIFY", rotates=False),
    ExpectedKey("rsa", "RSA_4096", rotates=False),
    ExpectedKey("agreement", "ECC_NIST_P256", "KEY_AGREEMENT", rotates=False),
    ExpectedKey("mac", "HMAC_256", "GENERATE_VERIFY_MAC", rotates=False),
    ExpectedKey("pq", "ML_DSA_65", "SIGN_VERIFY", rotates=False),
    ExpectedKey("global", multi_region=True),
)


def deployed_keys(outputs: LabOutputs) -> tuple[tuple[ExpectedKey, str], ...]:
    """Every expected key that is deployed, with its ARN."""
    return tuple((key, key.arn(outputs)) for key in KEYS if key.arn(outputs))
