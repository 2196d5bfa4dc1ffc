"""Rotation: new key material under the same key, old ciphertexts still open."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kmslab.checks.registry import check
from kmslab.checks.samples import settle_seconds, soon
from kmslab.checks.temporary import scratch_key, temporary_key
from kmslab.model.capability import Capability
from kmslab.model.persona import Persona

if TYPE_CHECKING:
    from kmslab.lab import Lab

GUIDE = "02-first-key"


@check(guide=GUIDE, needs={Capability.ROTATION}, changes_keys=True)
def on_demand_rotation_keeps_old_ciphertexts(lab: Lab) -> str:
    """Ciphertext made before an on-demand rotation opens after it, and new material is in use.

    Rotation re-encrypts nothing: the key keeps its old material for what was encrypted under it.
    The id of the current material changes, each decryption names the material that it used, and
    KMS keeps the rotation on record.
    A key can be rotated on demand 25 times in its life, so the lab's own keys are spared: the
    operator makes a key for this check and schedules its deletion.
    """
    key = temporary_key(lab, "rotated on demand")
    before = _material(lab, key)
    old = _encrypt(lab, key)
    lab.allowed(Persona.OPERATOR, "kms:RotateKeyOnDemand", KeyId=key)
    lab.wait_until(lambda: _material(lab, key) != before, "the rotation", seconds=settle_seconds(lab) * 4 + 2)
    after = _material(lab, key)
    _opens(lab, key, old, before, "the old ciphertext was not opened with the old material")
    soon(
        lab,
        lambda: _opens(
            lab, key, _encrypt(lab, key), after, "the new ciphertext was not made with the new material"
        ),
    )
    record = lab.read("kms:ListKeyRotations", persona=Persona.OPERATOR, KeyId=key)["Rotations"]
    types = [entry.get("RotationType") for entry in record]
    lab.expect(types == ["ON_DEMAND"], f"KMS has the rotations {types} on record, not one ON_DEMAND")
    return f"material {before[:8]}... was replaced by {after[:8]}...; both ciphertexts open"


@check(guide=GUIDE, needs={Capability.ROTATION}, changes_keys=True)
def rotation_period_has_limits(lab: Lab) -> str:
    """A rotation period of 90 to 2560 days is accepted, and none beyond.

    botocore itself refuses fewer than 90 days; KMS refuses more than 2560.
    """
    key = scratch_key(lab, "second")
    for days in (90, 2560):
        lab.allowed(Persona.OPERATOR, "kms:EnableKeyRotation", KeyId=key, RotationPeriodInDays=days)
        status = lab.read("kms:GetKeyRotationStatus", persona=Persona.OPERATOR, KeyId=key)
        lab.expect(
            status.get("RotationPeriodInDays") == days,
            f"asked for {days} days, KMS rotates every {status.get('RotationPeriodInDays')}",
        )
    lab.refused(
        Persona.OPERATOR,
        "kms:EnableKeyRotation",
        codes={"ValidationException"},
        KeyId=key,
        RotationPeriodInDays=2561,
    )
    return "90 and 2560 days are accepted, 2561 is refused"


def _opens(lab: Lab, key: str, blob: bytes, material: str, otherwise: str) -> None:
    """Expect a ciphertext to open, with the material of this id."""
    opened = lab.allowed(Persona.OPERATOR, "kms:Decrypt", KeyId=key, CiphertextBlob=blob)
    lab.expect(opened["Plaintext"] == b"kmslab", "another plaintext came back")
    lab.expect(opened["KeyMaterialId"] == material, otherwise)


def _material(lab: Lab, key: str) -> str:
    metadata = lab.read("kms:DescribeKey", persona=Persona.OPERATOR, KeyId=key)["KeyMetadata"]
    return str(metadata.get("CurrentKeyMaterialId", ""))


def _encrypt(lab: Lab, key: str) -> bytes:
    blob: bytes = lab.allowed(Persona.OPERATOR, "kms:Encrypt", KeyId=key, Plaintext=b"kmslab")[
        "CiphertextBlob"
    ]
    return blob
