"""Rotation: new key material under the same key, old ciphertexts still open."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from kmslab.checks.expectations import deployed_keys
from kmslab.checks.registry import check
from kmslab.checks.samples import settle_seconds, soon
from kmslab.checks.shared import read_once
from kmslab.checks.temporary import SAMPLE, encrypted_with, metadata_of, scratch_key, temporary_key
from kmslab.lab import Inconclusive
from kmslab.model.capability import Capability
from kmslab.model.naming import stack_name
from kmslab.model.outputs import LabStack
from kmslab.model.persona import Persona

if TYPE_CHECKING:
    from kmslab.lab import Lab

GUIDE = "04-rotation"
ON_DEMAND_ROTATIONS = 25
"""Of one key in its life (botocore model, RotateKeyOnDemand); not adjustable."""
LONGEST_DAYS = 2560
"""The longest period that KMS accepts, seven years: as good as none."""


@check(guide=GUIDE, controls=("KMS.4", "prowler:kms_cmk_rotation_enabled"))
def the_period_is_the_stacks(lab: Lab) -> str:
    """Every key rotates at the period that its stack asked for, and not at the longest that KMS accepts.

    "Rotation is on" is what most scanners look at. At 2,560 days it is on as well, and new material comes
    every seven years. What was asked for is read in the stack's template.
    """
    asked = _periods_of_the_stack(lab)
    seen = []
    for expected, arn in deployed_keys(lab.outputs):
        if not expected.rotates:
            continue
        days = read_once(lab, "kms:GetKeyRotationStatus", KeyId=arn).get("RotationPeriodInDays")
        wanted = asked.get(arn.rpartition("/")[2])
        lab.expect(wanted, f"the stack asks for no rotation of the key {expected.name}")
        lab.expect(
            days == wanted, f"the key {expected.name} rotates every {days} days, the stack says {wanted}"
        )
        lab.expect(
            days != LONGEST_DAYS, f"the key {expected.name} has the longest period there is: {days} days"
        )
        seen.append(f"{expected.name} {days}")
    return "days as the stack asks for them: " + ", ".join(seen)


@check(guide=GUIDE)
def the_next_rotation_is_due_in_time(lab: Lab) -> str:
    """KMS has set a date for the next rotation of every key that it rotates, within the key's period."""
    dates = []
    now = datetime.now(UTC)
    for expected, arn in deployed_keys(lab.outputs):
        if not expected.rotates:
            continue
        status = read_once(lab, "kms:GetKeyRotationStatus", KeyId=arn)
        due = status.get("NextRotationDate")
        lab.expect(due, f"no date is set for the next rotation of the key {expected.name}")
        latest = now + timedelta(days=status["RotationPeriodInDays"] + 1)
        # The rotation itself may take KMS a day or two past its date.
        lab.expect(
            now - timedelta(days=2) < due < latest,
            f"the next rotation of the key {expected.name} is on {due}",
        )
        dates.append(f"{expected.name} {due:%Y-%m-%d}")
    return ", ".join(dates)


@check(guide=GUIDE)
def on_demand_rotations_are_left(lab: Lab) -> str:
    """No key of the lab has used up its on-demand rotations: 25 in its life, and no more can be bought.

    They are for the day when somebody may have seen the material. Whoever spends them on a schedule
    has none on that day. KMS keeps every rotation on record.
    """
    left = []
    for expected, arn in deployed_keys(lab.outputs):
        if not expected.rotates and expected.origin != "EXTERNAL":
            continue
        used = _rotations(lab, arn).count("ON_DEMAND")
        lab.expect(
            used < ON_DEMAND_ROTATIONS, f"the key {expected.name} has used all its {used} on-demand rotations"
        )
        left.append(f"{expected.name} {ON_DEMAND_ROTATIONS - used}")
    return f"left of {ON_DEMAND_ROTATIONS}: " + ", ".join(left)


def _rotations(lab: Lab, key: str, persona: Persona = Persona.AUDITOR) -> list[str]:
    """The type of every completed rotation of a key."""
    found: list[str] = []
    more: dict[str, Any] = {}
    while True:
        page = lab.read("kms:ListKeyRotations", persona=persona, KeyId=key, **more)
        found += [entry.get("RotationType", "") for entry in page["Rotations"]]
        if not page.get("Truncated"):
            return found
        more = {"Marker": page["NextMarker"]}


def _periods_of_the_stack(lab: Lab) -> dict[str, int]:
    """Key id to the rotation period in the template that CloudFormation deployed, in days."""
    stack = stack_name(lab.prefix, LabStack.KEYS)
    template: Any = lab.read(
        "cloudformation:GetTemplate", persona=Persona.OPERATOR, StackName=stack, TemplateStage="Processed"
    )["TemplateBody"]
    if isinstance(template, str):  # botocore parses JSON templates, CloudFormation may hand out YAML
        raise Inconclusive("the template of the keys is not JSON")
    listed = lab.read("cloudformation:DescribeStackResources", persona=Persona.OPERATOR, StackName=stack)
    return {
        one["PhysicalResourceId"].rpartition("/")[2]: int(properties["RotationPeriodInDays"])
        for one in listed["StackResources"]
        if one["ResourceType"] == "AWS::KMS::Key"
        and (properties := template["Resources"][one["LogicalResourceId"]]["Properties"]).get(
            "RotationPeriodInDays"
        )
    }


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
    old = encrypted_with(lab, key)
    lab.allowed(Persona.OPERATOR, "kms:RotateKeyOnDemand", KeyId=key)
    lab.wait_until(lambda: _material(lab, key) != before, "the rotation", seconds=settle_seconds(lab) * 4 + 2)
    after = _material(lab, key)
    _opens(lab, key, old, before, "the old ciphertext was not opened with the old material")
    soon(
        lab,
        lambda: _opens(
            lab, key, encrypted_with(lab, key), after, "the new ciphertext was not made with the new material"
        ),
    )
    types = _rotations(lab, key, Persona.OPERATOR)
    lab.expect(types == ["ON_DEMAND"], f"KMS has the rotations {types} on record, not one ON_DEMAND")
    return f"material {before[:8]}... was replaced by {after[:8]}...; both ciphertexts open"


@check(guide=GUIDE, needs={Capability.ROTATION}, changes_keys=True)
def rotation_period_has_limits(lab: Lab) -> str:
    """A rotation period of 90 to 2560 days is accepted, and none beyond; a year where none is asked for.

    botocore itself refuses fewer than 90 days; KMS refuses more than 2560.
    """
    key = scratch_key(lab, "second")
    periods: tuple[tuple[dict[str, Any], int], ...] = (
        ({}, 365),
        ({"RotationPeriodInDays": 90}, 90),
        ({"RotationPeriodInDays": 2560}, 2560),
    )
    for asked, days in periods:
        lab.allowed(Persona.OPERATOR, "kms:EnableKeyRotation", KeyId=key, **asked)
        soon(lab, partial(_rotates_every, lab, key, days, asked))
    lab.refused(
        Persona.OPERATOR,
        "kms:EnableKeyRotation",
        codes={"ValidationException"},
        KeyId=key,
        RotationPeriodInDays=2561,
    )
    return "365 days by default; 90 and 2560 are accepted, 2561 is refused"


def _rotates_every(lab: Lab, key: str, days: int, asked: dict[str, int]) -> None:
    found = lab.read("kms:GetKeyRotationStatus", persona=Persona.OPERATOR, KeyId=key).get(
        "RotationPeriodInDays"
    )
    lab.expect(found == days, f"asked for {asked or 'no period'}, KMS rotates every {found}")


def _opens(lab: Lab, key: str, blob: bytes, material: str, otherwise: str) -> None:
    """Expect a ciphertext to open, with the material of this id."""
    opened = lab.allowed(Persona.OPERATOR, "kms:Decrypt", KeyId=key, CiphertextBlob=blob)
    lab.expect(opened["Plaintext"] == SAMPLE, "another plaintext came back")
    lab.expect(opened["KeyMaterialId"] == material, otherwise)


def _material(lab: Lab, key: str) -> str:
    return str(metadata_of(lab, key).get("CurrentKeyMaterialId", ""))
